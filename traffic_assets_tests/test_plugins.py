"""A third-party package with an algorithm, a metric and a storage backend: installed by pip, used by settings.

The package is `plugins/acme_traffic`; `docs/extending.md` shows its code. `plugins/acme_traffic_before_1_0` is the same
package for earlier code, with its gate in `targets`: a week is trained with that one. Broken plugins are tested with
the modules that report them.
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
    """Build a package, and install it with pip into a new folder."""
    source, target = tmp_path_factory.mktemp("source") / "acme", tmp_path_factory.mktemp("site")
    shutil.copytree(package, source, ignore=shutil.ignore_patterns("__pycache__"))  # builds write next to their sources
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--target", str(target)]
    done = processes.run([*command, source])
    assert done.returncode == 0, done.stderr
    return target


def _run(installed: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a new Python in which the plugin is installed."""
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
                    # Hadoop's way to map a scheme to a folder, so that Spark sees the plugin's files
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
    facts = json.loads(last)
    assert facts["failures"] == {}
    return facts, "\n".join(printed), store


def test_the_lane_of_the_plugin_is_searched_and_chosen_by_its_metric(
    outcome: tuple[dict[str, Any], str, Path],
) -> None:
    facts, _, _ = outcome
    search = facts["search"]
    assert search["primary_metric"] == "close_share"
    shares = [trial["summary"]["close_share"]["mean"] for trial in search["trials"]]
    assert shares[0] < shares[1], "six levels are more accurate than one"
    assert search["chosen"] == 1
    assert [trial["hyperparameters"]["maxDepth"] for trial in search["trials"]] == [1, 6]
    assert all(0 <= fold["extra"]["close_share"] <= 1 for fold in search["confirmed"]["folds"])
    (standing,) = facts["leaderboard"]
    assert standing["model"] == "decision_tree"
    assert standing["folds"] == search["confirmed"]["summary"]["close_share"]


def test_a_plugin_for_earlier_code_has_its_own_gate(outcome: tuple[dict[str, Any], str, Path]) -> None:
    facts, _, _ = outcome
    (limit,) = facts["registered"]["targets"]
    assert (limit["target"], limit["asked"], limit["passed"]) == ("RMSE on test, mph", "<= 50", True)


def test_the_plugin_of_the_docs_equals_the_earlier_one_with_current_names(
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


def test_the_metric_is_shown_with_the_others(outcome: tuple[dict[str, Any], str, Path]) -> None:
    facts, printed, _ = outcome
    shown = facts["evaluation_metadata"]
    assert {"close_share", "train_close_share", "temporal_close_share", "rmse"} <= set(shown)
    assert {"cv_close_share_mean", "cv_close_share_std"} <= set(facts["cv_report_metadata"])
    columns = facts["leaderboard_columns"]
    assert {"Within 2 mph, share", "later Within 2 mph, share"} <= set(columns)
    assert "Within 2 mph, share" in printed
    assert "decision_tree" in printed
    assert facts["registered"]["metrics"]["test"]["extra"] == {"close_share": pytest.approx(shown["close_share"])}


def test_the_model_is_registered_and_loaded_back(outcome: tuple[dict[str, Any], str, Path]) -> None:
    facts, _, _ = outcome
    registered = facts["registered"]
    assert registered["lane"] == registered["algorithm"] == "decision_tree"
    assert registered["facts"]["depth"] <= 6
    assert registered["targets"][0]["asked"] == "<= 50"
    assert registered["libraries"]["acme-traffic"] == "1.0"
    assert facts["model"] == "DecisionTreeRegressionModel"
    assert facts["loaded_back"]["rows"] == sum(registered["training"]["rows"].values())
    assert facts["loaded_back"]["rmse"] < 50


def test_everything_is_stored_by_the_storage_backend(outcome: tuple[dict[str, Any], str, Path]) -> None:
    facts, _, store = outcome
    assert facts["filesystem"] == "AcmeFileSystem"
    assert facts["registered"]["training"]["model"].startswith("acme://store/traffic/training/decision_tree_model/")
    version = store / "traffic" / "models" / "decision_tree" / "v1.0.0"
    assert (version / "MANIFEST.json").is_file()
    assert list((version / "pipeline").rglob("part-*")), "written by Spark, by the same URI"


@pytest.fixture(scope="module")
def without_spark(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Facts about the plugin from a process that imports it first."""
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
    facts = json.loads(done.stdout)
    assert isinstance(facts, dict)
    return facts


def test_the_command_line_lists_the_plugins_with_their_packages(without_spark: dict[str, Any]) -> None:
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


def test_without_the_package_no_plugin_is_listed() -> None:
    done = CliRunner().invoke(app, ["plugins"])
    assert done.exit_code == 0, done.output
    assert "[cli.no-plugins]" in done.output


def test_the_documentation_shows_the_code_of_the_plugin() -> None:
    text = DOCS.read_text()
    for name, language in (("pyproject.toml", "toml"), ("acme_traffic.py", "python")):
        assert f"```{language}\n{(SOURCE / name).read_text()}```" in text, (
            f"docs/extending.md does not show {name} as it is"
        )
