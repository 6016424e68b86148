"""A week of two targets whose gate refuses one lane of each, trained by the command line."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from typer.testing import CliRunner, Result

from traffic_assets.cli.app import app
from traffic_assets_tests.deployment import Deployment, copied
from traffic_assets_tests.tiny import IMPOSSIBLE, WEEK, only_lanes, tiny_profile

LANES = ("linear_regression", "gradient_boosted_trees")
CHANGES: dict[str, Any] = {
    **only_lanes(*LANES),
    "training": {"targets": ["avg_speed", "traffic_volume"]},
    "evaluation": {
        "thresholds": {"linear_regression": IMPOSSIBLE},
        "other_thresholds": {"flow": {"gradient_boosted_trees": IMPOSSIBLE}},
    },
    "persistence": {"browse_url": "http://127.0.0.1:8000/{path}"},
}


@dataclass(frozen=True)
class Refused:
    """The week, the result of its `train` job, and the result of the command."""

    deployment: Deployment
    train: dg.ExecuteInProcessResult
    command: Result


def refuse(made: Deployment, base: Path) -> Refused:
    """Train the week on a copy of a deployment with features."""
    deployment = copied(made, base, made.instance, CHANGES)
    profile = base / "profile.json"
    profile.write_text(json.dumps(tiny_profile(base, CHANGES)))
    results: list[dg.ExecuteInProcessResult] = []
    execute = dg.JobDefinition.execute_in_process

    def recorded(self: dg.JobDefinition, *args: Any, **more: Any) -> dg.ExecuteInProcessResult:
        results.append(execute(self, *args, **more))
        return results[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        patch.setattr(dg.JobDefinition, "execute_in_process", recorded)
        command = CliRunner().invoke(app, ["train", WEEK, "-p", str(profile)], env={"COLUMNS": "200"})
    (train,) = results
    return Refused(deployment, train, command)
