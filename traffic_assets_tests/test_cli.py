"""The command line: its output, its exit codes, and errors without a trace."""

import errno
import json
import math
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from traffic_assets.assets.evaluation import COMPARISON
from traffic_assets.assets.keys import add_target_prefix
from traffic_assets.assets.presentation import dump_document
from traffic_assets.assets.report import REPORT, page_uri
from traffic_assets.cli.app import app
from traffic_assets.cli.leaderboard import print_leaderboard, show_leaderboard
from traffic_assets.dagster_hdfs.backends import GROUP as STORAGE_GROUP
from traffic_assets.dagster_hdfs.filesystem import LocalFileSystem
from traffic_assets.dagster_hdfs.io_managers.documents import DOCUMENT
from traffic_assets.dagster_hdfs.publish import Dataset
from traffic_assets.ml.evaluation.leaderboard import LeaderboardEntry
from traffic_assets.ml.metrics.metrics import Metrics
from traffic_assets.registry.store import ModelRegistry
from traffic_assets.resources import build_resources
from traffic_assets.settings import Settings, load_settings
from traffic_assets.settings.plugins import ALGORITHM_GROUP, METRIC_GROUP
from traffic_assets_tests.deployment import Deployment
from traffic_assets_tests.packages import ALGORITHM, Install
from traffic_assets_tests.refused import Refused
from traffic_assets_tests.registry.examples import SCORES, made_up
from traffic_assets_tests.tiny import WEEK, tiny_profile

runner = CliRunner()


def _standing(model: str, rmse: float) -> dict[str, object]:
    """Return a leaderboard entry as it is stored, without thresholds."""
    numbers = {"r2": 0.99747, "rmse": rmse, "mae": rmse / 2, "mape": 0.02, "bias": 0.0, "p95": 2 * rmse}
    metrics = Metrics(rows=100, **numbers)
    standing = LeaderboardEntry(
        model=model, kind="alternative", test=metrics, temporal=metrics, targets_asked=0, targets_missed=[]
    )
    return dump_document(standing)


@pytest.fixture
def profile(trained: Deployment, tmp_path: Path) -> str:
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps(tiny_profile(trained.base)))
    return str(path)


def test_models_are_listed_and_shown(profile: str) -> None:
    listed = runner.invoke(app, ["models", "list", "-p", profile])
    assert listed.exit_code == 0, listed.output
    assert "gradient_boosted_trees" in listed.output
    assert "v1.0.0" in listed.output
    shown = runner.invoke(app, ["models", "show", "random_forest", "-p", profile])
    assert json.loads(shown.output)["kind"] == "primary"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["models", "show", "forest"], "No model is registered as 'forest'"),
        (["models", "show", "random_forest", "v9.0.0"], "registered: v1.0.0"),
        (["models", "show", "../up"], "is not a valid path segment"),
    ],
)
def test_an_unknown_model_is_refused_with_those_that_exist(profile: str, arguments: list[str], text: str) -> None:
    done = runner.invoke(app, [*arguments, "-p", profile])
    assert done.exit_code == 2
    assert text in " ".join(done.output.split())


def test_the_stored_report_is_copied_and_opened(profile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def browse(url: str) -> bool:
        opened.append(url)
        return True

    monkeypatch.setattr("webbrowser.open", browse)
    monkeypatch.chdir(tmp_path)
    done = runner.invoke(app, ["report", "-p", profile, "--open"])
    copy = tmp_path / f"report-{WEEK}.html"
    assert done.exit_code == 0, done.output
    assert str(copy) in done.output
    assert opened == [copy.as_uri()]
    assert f"Training week {WEEK}" in copy.read_text()
    chosen = tmp_path / "mine.html"
    assert runner.invoke(app, ["report", WEEK, "-o", str(chosen), "-p", profile]).exit_code == 0
    assert chosen.read_bytes() == copy.read_bytes()
    assert len(opened) == 1


def test_an_unknown_report_is_refused_with_those_that_exist(profile: str, tmp_path: Path) -> None:
    refused = runner.invoke(app, ["report", "2026-01-12", "-p", profile])
    assert refused.exit_code == 2
    assert "[cli.no-report-of-week]" in refused.output
    assert f"Expected one of {WEEK}" in " ".join(refused.output.split())
    folder = runner.invoke(app, ["report", "-o", str(tmp_path), "-p", profile])
    assert folder.exit_code == 2
    assert "[cli.out-is-a-folder]" in folder.output
    another = runner.invoke(app, ["report", "--target", "flow", "-p", profile])
    assert another.exit_code == 2
    assert "[cli.target-not-trained] This deployment does not train 'flow'" in " ".join(another.output.split())
    empty = tmp_path / "empty.json"
    empty.write_text(json.dumps(tiny_profile(tmp_path / "nothing")))
    assert "[cli.no-reports]" in runner.invoke(app, ["report", "-p", str(empty)]).output


def _message(arguments: list[str], **environ: str) -> str:
    """Return the only line of output of a command that exits with code 2; more lines would be a trace."""
    done = runner.invoke(app, arguments, env={"COLUMNS": "400", **environ})
    assert done.exit_code == 2, done.exception
    assert isinstance(done.exception, SystemExit)
    (line,) = done.output.strip().splitlines()
    return line


class TestUserErrors:
    """Errors of the user, without Spark."""

    @pytest.fixture
    def profile(self, tmp_path: Path) -> str:
        path = tmp_path / "tiny.json"
        path.write_text(json.dumps(tiny_profile(tmp_path / "base")))
        return str(path)

    @pytest.fixture
    def reports(self, profile: str) -> Dataset:
        """A published report, of one line."""
        return self._publish(profile, REPORT)

    def _publish(self, profile: str, key: str) -> Dataset:
        dataset = build_resources(load_settings(profile))["hdfs"].dataset(key)
        assert isinstance(dataset, Dataset)
        staged = dataset.stage("run-1")
        dataset.filesystem.write_new(page_uri(staged), b"<p>")
        dataset.publish(WEEK, staged, "run-1", {})
        return dataset

    def test_a_missing_home_of_dagster(self, profile: str, tmp_path: Path) -> None:
        home = {"DAGSTER_HOME": str(tmp_path / "nowhere"), "TRAFFIC_SPARK__CLASS_DATA_ARCHIVE": "false"}
        text = _message(["train", WEEK, "-p", profile], **home)
        assert text.startswith("[cli.failed] ")
        assert f'$DAGSTER_HOME "{tmp_path}/nowhere" is not a directory or does not exist' in text

    def test_a_sample_in_a_folder_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        text = _message(["sample", "--days", "1", "--sensors", "1", "--to", str(tmp_path / "file" / "raw")])
        assert text.startswith("[cli.file-error] ")
        assert f"({tmp_path}/file/" in text
        assert ": Not a directory)" in text

    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (OSError(errno.EACCES, "Permission denied", "/data/it.html"), "cli.file-permission"),
            (OSError(errno.EROFS, "Read-only file system", "/data/it.html"), "cli.file-permission"),
            (OSError(errno.ENOSPC, "No space left on device"), "cli.disk-full"),
            (OSError(errno.EDQUOT, "Disk quota exceeded"), "cli.disk-full"),
            (OSError(errno.EISDIR, "Is a directory", "/data/it.html"), "cli.file-error"),
            (OSError("no reason"), "cli.failed"),
            (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "cli.failed"),
            (json.JSONDecodeError("Expecting value", "", 0), "cli.failed"),
        ],
    )
    def test_an_error_without_a_code_gets_one(
        self, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
    ) -> None:
        def fail(*_: object) -> None:
            raise error

        monkeypatch.setattr("traffic_assets.simulation.writer.write_sample", fail)
        text = _message(["sample", "--to", "somewhere"])
        assert text.startswith(f"[{code}] ")
        assert (getattr(error, "strerror", None) or str(error)) in text

    @pytest.mark.parametrize(
        ("arguments", "codes"),
        [
            (["--sensors", "0"], ["simulation.out-of-range"]),
            (["--bad-share", "2", "--days", "0"], ["simulation.out-of-range", "simulation.out-of-range"]),
            (["--first-day", "1970-01-01"], ["simulation.out-of-range"]),
            (["--first-day", "05.01.2026"], ["cli.not-a-date"]),
        ],
    )
    def test_wrong_values_of_a_sample_are_messages(
        self, tmp_path: Path, arguments: list[str], codes: list[str]
    ) -> None:
        done = runner.invoke(app, ["sample", "--to", str(tmp_path / "raw"), *arguments], env={"COLUMNS": "400"})
        assert done.exit_code == 2
        lines = done.output.strip().splitlines()
        assert [line.partition("] ")[0].removeprefix("[") for line in lines] == codes
        assert "pydantic" not in done.output
        assert not list(tmp_path.iterdir())

    def test_a_location_that_cannot_load(self, profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
        missing = {"TRAFFIC_MODELS__SVR__ENABLED": "true"}
        with monkeypatch.context() as patch:
            patch.setattr("traffic_assets.build.importlib.util.find_spec", lambda name: None)
            assert _message(["settings", profile], **missing).startswith("[location.package-missing] ")
        with monkeypatch.context() as patch:
            patch.setattr("traffic_assets.dagster_hdfs.io_managers.refusals.PARTITIONS_SUBSET", "_gone")
            assert _message(["settings", profile]).startswith("[storage.unsupported-dagster] ")
            environ = {"COLUMNS": "400", "TRAFFIC_SPARK__CLASS_DATA_ARCHIVE": "false", "DAGSTER_HOME": ""}
            done = runner.invoke(app, ["train", WEEK, "-p", profile], env=environ)
        assert done.exit_code == 2
        progress, error = done.output.strip().splitlines()
        assert "  [runs.no-dagster-home] " in progress
        assert error.startswith("[storage.unsupported-dagster] ")

    def test_a_report_into_a_folder_that_does_not_exist(self, profile: str, reports: Dataset, tmp_path: Path) -> None:
        assert runner.invoke(app, ["report", "-o", str(tmp_path / "it.html"), "-p", profile]).exit_code == 0
        text = _message(["report", "-o", str(tmp_path / "nowhere" / "it.html"), "-p", profile])
        assert text.startswith(f"[cli.out-has-no-folder] {tmp_path}/nowhere ")

    @pytest.mark.parametrize("name", ["flow", "traffic_volume", "volume_5min"])
    def test_the_report_of_a_target_can_be_requested_by_any_of_its_names(
        self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        changes = {"training": {"targets": ["speed", "flow"]}, "data": {"aliases": {"volume_5min": "flow"}}}
        profile = tmp_path / "both.json"
        profile.write_text(json.dumps(tiny_profile(tmp_path / "base", changes)))
        self._publish(str(profile), add_target_prefix(REPORT, "flow"))
        monkeypatch.chdir(tmp_path)
        done = runner.invoke(app, ["report", "--target", name, "-p", str(profile)])
        assert done.exit_code == 0, done.output
        assert (tmp_path / f"report-flow-{WEEK}.html").read_text() == "<p>"

    def test_a_name_that_is_no_target_is_refused_as_such(self, profile: str) -> None:
        assert _message(["report", "--target", "flw", "-p", profile]).startswith("[cli.unknown-target] 'flw' ")

    def test_an_unknown_target_is_refused_with_the_name_that_was_used(self, profile: str) -> None:
        text = _message(["report", "--target", "traffic_volume", "-p", profile])
        assert text.startswith("[cli.target-not-trained] This deployment does not train 'traffic_volume'.")
        assert "one of speed" in text

    def test_a_damaged_pointer(self, profile: str, reports: Dataset) -> None:
        pointer = f"{reports.root}/_pointers/{WEEK}.json"
        reports.filesystem.write_bytes(pointer, b"{")
        text = _message(["report", "-p", profile])
        assert f"The pointer of {REPORT} {WEEK} is damaged ({pointer}: " in text

    @pytest.mark.parametrize("damaged", ["page", "generation"])
    def test_a_damaged_report(self, profile: str, reports: Dataset, damaged: str) -> None:
        current = reports.current(WEEK)
        assert current is not None
        uri = page_uri(current.uri) if damaged == "page" else current.uri
        reports.filesystem.delete(uri)
        done = runner.invoke(app, ["report", "-p", profile], env={"COLUMNS": "400"})
        text = " ".join(done.output.split())
        code = {"page": "storage.damaged-generation", "generation": "storage.missing-generation"}[damaged]
        assert done.exit_code == 2
        assert text.startswith(f"[{code}] ")
        assert uri in text
        assert f"Fix: materialize {REPORT} {WEEK} again." in text

    def test_the_list_of_no_models_names_the_folder(self, profile: str, tmp_path: Path) -> None:
        done = runner.invoke(app, ["models", "list", "-p", profile])
        assert done.exit_code == 0
        assert f"[cli.no-models] No model is registered below file://{tmp_path}/base/models" in done.output


def test_settings_are_checked_and_shown(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps({"extends": "local", "training": {"folds": 3}}))
    bad.write_text(json.dumps({"training": {"folds": 1, "sede": 4}}))
    shown = runner.invoke(app, ["settings", str(good)])
    assert shown.exit_code == 0
    assert '"folds": 3' in shown.output
    refused = runner.invoke(app, ["settings", str(bad)])
    assert refused.exit_code == 2
    assert "problems: 2" in refused.output
    assert "for example to seed." in " ".join(refused.output.split())
    bad.write_text(json.dumps({"training": {"features": ["speed_lag_99"]}}))
    refused = runner.invoke(app, ["settings", str(bad)])
    assert refused.exit_code == 2
    assert "training.features contains unknown features (speed_lag_99" in " ".join(refused.output.split())


def test_the_schema_of_a_settings_file_is_printed() -> None:
    printed = runner.invoke(app, ["settings", "--schema"])
    assert printed.exit_code == 0, printed.output
    schema = json.loads(printed.output)
    assert set(schema["properties"]) == {*Settings.model_fields, "extends"} - {"profile"}
    folds = schema["$defs"]["TrainingSettings"]["properties"]["folds"]
    assert (folds["minimum"], folds["maximum"], folds["default"]) == (2, 50, 5)


def test_the_schema_knows_the_sections_of_plugins(install: Install) -> None:
    install("acme-forest", ALGORITHM, {ALGORITHM_GROUP: {"acme": "ACME"}})
    schema = json.loads(runner.invoke(app, ["settings", "--schema"]).output)
    assert "acme" in schema["$defs"]["ModelsSettings"]["properties"]


def test_a_failed_gate_ends_with_1_and_the_leaderboard_is_still_shown(refused: Refused) -> None:
    done = refused.command
    assert done.exit_code == 1, done.output
    assert "missed" in done.output
    assert "later RMSE" in done.output
    assert "[cli.job-failed] The train job failed" in done.output
    assert "[checks.missed-thresholds] linear_regression_evaluation: gate meets_targets: " in done.output


def test_each_target_has_its_own_leaderboard_that_fits_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Show models in another order for each target, with all digits and names in 80 columns."""
    changes = {"training": {"targets": ["speed", "flow"]}, "persistence": {"base_uri": str(tmp_path)}}
    settings = load_settings("local", changes, environ={})
    orders = {"speed": ["gradient_boosted_trees", "svr"], "flow": ["svr", "gradient_boosted_trees"]}
    hdfs = build_resources(settings)["hdfs"]
    for target, order in orders.items():
        board = [_standing(name, 11.078 + 101 * place) for place, name in enumerate(order)]
        dataset = hdfs.dataset(add_target_prefix(COMPARISON, target))
        staged = dataset.stage("mine")
        hdfs.filesystem.write_new(f"{staged}/{DOCUMENT}", json.dumps({"leaderboard": board}).encode())
        dataset.publish(WEEK, staged, "mine", {})
    monkeypatch.setattr("traffic_assets.cli.leaderboard.out", Console(width=80))
    show_leaderboard(settings, WEEK, "mine")
    output = capsys.readouterr().out
    for shown, (target, order) in zip(output.split("Week")[1:], orders.items(), strict=True):
        assert target in shown
        lines = [line.split() for line in shown.splitlines()]
        shown_rows = [(line[0], line[2]) for line in lines if line and line[0] in order]
        assert shown_rows == list(zip(order, ["11.078", "112.078"], strict=True))
        assert shown.count("none set") == 2
    assert "0.99747" in output
    assert "…" not in output


def test_an_undefined_metric_is_a_dash_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = _standing("svr", 1.0)
    flat = Metrics.model_validate(stored["test"]).model_copy(update={"r2": math.nan})
    entry = LeaderboardEntry.model_validate(stored | {"test": dump_document(flat)})
    monkeypatch.setattr("traffic_assets.cli.leaderboard.out", Console(width=100))
    print_leaderboard([entry], WEEK, "speed")
    output = capsys.readouterr().out
    assert "nan" not in output
    assert "R² is undefined: the observed values do not vary" in output


def test_a_version_with_an_undefined_metric_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps(tiny_profile(tmp_path / "base")))
    filesystem, lane = LocalFileSystem(), "random_forest"
    scores = SCORES | {"r2": None}
    version = made_up(filesystem, f"file://{tmp_path}/made", lane, "flat", metrics={"train": scores, "test": scores})
    ModelRegistry(f"file://{tmp_path}/base/models", filesystem).register(version)
    listed = runner.invoke(app, ["models", "list", "-p", str(path)])
    assert listed.exit_code == 0, listed.output
    assert "–" in listed.output


@pytest.mark.parametrize("command", ["sample", "demo"])
def test_simulated_readings_are_never_written_among_real_ones(tmp_path: Path, command: str) -> None:
    real = tmp_path / "data" / "raw" / "readings" / "mine.csv"
    real.parent.mkdir(parents=True)
    real.write_text("sensor_id,timestamp,speed\n")
    configured, default = tmp_path / "configured.json", tmp_path / "default.json"
    configured.write_text(json.dumps(tiny_profile(tmp_path / "data", {"data": {"source": str(real.parent)}})))
    default.write_text(json.dumps(tiny_profile(tmp_path / "data")))
    for profile, text in (
        (configured, "[cli.sample-among-readings]"),
        (default, "mine.csv is not a simulated file"),
    ):
        done = runner.invoke(app, [command, "-p", str(profile)])
        assert done.exit_code == 2, done.output
        assert "".join(text.split()) in "".join(done.output.split()), "regardless of the terminal's line breaks"
    assert [path.name for path in real.parent.iterdir()] == ["mine.csv"]


def test_a_sample_is_written_to_the_requested_folder(tmp_path: Path) -> None:
    done = runner.invoke(app, ["sample", "--to", str(tmp_path / "raw"), "--days", "2", "--sensors", "3"])
    assert done.exit_code == 0, done.output
    assert "simulated readings of 3 sensors on 2 days" in " ".join(done.output.split())
    assert sorted(p.name for p in (tmp_path / "raw").iterdir()) == ["date=2026-01-05", "date=2026-01-06"]


def test_a_broken_plugin_is_listed_with_its_cause_and_ends_with_1(install: Install) -> None:
    install("acme-models", ALGORITHM, {ALGORITHM_GROUP: {"acme": "ACME"}})
    install("bad-things", "raise ImportError('no engine')", {METRIC_GROUP: {"m": "M"}, STORAGE_GROUP: {"bad": "S"}})
    done = runner.invoke(app, ["plugins"], env={"COLUMNS": "200"})
    assert done.exit_code == 1
    lines = [line.split() for line in done.output.splitlines()]
    assert ["algorithm", "acme", "acme-models", "2.1", "acme_models:ACME", "usable"] in lines
    assert ["metric", "m", "bad-things", "2.1", "bad_things:M", "broken"] in lines
    assert ["storage", "bad", "bad-things", "2.1", "bad_things:S", "broken"] in lines
    assert done.output.count("ImportError: no engine") == 2
    assert "[plugins.import-failed] m of bad-things 2.1 (entry point m = bad_things:M in " in done.output
    assert "[storage.backend-not-imported] " in done.output
