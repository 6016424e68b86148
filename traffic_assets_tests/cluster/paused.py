"""A process of several training runs, each of which stops at a step of its own, for tests that kill it there.

    python -m traffic_assets_tests.cluster.paused PLANS

PLANS is a JSON file with a list of `Plan`. The runs share the process and its Spark session, and each has a thread.
At the first log line with its step, a run writes `reached` in its folder and waits for `go`; after its end it writes
`ended`, with its failures.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from traffic_assets.build import build_defs
from traffic_assets.resources import build_resources
from traffic_assets.settings import Settings
from traffic_assets_tests.runs import failures, run_train
from traffic_assets_tests.tiny import WEEK, tiny_settings

STEP_LOGGERS = ("traffic_assets.dagster_hdfs.publish", "traffic_assets.registry.store")
REACHED, GO, ENDED = "reached", "go", "ended"


@dataclass(frozen=True)
class Plan:
    """One run.

    Attributes:
        step: Value of `step` of the log record at which the run stops.
        folder: Existing local folder for the run's signals.
        base: Base URI of the deployment.
        changes: Changes to the tiny settings.
        only: Keys of the assets to materialize.
    """

    step: str
    folder: str
    base: str
    changes: Mapping[str, Any]
    only: Sequence[str]

    @property
    def settings(self) -> Settings:
        """Settings of the deployment."""
        return tiny_settings(self.base, self.changes)


def write_plans(path: Path, plans: Sequence[Plan]) -> None:
    """Write the file that the process reads."""
    path.write_text(json.dumps([dataclasses.asdict(plan) for plan in plans]))


class PauseAt(logging.Handler):
    """A handler that stops a thread at its step, once."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._plans: dict[int, Plan] = {}

    def watch(self, plan: Plan) -> None:
        """Stop the calling thread at the plan's step."""
        self._plans[threading.get_ident()] = plan

    def handle(self, record: logging.LogRecord) -> bool:
        """Wait at the step, without holding the handler's lock, which would stop the other threads too."""
        plan = self._plans.get(threading.get_ident())
        if plan is not None and getattr(record, "step", None) == plan.step:
            del self._plans[threading.get_ident()]
            folder = Path(plan.folder)
            (folder / REACHED).touch()
            while not (folder / GO).exists():
                time.sleep(0.02)
        return True


def _run(plan: Plan, defs: dg.Definitions, pause: PauseAt) -> None:
    pause.watch(plan)
    try:
        with dg.DagsterInstance.ephemeral() as instance:
            result = run_train(defs, instance, WEEK, only=plan.only)
        ended = repr(failures(result))
    except BaseException as error:
        ended = repr(error)
        raise
    finally:
        aside = Path(plan.folder, f"{ENDED}.aside")
        aside.write_text(ended)
        aside.rename(Path(plan.folder, ENDED))


def main(path: str) -> None:
    """Run all plans concurrently."""
    plans = [Plan(**plan) for plan in json.loads(Path(path).read_text())]
    pause = PauseAt()
    for name in STEP_LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        logger.addHandler(pause)
    build_resources(plans[0].settings)["spark"].session.range(1).count()
    threads = [threading.Thread(target=_run, args=(plan, build_defs(plan.settings), pause)) for plan in plans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
