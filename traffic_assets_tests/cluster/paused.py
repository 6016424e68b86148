"""A training process that stops at a named step, for tests that kill it there (or let it go on).

    python -m traffic_assets_tests.cluster.paused STEP FOLDER WEEK [ASSET ...]

At the first log line with that step it writes FOLDER/reached and waits for FOLDER/go. The settings come from the
environment, as in any other process.
"""

import logging
import sys
import time
from pathlib import Path

import dagster as dg

from traffic_assets.build import build_defs
from traffic_assets_tests.runs import failures, run_train

STEP_LOGGERS = ("traffic_assets.dagster_hdfs.publish", "traffic_assets.registry.store")
REACHED, GO = "reached", "go"


class PauseAt(logging.Handler):
    """Stops the thread that logs a step, once."""

    def __init__(self, step: str, folder: Path) -> None:
        super().__init__(logging.DEBUG)
        self._step, self._folder, self._done = step, folder, False

    def emit(self, record: logging.LogRecord) -> None:
        """Wait at the step."""
        if self._done or getattr(record, "step", None) != self._step:
            return
        self._done = True
        (self._folder / REACHED).touch()
        while not (self._folder / GO).exists():
            time.sleep(0.02)


def main(step: str, folder: str, week: str, *only: str) -> int:
    """Run the train job, or some assets of it."""
    for name in STEP_LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        logger.addHandler(PauseAt(step, Path(folder)))
    with dg.DagsterInstance.ephemeral() as instance:
        result = run_train(build_defs(), instance, week, only=only)
        print(failures(result))
        return 0 if result.success else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
