"""A week's run: its results, and failures that affect only their lane."""

import inspect
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import dagster as dg
import pyarrow.parquet as pq
import pytest
from pyspark.ml.feature import StandardScalerModel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from traffic_assets.assets import lane_evaluation, lane_training
from traffic_assets.assets.lanes import Lane
from traffic_assets.assets.launchpad import config_class
from traffic_assets.assets.registry import get_registry
from traffic_assets.build import build_defs
from traffic_assets.dagster_hdfs.errors import StorageError
from traffic_assets.dagster_hdfs.message import CODE
from traffic_assets.dagster_hdfs.publish import Generation
from traffic_assets.dagster_hdfs.values import AssetInput
from traffic_assets.ml.algorithm import Algorithm, algorithm_named
from traffic_assets.ml.fitting.early_stopping import STOP
from traffic_assets.ml.metrics.metrics import evaluate
from traffic_assets.ml.splits.hashing import calibration_half
from traffic_assets_tests.deployment import Deployment, copied
from traffic_assets_tests.refused import Refused
from traffic_assets_tests.runs import (
    failure_codes,
    failures,
    get_failure_values,
    get_metadata,
    list_missed_thresholds,
    materialized,
    run_features,
    run_train,
)
from traffic_assets_tests.tiny import DAYS, IMPOSSIBLE, LANES, WEEK, only_lanes, tiny_settings, write_tiny_readings


def test_a_week_is_trained_evaluated_compared_and_registered(trained: Deployment) -> None:
    assert trained.train is not None
    assert failures(trained.train) == {}
    assert trained.train.success
    made = materialized(trained.train)
    for name in LANES:
        lane = Lane(name)
        assert {lane.cv_report, lane.model, lane.temporal_verdict, lane.diagnostics} <= made
        assert {lane.evaluation, lane.registry_entry} <= made
        assert get_registry(trained.hdfs).versions(name) == ["v1.0.0"]
    assert {"train_split", "validation_split", "test_split", "fitted_preprocessor", "model_comparison"} <= made
    assert "training_report" in made


def test_every_materialization_has_its_cost(trained: Deployment) -> None:
    assert trained.train is not None
    without_rows = ("_evaluation", "model_comparison", "training_report", "registry_entry")  # these read only documents
    events = [e for run in (trained.features, trained.train) for e in run.all_events if e.is_step_materialization]
    made = {
        e.asset_key.to_user_string(): e.step_materialization_data.materialization.metadata
        for e in events
        if e.asset_key
    }
    assert len(made) == 3 + 4 + 6 * len(LANES) + 2
    for key, metadata in made.items():
        shown: dict[str, Any] = {
            name.removeprefix("cost_"): value.value for name, value in metadata.items() if name.startswith("cost_")
        }
        assert {"wall_seconds", "cpu_seconds", "shuffle_bytes", "spill_bytes"} <= shown.keys(), key
        assert sys.platform != "linux" or shown["peak_memory_mb"] > 0, key
        assert shown["wall_seconds"] > 0, key
        assert ("rows_per_second" in shown) is not key.endswith(without_rows), key


def test_nothing_is_pickled_and_no_temporary_file_is_left(trained: Deployment) -> None:
    """Search the data, and the instance's storage, where Dagster's default IO manager writes pickles."""
    folders = [trained.base, Path(trained.instance.storage_directory())]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix in (".pkl", ".pickle") or path.name.endswith(".aside")]
    for path in files:
        assert not path.read_bytes().startswith(b"\x80\x04"), f"{path} is a pickle"
    assert not [path for path in trained.base.rglob("_staging/*") if path.exists()]


def test_a_failed_gate_stops_only_its_lane(refused: Refused) -> None:
    result = refused.train
    assert not result.success
    made = materialized(result)
    assert "linear_regression_registry_entry" not in made
    assert {"gradient_boosted_trees_registry_entry", "model_comparison"} <= made
    gate = next(c for c in result.get_asset_check_evaluations() if c.blocking and not c.passed and _is_for_speed(c))
    assert gate.asset_key == dg.AssetKey("linear_regression_evaluation")
    assert gate.partition == WEEK
    assert gate.metadata[CODE].value == "checks.missed-thresholds"
    assert list_missed_thresholds(gate.metadata) == ["R² on test"]
    board = refused.deployment.document("model_comparison")["leaderboard"]
    assert [row["model"] for row in board if row["targets_missed"]] == ["linear_regression"]


def _is_for_speed(check: dg.AssetCheckEvaluation) -> bool:
    return len(check.asset_key.path) == 1


OFF_BY_DEFAULT = ("xgboost", "svr", "ensemble")
OFF_CHANGES = {
    "models": {
        **{name: {"enabled": False} for name in LANES},
        "xgboost": {"enabled": True, "hyperparameters": {"n_estimators": 8, "max_depth": 2}},
        "svr": {"enabled": True, "hyperparameters": {"max_rows": 100, "kernel": "linear"}},
        "ensemble": {"enabled": True, "hyperparameters": {"members": {"random_forest": {}, "svr": {}}, "folds": 2}},
    },
}


@dataclass(frozen=True)
class TwoRuns:
    """A run in which the ensemble raises, the run that completes it, and XGBoost's row counts.

    Attributes:
        fitted: Number of fitted and of early-stopping rows of each XGBoost fit.
    """

    deployment: Deployment
    first: dg.ExecuteInProcessResult
    again: dg.ExecuteInProcessResult
    fitted: list[tuple[int, int]]


@pytest.fixture(scope="module")
def off_by_default(with_features: Deployment, tmp_path_factory: pytest.TempPathFactory) -> TwoRuns:
    """The lanes that are off by default; lanes complete the members that the Launchpad sets."""
    made = copied(with_features, tmp_path_factory.mktemp("off"), with_features.instance, OFF_CHANGES)
    defs = build_defs(made.settings)
    ensemble = {"members": {"linear_regression": {"regParam": 0.5}, "svr": {}}, "folds": 2}
    config = {"ops": {"ensemble_cv_report": {"config": ensemble}}}
    fit, fitted, raising = Algorithm.fit, list[tuple[int, int]](), True

    def watched(self: Algorithm, vectors: DataFrame, *args: Any) -> Any:
        if self.name == "ensemble" and raising:
            raise RuntimeError("planted failure")
        if self.name == "xgboost":
            fitted.append((vectors.where(~F.col(STOP)).count(), vectors.where(STOP).count()))
        return fit(self, vectors, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Algorithm, "fit", watched)
        first = run_train(defs, made.instance, WEEK, config=config)
    missing = _missing(defs, materialized(first))
    again = run_train(defs, made.instance, WEEK, only=missing, config=config)
    return TwoRuns(made, first, again, fitted)


def _missing(defs: dg.Definitions, made: set[str]) -> list[str]:
    """Return the selection of a rerun from failure: the failed step and the steps that were skipped after it."""
    every = {k.to_user_string() for k in defs.resolve_job_def("train").asset_layer.executable_asset_keys}
    return sorted(every - made)


def test_a_lane_that_raises_stops_no_other_lane_and_a_rerun_completes_it(off_by_default: TwoRuns) -> None:
    first, again = off_by_default.first, off_by_default.again
    assert not first.success
    assert "planted failure" in failures(first)["ensemble_cv_report"]
    made = materialized(first)
    assert {"xgboost_registry_entry", "svr_registry_entry"} <= made
    assert "model_comparison" not in made
    assert again.success
    assert made | materialized(again) >= {Lane(n).registry_entry for n in OFF_BY_DEFAULT} | {"model_comparison"}


def test_lanes_that_are_off_by_default_run_from_the_data_to_a_registered_version(off_by_default: TwoRuns) -> None:
    """Check XGBoost, support vector regression, and an ensemble whose members are completed from lanes."""
    deployment, settings = off_by_default.deployment, off_by_default.deployment.settings
    first, again = off_by_default.first, off_by_default.again
    assert failures(again) == {}
    assert {Lane(name).registry_entry for name in OFF_BY_DEFAULT} <= materialized(first) | materialized(again)

    effective = get_metadata(again, Lane("ensemble").cv_report)["effective"]
    assert effective["members"]["svr"]["max_rows"] == 100, "as in its lane"
    assert effective["members"]["linear_regression"] == {
        **settings.models.linear_regression.hyperparameters.model_dump(),
        "regParam": 0.5,
    }
    shown = get_metadata(first, Lane("svr").model)
    assert (shown["sample_rows"], shown["kernel"]) == (100, "linear")
    assert shown["train_rows"] > 100
    assert get_metadata(first, Lane("xgboost").model)["trees"] == 8

    registry, train = get_registry(deployment.hdfs), deployment.hdfs.dataset("train_split").current(WEEK)
    assert train is not None
    rows, validation = (
        SparkSession.active().read.parquet(f"{train.uri}/split={name}") for name in ("train", "validation")
    )
    stopping = validation.where(~calibration_half(settings.training.seed)).count()
    assert (rows.count(), stopping) in off_by_default.fitted, (
        "the final fit uses all train rows, and stops early on validation rows that calibrate nothing"
    )
    for name in OFF_BY_DEFAULT:
        loaded = registry.load(name)
        assert f"{type(loaded.model).__module__}.{type(loaded.model).__name__}" == loaded.metadata.model_class
        stored = deployment.document(Lane(name).evaluation)
        assert evaluate(loaded.pipeline.transform(rows)).rmse == pytest.approx(stored["train"]["rmse"])
        assert loaded.metadata.facts == algorithm_named(name).describe(loaded.model)
        assert len(loaded.metadata.importances["slots"]) == len(loaded.metadata.slots)
        scaled = any(isinstance(stage, StandardScalerModel) for stage in loaded.pipeline.stages)
        assert scaled is not algorithm_named(name).scale_invariant
    assert loaded.metadata.facts["method"] == "stacking"


def test_the_gate_of_an_ensemble_is_enforced(off_by_default: TwoRuns) -> None:
    deployment, lane = off_by_default.deployment, Lane("ensemble")
    evaluation = {"thresholds": dict.fromkeys(OFF_BY_DEFAULT, IMPOSSIBLE)}
    strict = build_defs(tiny_settings(deployment.base, {**OFF_CHANGES, "evaluation": evaluation}))
    again = run_train(strict, deployment.instance, WEEK, only=[lane.evaluation, lane.registry_entry])
    assert not again.success
    assert materialized(again) == {lane.evaluation}


def test_assets_of_different_splits_are_not_mixed(retrainable: Deployment) -> None:
    defs, instance = build_defs(retrainable.settings), retrainable.instance
    assert run_features(defs, instance, DAYS[-1:]).success  # the day gets another generation
    assert run_train(defs, instance, WEEK, only=["train_split", "validation_split", "test_split"]).success
    result = run_train(defs, instance, WEEK, only=["linear_regression_cv_report"])
    assert failure_codes(result) == {"linear_regression_cv_report": "assets.different-splits"}


@pytest.mark.parametrize("what", ["cv_report", "model", "temporal_verdict", "diagnostics", "evaluation"])
def test_each_step_of_a_lane_is_retried_if_storage_does_not_answer(what: str, tmp_path: Path) -> None:
    """Check errors in the asset's own function, which reads its inputs lazily."""
    settings = tiny_settings(tmp_path)
    lane = Lane("linear_regression")
    key = dg.AssetKey(getattr(lane, what))
    steps = [*lane_training.build_lane(lane, settings), *lane_evaluation.build_lane(lane, settings)]
    (asset,) = [a for a in steps if key in a.keys]
    compute = cast(Any, asset.op.compute_fn).decorated_fn

    def silent() -> Any:
        raise StorageError("the NameNode does not answer", "unreachable", retryable=True)

    record = {"split_id": "one", "slots": [], "features": {}}
    generation = Generation("id", WEEK, "file:///nowhere", datetime(2026, 1, 12, tzinfo=UTC), "run", record)
    known: dict[str, Any] = {
        "context": dg.build_asset_context(partition_key=WEEK),
        "config": config_class(algorithm_named(lane.model_name), settings.enabled_models[lane.model_name])(),
    }
    arguments = {n: known.get(n, AssetInput(silent, {WEEK: generation})) for n in inspect.signature(compute).parameters}
    with pytest.raises(dg.RetryRequested):
        compute(**arguments)


def test_another_target_has_lanes_of_its_own_under_its_name(refused: Refused) -> None:
    result, deployment = refused.train, refused.deployment
    assert not result.success, "for each target, one lane has a gate that no model can pass"
    made = materialized(result)
    for lane in (Lane("gradient_boosted_trees"), Lane("linear_regression", "flow")):
        assert {lane.preprocessor, lane.evaluation, lane.registry_entry} <= made
    assert Lane("linear_regression", "flow").registry_entry == "flow/linear_regression_registry_entry"
    assert "flow/gradient_boosted_trees_registry_entry" not in made

    registry = get_registry(deployment.hdfs)
    registered = registry.metadata("flow/linear_regression")
    assert registered.target == "flow"
    assert "flow_rate" not in registered.features["numeric"], "it is computed from the flow"
    assert registry.metadata("gradient_boosted_trees").target == "speed"
    loaded: Any = registry.load("flow/linear_regression").model
    assert loaded.getLabelCol() == "flow"

    boards = {key: deployment.document(key)["leaderboard"] for key in ("model_comparison", "flow/model_comparison")}
    for board in boards.values():
        assert {row["model"] for row in board} == {"linear_regression", "gradient_boosted_trees"}
    speed, flow = ({row["model"]: row["test"] for row in board} for board in boards.values())
    assert speed["linear_regression"]["rows"] == flow["linear_regression"]["rows"]
    assert speed["linear_regression"]["rmse"] != flow["linear_regression"]["rmse"]
    gate = next(c for c in result.get_asset_check_evaluations() if c.blocking and not c.passed and not _is_for_speed(c))
    assert gate.asset_key == dg.AssetKey(["flow", "gradient_boosted_trees_evaluation"])
    reported = deployment.document("flow/training_report")
    assert reported["best"] == f"flow/{boards['flow/model_comparison'][0]['model']}"
    assert "veh/interval" in reported["headline"]


def test_a_target_that_no_detector_reports_fails_its_own_lanes_only(tmp_path: Path, spark: SparkSession) -> None:
    changes = {**only_lanes("linear_regression"), "training": {"targets": ["speed", "flow"]}}
    with dg.DagsterInstance.ephemeral() as instance:
        settings = tiny_settings(tmp_path, changes)
        readings = write_tiny_readings(tmp_path)
        for file in readings.rglob("*.parquet"):
            pq.write_table(pq.read_table(file).drop_columns(["flow"]), file)
        assert run_features(build_defs(settings), instance, DAYS).success
        result = run_train(build_defs(settings), instance, WEEK)
    assert failure_codes(result)["flow__fitted_preprocessor"] == "preprocessing.no-target"
    assert get_failure_values(result)["flow__fitted_preprocessor"] == {"target": "flow"}
    assert {"linear_regression_registry_entry", "model_comparison", "training_report"} <= materialized(result)
