"""The whole demo as an installed wheel runs it, whose models must meet the limits of the users' plan on the sample."""

import os
import subprocess
from pathlib import Path

import pytest

from traffic_assets.dagster_hdfs.filesystem import LocalFileSystem
from traffic_assets.registry import ModelRegistry
from traffic_assets_tests.processes import Processes
from traffic_assets_tests.wheels import install_wheel

# minimum R², maximum RMSE and MAE (mph) in the users' plan, which do not depend on settings
TARGETS = {
    "linear_regression": (0.90, 5.0, 3.0),
    "random_forest": (0.9996, 0.752, 0.289),
    "gradient_boosted_trees": (0.9992, 1.061, None),
}
Demo = tuple[Path, subprocess.CompletedProcess[str]]
TIMEOUT = 1800.0  # seconds; a timeout for a hanging run


@pytest.fixture(scope="module")
def demo(processes: Processes, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Run the demo of the installed wheel in a folder of its own; return the folder and what the command printed."""
    folder = tmp_path_factory.mktemp("demo")
    mine = {k: v for k, v in os.environ.items() if not k.startswith(("TRAFFIC_", "DAGSTER_"))}
    home = folder / "home"
    home.mkdir()
    environ = {**mine, "DAGSTER_HOME": str(home), **install_wheel(processes, wheel, folder / "site")}
    done = processes.python("-m", "traffic_assets", "demo", cwd=folder, env=environ, timeout=TIMEOUT)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder, done


@pytest.mark.timeout(TIMEOUT + 60)
def test_the_demo_meets_the_targets(demo: Demo) -> None:
    folder, done = demo
    assert done.stderr.count("Using incubator modules") == 1, "one JVM runs everything"
    assert "dagster dev -m traffic_assets.definitions" in done.stdout, "a wheel has no Makefile"
    registry = ModelRegistry(f"file://{folder}/traffic-data/models", LocalFileSystem())
    assert registry.lanes() == sorted(TARGETS)
    for lane, (r2, rmse, mae) in TARGETS.items():
        assert lane in done.stdout
        metadata = registry.metadata(lane)
        test = metadata.metrics["test"]
        assert test["r2"] >= r2, lane
        assert test["rmse"] <= rmse, lane
        assert mae is None or test["mae"] <= mae, lane
        assert metadata.temporal["metrics"]["rows"] > 0
    forest = registry.metadata("random_forest")
    assert forest.cross_validation is not None
    assert len(forest.cross_validation["folds"]) == 5
    assert forest.cross_validation["summary"]["r2"]["mean"] > 0.999
    assert forest.cross_validation["summary"]["r2"]["std"] < 0.001
    top, weight = next(iter(forest.importances["features"].items()))
    assert top == "traffic_efficiency"
    assert 0.70 <= weight <= 0.90
