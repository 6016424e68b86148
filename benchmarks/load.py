"""Time to load the code location, compared with `import dagster` alone. The goal is a ratio of at most 1.5.

Both are whole processes that start in turn; their medians are compared.
"""

import subprocess
import sys
import time
from functools import partial

from benchmarks.pairs import compare

RUNS, GOAL = 7, 1.5
BASE, OURS = "import dagster", "import traffic_assets.definitions"


def seconds(statement: str) -> float:
    """Return the wall time, in seconds, of a new interpreter that runs one statement."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - started


def main() -> int:
    """Measure, print the ratio, and return the exit code."""
    base = ("import dagster", partial(seconds, BASE))
    return compare("load", base, ("the code location", partial(seconds, OURS)), RUNS, GOAL)


if __name__ == "__main__":
    sys.exit(main())
