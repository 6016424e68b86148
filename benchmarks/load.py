"""Time to load the code location, compared with `import dagster` alone. The goal is a ratio of at most 1.5.

Both are whole processes that start in turn; their medians are compared.
"""

import statistics
import subprocess
import sys
import time

RUNS, GOAL = 7, 1.5
BASE, OURS = "import dagster", "import traffic_assets.definitions"


def seconds(statement: str) -> float:
    """Return the wall time, in seconds, of a new interpreter that runs one statement."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - started


def main() -> int:
    """Measure, print the ratio, and return the exit code."""
    for statement in (BASE, OURS):  # fills the byte code and disk caches
        seconds(statement)
    pairs = [(seconds(BASE), seconds(OURS)) for _ in range(RUNS)]
    base, ours = (statistics.median(values) for values in zip(*pairs, strict=True))
    print(f"import dagster {base:.3f} s, the code location {ours:.3f} s, medians of {RUNS}")
    ratio = ours / base
    print(f"load: ratio {ratio:.2f} (goal {GOAL})")
    return 0 if ratio <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
