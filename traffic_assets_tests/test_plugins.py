"""A package that is not ours adds an algorithm, a metric and a storage backend: installed by pip, used by settings.

The package is `plugins/acme_traffic`; `docs/extending.md` shows its code. `plugins/acme_traffic_before_1_0` is the same
as it was written for earlier code, with a gate of its own in `targets`: a week is trained with that one. Broken plugins
are tested beside the modules that report them.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from traffic_assets.cli.app import app
from traffic_assets_tests.cluster.minispark import spark_env
from traffic_assets_tests.processes import Processes
from traffic_assets_tests.tiny import ANYTHING_GOES, only_lanes, tiny_profile, write_tiny_readings

SOURCE = Path(__file__).parent / "plugins" / "acme_traffic"
EARLIER = SOURCE.parent / "acme_traffic_before_1_0"
DOCS = Path(__file__).parent.parent / "docs" / "extending.md"


@pytest.fixture(scope="module")
def installed(processes: Processes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plugin of the docs, installed."""
    return _install(SOURCE, processes, tmp_path_factory)


@pytest.fixture(scope="module")
def installed_earlier(processes: Processes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plugin for earlier code, installed."""
    return _install(EARLIER, processes, tmp_path_factory)


def _install(package: Path, processes: Processes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a package and install it by pip into a folder of its own."""
    source, target = tmp_path_factory.mktemp("source") / "acme", tmp_path_factory.mktemp("site")
    shutil.copytree(package, source, ignore=shutil.ignore_patterns("__pycache__"))  # a build writes beside its sources
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--target", str(target)]
    done = processes.run([*command, source])
    assert done.returncode == 0, done.stderr
    return target


def _run(installed: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A new Python in which the plugin is installed."""
    environ = {name: value for name, value in spark_env().items() if not name.startswith("TRAFFIC_")}
    path = os.pathsep.join(filter(None, (str(installed), environ.get("PYTHONPATH"))))
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=800,
        cwd=installed.parent,
        env=environ | {"PYTHONPATH": path, "COLUMNS": "200"} | more,
    )


@pytest.fixture(scope="module")
def outcome(installed_earlier: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str, Path]:
    """A week trained on the plugin's storage, with the plugin's algorithm, chosen by its metric."""
    base = tmp_path_factory.mktemp("base")
    readings, store = write_tiny_readings(base / "input"), base / "store"
    store.mkdir()
    profile = tiny_profile(
        "acme://store/traffic",
        {
            "data": {"source": str(readings)},
            "models": {
                **only_lanes("decision_tree")["models"],
                "decision_tree": {"tune": True, "grid": {"maxDepth": [1, 6]}},
            },
            "evaluation": {
                "primary_metric": "close_share",
                "diagnostics": {"slices": False, "interval_coverage": None, "confidence_level": None},
            },
            "spark": {
                "config": {
                    # Hadoop's own way to give a folder a scheme: Spark sees the files that the plugin sees
                    "spark.hadoop.fs.acme.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
                    "spark.hadoop.fs.viewfs.mounttable.store.link./traffic": f"file://{store}/traffic",
                }
            },
        },
    )
    (store / "traffic").mkdir()
    path = base / "profile.json"
    path.write_text(json.dumps(profile))
    done = _run(installed_earlier, "-m", "traffic_assets_tests.outside", str(path), ACME_STORE=str(store))
    assert done.returncode == 0, done.stderr[-5000:]
    *printed, last = done.stdout.strip().splitlines()
    found = json.loads(last)
    assert found["failures"] == {}
    return found, "\n".join(printed), store


def test_the_lane_of_the_plugin_is_searched_and_chosen_by_its_metric(
    outcome: tuple[dict[str, Any], str, Path],
) -> None:
    found, _, _ = outcome
    search = found["search"]
    assert search["primary_metric"] == "close_share"
    shares = [trial["summary"]["close_share"]["mean"] for trial in search["trials"]]
    assert shares[0] < shares[1], "six levels come closer than one"
    assert search["chosen"] == 1
    assert [trial["hyperparameters"]["maxDepth"] for trial in search["trials"]] == [1, 6]
    assert all(0 <= fold["extra"]["close_share"] <= 1 for fold in search["confirmed"]["folds"])
    (standing,) = found["leaderboard"]
    assert standing["model"] == "decision_tree"
    assert standing["folds"] == search["confirmed"]["summary"]["close_share"]


def test_the_gate_of_a_plugin_for_earlier_code_is_its_own(outcome: tuple[dict[str, Any], str, Path]) -> None:
    found, _, _ = outcome
    (limit,) = found["registered"]["targets"]
    assert (limit["target"], limit["asked"], limit["passed"]) == ("RMSE on test, mph", "<= 50", True)


def test_the_plugin_of_the_docs_is_that_for_earlier_code_in_current_names(
    installed: Path, installed_earlier: Path
) -> None:
    program = (
        "import dataclasses, warnings\n"
        "warnings.simplefilter('error' if {strict} else 'ignore', DeprecationWarning)\n"
        "from traffic_assets.ml.algorithm import algorithm_named\n"
        "from traffic_assets.settings import load_settings\n"
        "settings, tree = load_settings('local'), algorithm_named('decision_tree')\n"
        "shown = {{f.name: getattr(tree, f.name) for f in dataclasses.fields(tree)}}\n"
        "print({{n: getattr(v, '__qualname__', v) for n, v in shown.items()}})\n"
        "print(settings.get_thresholds('speed', 'decision_tree'), settings.models.decision_tree)"
    )
    current = _run(installed, "-c", program.format(strict=True))
    earlier = _run(installed_earlier, "-c", program.format(strict=False))
    shown = earlier.stdout.replace("decrease of impurity", "decrease in impurity")
    assert current.stdout == shown != "", current.stderr + earlier.stderr
    assert "rmse_max=50.0" in current.stdout


def test_the_metric_is_shown_where_the_others_are(outcome: tuple[dict[str, Any], str, Path]) -> None:
    found, printed, _ = outcome
    shown = found["evaluation_metadata"]
    assert {"close_share", "train_close_share", "temporal_close_share", "rmse"} <= set(shown)
    assert {"cv_close_share_mean", "cv_close_share_std"} <= set(found["cv_report_metadata"])
    columns = found["leaderboard_columns"]
    assert {"Within 2 mph, share", "later Within 2 mph, share"} <= set(columns)
    assert "Within 2 mph, share" in printed
    assert "decision_tree" in printed
    assert found["registered"]["metrics"]["test"]["extra"] == {"close_share": pytest.approx(shown["close_share"])}


def test_the_model_is_registered_and_loaded_back(outcome: tuple[dict[str, Any], str, Path]) -> None:
    found, _, _ = outcome
    registered = found["registered"]
    assert registered["lane"] == registered["algorithm"] == "decision_tree"
    assert registered["facts"]["depth"] <= 6
    assert registered["targets"][0]["asked"] == "<= 50"
    assert registered["libraries"]["acme-traffic"] == "1.0"
    assert found["model"] == "DecisionTreeRegressionModel"
    assert found["loaded_back"]["rows"] == sum(registered["training"]["rows"].values())
    assert found["loaded_back"]["rmse"] < 50


def test_everything_is_kept_by_the_storage_backend(outcome: tuple[dict[str, Any], str, Path]) -> None:
    found, _, store = outcome
    assert found["filesystem"] == "AcmeFileSystem"
    assert found["registered"]["training"]["model"].startswith("acme://store/traffic/training/decision_tree_model/")
    version = store / "traffic" / "models" / "decision_tree" / "v1.0.0"
    assert (version / "MANIFEST.json").is_file()
    assert list((version / "pipeline").rglob("part-*")), "written by Spark, by the same URI"


@pytest.fixture(scope="module")
def without_spark(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process that imports the plugin first knows of it."""
    folder = tmp_path_factory.mktemp("settings")
    good, bad = folder / "good.json", folder / "bad.json"
    good.write_text(json.dumps({"evaluation": {"thresholds": {"decision_tree": ANYTHING_GOES}}}))
    bad.write_text(
        json.dumps(
            {
                "models": {"decision_tree": {"hyperparameters": {"maxDept": 3}, "grid": {"maxBins": [1]}}},
                "evaluation": {"primary_metric": "close"},
            }
        )
    )
    done = _run(installed, "-m", "traffic_assets_tests.plugged", str(good), str(bad))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_the_command_line_says_what_was_found_and_where(without_spark: dict[str, Any]) -> None:
    listed = without_spark["plugins"]
    assert listed["exit_code"] == 0, listed["stderr"]
    lines = [line.split() for line in listed["stdout"].splitlines()]
    for kind, name, source in (
        ("algorithm", "decision_tree", "acme_traffic:DECISION_TREE"),
        ("metric", "close_share", "acme_traffic:CLOSE_SHARE"),
        ("storage", "acme", "acme_traffic:AcmeFileSystem"),
    ):
        assert [kind, name, "acme-traffic", "1.0", source, "usable"] in lines


def test_the_location_has_the_lane_and_loads_without_pyspark(without_spark: dict[str, Any]) -> None:
    assert without_spark["has_the_lane"]
    assert not without_spark["pyspark_after_the_location"]


def test_the_settings_know_the_section_and_only_its_keys(without_spark: dict[str, Any]) -> None:
    shown, refused = without_spark["good"], without_spark["bad"]
    assert shown["exit_code"] == 0, shown["stderr"]
    settings = json.loads(shown["stdout"])
    assert settings["models"]["decision_tree"]["hyperparameters"] == {"maxDepth": 7, "maxBins": 32}
    assert next(iter(settings["models"])) == "linear_regression"
    assert refused["exit_code"] == 2
    said = " ".join(refused["stderr"].split())
    assert "models.decision_tree.hyperparameters.maxDept: " in said
    assert "[settings.misspelled-key]" in said
    assert "evaluation.primary_metric: " in said
    assert "[settings.invalid-choice]" in said


def test_the_package_may_be_imported_before_ours(without_spark: dict[str, Any]) -> None:
    assert without_spark["enabled"]
    assert without_spark["same"]


def test_without_the_package_nothing_of_it_is_there() -> None:
    done = CliRunner().invoke(app, ["plugins"])
    assert done.exit_code == 0, done.output
    assert "[cli.no-plugins]" in done.output


def test_the_documentation_shows_the_very_code() -> None:
    text = DOCS.read_text()
    for name, language in (("pyproject.toml", "toml"), ("acme_traffic.py", "python")):
        assert f"```{language}\n{(SOURCE / name).read_text()}```" in text, (
            f"docs/extending.md does not show {name} as it is"
        )
