"""The splits and the preprocessor of a week, and the refusal of a week with too few days."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pyspark.ml import PipelineModel
from pyspark.sql import SparkSession

from traffic_assets.assets.training import (
    FEATURES_ID,
    SPLIT_ASSETS,
    SPLIT_FIGURE,
    incomplete_days,
    newest_id,
    require_days,
    split_id,
)
from traffic_assets.build import build_defs
from traffic_assets.catalogue.readings import KEYS
from traffic_assets.catalogue.sensors import LAYOUT_FINGERPRINT
from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.dagster_hdfs.publish import Dataset, Generation
from traffic_assets.dagster_hdfs.uris import Internal, local_path
from traffic_assets.ml.algorithm import built_in_algorithms
from traffic_assets.ml.preprocessing.pipeline import is_scaled
from traffic_assets.ml.splits.shares import SPLITS
from traffic_assets.partitions import training_window
from traffic_assets.sensors import FEATURES, ROW_COUNT, stale_weeks
from traffic_assets.settings import Settings
from traffic_assets_tests.codes import get_code, get_values
from traffic_assets_tests.deployment import Deployment, copied
from traffic_assets_tests.runs import (
    failure_codes,
    failures,
    get_failure_values,
    get_metadata,
    materialized,
    run_features,
    run_train,
)
from traffic_assets_tests.tiny import DAYS, WEEK, tiny_settings


def generation(day: str, rows: int = 10, name: str = "g", published: int = 5, **record: Any) -> Generation:
    at = datetime(2026, 1, published, tzinfo=UTC)
    return Generation(f"{name}-{day}", day, f"file:///x/{day}", at, "run", {"rows": rows, **record})


def test_the_splits_hold_every_row_once_in_one_generation(spark: SparkSession, trained: Deployment) -> None:
    hdfs = trained.hdfs
    generations = {name: hdfs.dataset(name).current(WEEK) for name in SPLIT_ASSETS.values()}
    current = generations["train_split"]
    assert current is not None
    assert all(g == current for g in generations.values()), "the three splits have one pointer"
    rows = spark.read.parquet(current.uri)
    days = hdfs.dataset("feature_table").current_generations(DAYS)
    assert rows.count() == sum(g.record["rows"] for g in days.values()) == current.record["rows"]
    assert rows.select(*KEYS).distinct().count() == rows.count()
    counted = {row["split"]: row["count"] for row in rows.groupBy("split").count().collect()}
    assert counted == current.record["counts"]
    assert set(counted) == set(SPLITS)
    assert current.record["days"] == {day: g.id for day, g in days.items()}


def test_the_splits_record_the_range_of_the_timestamps_of_their_days(trained: Deployment) -> None:
    hdfs = trained.hdfs
    days = [
        generation.record["timestamp_range"]
        for generation in hdfs.dataset("feature_table").current_generations().values()
    ]
    current = hdfs.dataset("train_split").current(WEEK)
    assert current is not None
    assert current.record["timestamp_range"] == [days[0][0], days[-1][1]]
    readings = hdfs.dataset("sensor_readings").current_generations().values()
    assert [generation.record["timestamp_range"] for generation in readings] == days


class TestDamagedDays:
    """A day of features that was damaged by hand, below a base folder with unusual characters in its name."""

    @pytest.fixture
    def week(self, with_features: Deployment, tmp_path: Path) -> Iterator[Deployment]:
        with dg.DagsterInstance.ephemeral() as instance:
            yield copied(with_features, tmp_path / "a ß 100%20 base", instance)

    def _train(self, week: Deployment) -> dg.ExecuteInProcessResult:
        return run_train(build_defs(week.settings), week.instance, WEEK, only=list(SPLIT_ASSETS.values()))

    def _day(self, week: Deployment) -> Generation:
        current = week.hdfs.dataset("feature_table").current(DAYS[1])
        assert current is not None
        return current

    @pytest.mark.parametrize("damage", ["missing", "emptied", "shortened"])
    @pytest.mark.parametrize("earlier", [False, True], ids=["recorded", "of earlier code"])
    def test_a_damaged_file_fails_the_splits(
        self, spark: SparkSession, week: Deployment, damage: str, earlier: bool
    ) -> None:
        day = self._day(week)
        (name,) = [path for path in day.record["files"] if not path.startswith("_")]
        file = local_path(f"{day.uri}/{name}")
        size, whole = file.stat().st_size, week.hdfs.filesystem.size(day.uri)
        if earlier:
            pointer = week.base / "processed" / "ml-features" / "_pointers" / f"{DAYS[1]}.json"
            content = json.loads(pointer.read_text())
            del content["record"]["files"], content["record"]["timestamp_range"]
            pointer.write_text(json.dumps(content))
        if damage == "missing":
            file.unlink()
        else:
            file.write_bytes(file.read_bytes()[: 0 if damage == "emptied" else -100])
        result = self._train(week)
        assert failure_codes(result) == {"splits": "storage.damaged-generation"}
        stored = {"missing": 0, "emptied": 0, "shortened": size - 100}[damage]
        difference = "missing" if damage == "missing" else f"{stored} bytes"
        expected = {f"{day.uri}/{name}": f"{difference}, {size} {'bytes ' if damage == 'missing' else ''}recorded"}
        if earlier:
            expected = {day.uri: f"{whole - size + stored} bytes, {whole} recorded"}
        assert get_failure_values(result)["splits"] == {
            "subject": f"feature_table {DAYS[1]}",
            "files": expected,
            "remedy": f"traffic-assets features {DAYS[1]} {DAYS[1]}",
        }
        assert week.hdfs.dataset("train_split").partitions() == []

    def test_a_deleted_generation_fails_the_splits(self, spark: SparkSession, week: Deployment) -> None:
        day = self._day(week)
        local_path(day.uri).rename(local_path(f"{day.uri}-moved"))
        result = self._train(week)
        assert failures(result) == {
            "splits": f"[storage.missing-generation] The generation of feature_table {DAYS[1]} is missing ({day.uri}). "
            f"Fix: traffic-assets features {DAYS[1]} {DAYS[1]}."
        }

    def test_a_pointer_that_was_cut_off_fails_the_splits(self, spark: SparkSession, week: Deployment) -> None:
        pointer = week.base / "processed" / "ml-features" / "_pointers" / f"{DAYS[1]}.json"
        pointer.write_bytes(pointer.read_bytes()[:50])
        result = self._train(week)
        assert failure_codes(result) == {"splits": "storage.damaged-pointer"}
        assert failures(result)["splits"].startswith(
            f"[storage.damaged-pointer] The pointer of feature_table {DAYS[1]} is damaged (file://{pointer}: "
        )
        assert failures(result)["splits"].endswith(f"Fix: traffic-assets features {DAYS[1]} {DAYS[1]}.")

    def test_the_remedy_helps(self, spark: SparkSession, week: Deployment) -> None:
        for path in local_path(self._day(week).uri).glob("*.parquet"):
            path.write_bytes(b"")
        assert not self._train(week).success
        assert run_features(build_defs(week.settings), week.instance, DAYS[1:2]).success
        result = self._train(week)
        assert result.success, failures(result)


def test_whole_sensors_are_split_if_configured(spark: SparkSession, with_features: Deployment) -> None:
    settings = tiny_settings(with_features.base, {"training": {"split": {"kind": "sensor"}}})
    result = run_train(build_defs(settings), with_features.instance, WEEK, only=list(SPLIT_ASSETS.values()))
    assert result.success, failures(result)
    current = with_features.hdfs.dataset("train_split").current(WEEK)
    assert current is not None
    assert current.record["sensors"] == dict.fromkeys(SPLITS, 1)
    rows = spark.read.parquet(current.uri).select("sensor_id", "split").distinct().collect()
    assert len({row["sensor_id"] for row in rows}) == len({row["split"] for row in rows}) == len(rows) == 3
    shown = get_metadata(result, "splits", "test_split")
    assert shown["sensors"] == 1
    assert "data:image/png;base64," in shown["picture"]
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    assert checks["split_ratios_hold"].passed
    assert "share of the sensors" in (checks["split_ratios_hold"].description or "")
    assert shown["picture_file"].endswith(f"{Internal.FILES}/{SPLIT_FIGURE}")
    assert current.uri in shown["picture_file"]
    assert checks["no_shared_key"].passed
    assert "No sensor is in two splits" in (checks["no_shared_key"].description or "")


def test_a_day_that_is_published_while_the_splits_are_made_is_new_to_the_sensor(
    with_features: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    knew = newest_id(with_features.instance, FEATURES)
    current_generations = Dataset.current_generations

    def late(self: Dataset, partitions: Iterable[str] | None = None) -> dict[str, Generation]:
        generations = current_generations(self, partitions)
        with_features.instance.report_runless_asset_event(
            dg.AssetMaterialization("feature_table", partition=DAYS[0], metadata={ROW_COUNT: 10})
        )
        return generations

    monkeypatch.setattr(Dataset, "current_generations", late)
    defs = build_defs(with_features.settings)
    result = run_train(defs, with_features.instance, WEEK, only=list(SPLIT_ASSETS.values()))
    assert result.success
    assert [event.metadata[FEATURES_ID].value for event in result.asset_materializations_for_node("splits")] == [
        knew
    ] * len(SPLITS)
    assert stale_weeks(with_features.instance, with_features.settings, "train") == {
        WEEK: newest_id(with_features.instance, FEATURES)
    }


def test_the_preprocessor_is_fitted_on_train_rows_only(trained: Deployment) -> None:
    splits = trained.hdfs.dataset("train_split").current(WEEK)
    fitted = trained.hdfs.dataset("fitted_preprocessor").current(WEEK)
    assert splits is not None
    assert fitted is not None
    assert fitted.record["split_id"] == splits.record["split_id"]
    assert fitted.record["vector"]["rows"] == splits.record["counts"]["train"]
    assert fitted.record["vector"]["nulls"] == {}
    assert len(fitted.record["slots"]) == len({slot["name"] for slot in fitted.record["slots"]})


def test_the_preprocessor_reports_how_values_were_treated(with_features: Deployment) -> None:
    preprocessing = {
        "create": ["flow_rate*occupancy_ratio", "occupancy_ratio*traffic_efficiency"],
        "missing": "drop",
        "outliers": "iqr",
        "outlier_action": "drop",
        "selection": "univariate",
        "top_k": 7,
    }
    settings = tiny_settings(with_features.base, {"training": {"preprocessing": preprocessing}})
    only = [*SPLIT_ASSETS.values(), "fitted_preprocessor"]
    result = run_train(build_defs(settings), with_features.instance, WEEK, only=only)
    assert result.success, failures(result)
    shown = get_metadata(result, "fitted_preprocessor")
    assert shown["answer_features"] == ["traffic_efficiency", "occupancy_ratio*traffic_efficiency", "congestion_level"]
    assert shown["slots"] == 7
    assert shown["dropped_nulls"]["speed_lag_3"] > 0
    assert "speed_lag_3" not in shown["imputed_nulls"]
    assert shown["dropped_outliers"]
    assert "clipped_outliers" not in shown
    fitted = with_features.hdfs.dataset("fitted_preprocessor").current(WEEK)
    assert fitted is not None
    train = fitted.record["features"]["rows"]
    assert 0 < shown["dropped_rows"] == train - fitted.record["vector"]["rows"] < train
    assert fitted.record["dropped_slots"] == shown["dropped_slots"]
    assert len({slot["name"] for slot in fitted.record["slots"]}) == 7
    passed = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    assert passed["no_null_in_vector"]
    assert passed["standardised"]


def test_nothing_is_scaled_if_every_model_ignores_scale(with_features: Deployment) -> None:
    """Check that a lane that needs a scaler and is enabled later is refused until the week is retrained."""
    alone = {name: {"enabled": name == "xgboost"} for name in built_in_algorithms()}
    settings = tiny_settings(with_features.base, {"models": alone})
    shared = [*SPLIT_ASSETS.values(), "fitted_preprocessor"]
    result = run_train(build_defs(settings), with_features.instance, WEEK, only=shared)
    assert result.success, failures(result)
    fitted = with_features.hdfs.dataset("fitted_preprocessor").current(WEEK)
    assert fitted is not None
    assert not fitted.record["scaled"]
    assert not is_scaled(PipelineModel.load(fitted.uri))
    assert all(check.passed for check in result.get_asset_check_evaluations())

    both = tiny_settings(with_features.base, {"models": alone | {"linear_regression": {"enabled": True}}})
    lanes = [f"{name}_{what}" for name in ("xgboost", "linear_regression") for what in ("cv_report", "model")]
    again = run_train(build_defs(both), with_features.instance, WEEK, only=lanes)
    assert failure_codes(again) == {"linear_regression_cv_report": "assets.no-scaler"}
    assert materialized(again) == {"xgboost_cv_report", "xgboost_model"}, "the lane is refused before its search begins"


def test_a_feature_that_cannot_be_created_is_refused_while_loading(tmp_path: Path) -> None:
    preprocessing = {"preprocessing": {"create": ["flow_rate/traffic_efficiency"]}}
    assert build_defs(tiny_settings(tmp_path, {"training": preprocessing}))
    without = {"training": {**preprocessing, "exclude_features": ["traffic_efficiency"]}}
    with pytest.raises(ValueError) as caught:
        build_defs(tiny_settings(tmp_path, without))
    assert get_code(caught.value) == "preprocessing.unusable-formulas"
    assert get_values(caught.value)["reasons"] == [
        "flow_rate/traffic_efficiency: traffic_efficiency is in training.exclude_features"
    ]


@pytest.mark.parametrize(
    ("training", "code", "values"),
    [
        (
            {"targets": ["speed", "flow"], "features": ["flow_rate"]},
            "features.all-leaky-or-excluded",
            {"target": "flow"},
        ),
        (
            {"features": ["hour_sin"], "preprocessing": {"create": ["flow_rate*hour_sin"]}},
            "preprocessing.unusable-formulas",
            {"reasons": ["flow_rate*hour_sin: flow_rate is not in training.features"]},
        ),
    ],
)
def test_features_that_cannot_be_trained_on_are_refused_while_loading(
    tmp_path: Path, training: dict[str, Any], code: str, values: dict[str, Any]
) -> None:
    with pytest.raises(ValueError) as caught:
        build_defs(tiny_settings(tmp_path, {"training": training}))
    assert get_code(caught.value) == code
    assert get_values(caught.value).items() >= values.items()


def test_a_formula_from_the_target_is_reported_while_loading(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    create = {"preprocessing": {"create": ["flow_rate*hour_sin", "speed_lag_1^2"]}}
    assert build_defs(tiny_settings(tmp_path, {"training": create}))
    assert not [record.msg for record in caplog.records if isinstance(record.msg, CodedText)]
    assert build_defs(tiny_settings(tmp_path, {"training": {**create, "targets": ["speed", "flow"]}}))
    (text,) = [record.msg for record in caplog.records if isinstance(record.msg, CodedText)]
    assert text.code == "assets.formula-from-target"
    assert text.values == {"formula": "flow_rate*hour_sin", "target": "flow", "sources": ["flow_rate"]}


def test_the_id_of_a_split_depends_on_days_and_settings(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    days = {day: generation(day) for day in DAYS}
    same = split_id(settings, dict(reversed(days.items())))
    assert split_id(settings, days) == same
    late = days | {DAYS[0]: generation(DAYS[0], name="late")}
    changes: list[dict[str, Any]] = [{"training": {"seed": 7}}, {"training": {"split": {"train": 0.7, "test": 0.3}}}]
    others = [split_id(settings, late), *(split_id(tiny_settings(tmp_path, change), days) for change in changes)]
    assert len({same, *others}) == 4


def refusal(week: str, generations: dict[str, Generation], settings: Settings) -> dg.Failure:
    with pytest.raises(dg.Failure) as refused:
        require_days(week, generations, settings)
    assert not refused.value.allow_retries
    return refused.value


def test_missing_and_empty_days_are_listed(tmp_path: Path) -> None:
    generations = {DAYS[0]: generation(DAYS[0]), DAYS[1]: generation(DAYS[1], rows=0)}
    refused = refusal(WEEK, generations, tiny_settings(tmp_path))
    assert get_code(refused) == "assets.days-missing"
    values = get_values(refused)
    assert (values["week"], values["available"], values["required"]) == (WEEK, 1, 3)
    assert values["empty"] == [DAYS[1]]
    assert DAYS[2] in values["missing"]
    assert values["commands"] == [f"traffic-assets features {DAYS[1]} 2026-01-11"]


def test_incomplete_days_do_not_count_and_are_listed(tmp_path: Path) -> None:
    generations = {
        DAYS[0]: generation(DAYS[0], completeness=0.5),
        DAYS[1]: generation(DAYS[1], rows=1, completeness=1 / 288),
        DAYS[2]: generation(DAYS[2]),  # stored by an earlier version
    }
    settings = tiny_settings(tmp_path)
    values = get_values(refusal(WEEK, generations, settings))
    assert (values["available"], values["incomplete"], values["minimum"]) == (2, {DAYS[1]: "0.3472%"}, "50%")
    fewer = tiny_settings(tmp_path, {"training": {"minimum_days": 2}})
    assert list(require_days(WEEK, generations, fewer)) == [DAYS[0], DAYS[2]]
    warning = incomplete_days(generations, fewer)
    assert warning is not None
    assert (warning.code, warning.values["days"]) == ("assets.incomplete-days-left-out", {DAYS[1]: "0.3472%"})
    assert warning.values["commands"] == [f"traffic-assets features {DAYS[1]} {DAYS[1]}"]
    every = tiny_settings(tmp_path, {"data": {"minimum_completeness": 0}})
    assert list(require_days(WEEK, generations, every)) == DAYS
    assert incomplete_days(generations, every) is None


def test_days_before_the_first_day_have_their_own_message(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, {"training": {"window_weeks": 2, "minimum_days": None}})
    days = training_window(WEEK, settings)
    assert len(days) == 7
    refused = refusal(WEEK, {day: generation(day) for day in days}, settings)
    assert get_code(refused) == "assets.days-before-data"
    assert get_values(refused) == {
        "week": WEEK,
        "available": 7,
        "required": 14,
        "missing": [],
        "empty": [],
        "incomplete": {},
        "minimum": "50%",
        "first_day": "2026-01-05",
        "before": "2025-12-29 to 2026-01-04",
        "first_week": "2026-01-12",
    }
    incomplete = refusal(WEEK, {day: generation(day) for day in days[1:]}, settings)
    assert get_code(incomplete) == "assets.days-before-data"
    assert get_values(incomplete)["missing"] == ["2026-01-05"]


def test_days_before_the_first_day_are_not_listed_if_enough_days_can_follow(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, {"training": {"window_weeks": 2, "minimum_days": 7}})
    assert get_code(refusal(WEEK, {day: generation(day) for day in DAYS}, settings)) == "assets.days-missing"


def test_days_after_the_last_day_have_their_own_message(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, {"data": {"last_day": "2026-01-07"}, "training": {"minimum_days": 7}})
    refused = refusal(WEEK, {day: generation(day) for day in DAYS}, settings)
    assert get_code(refused) == "assets.days-after-data"
    assert get_values(refused)["last_day"] == "2026-01-07"
    assert get_values(refused)["after"] == "2026-01-08 to 2026-01-11"


def test_days_on_both_sides_of_the_data_are_listed_together(tmp_path: Path) -> None:
    changes = {"data": {"last_day": "2026-01-07"}, "training": {"window_weeks": 2, "minimum_days": None}}
    refused = refusal(WEEK, {day: generation(day) for day in DAYS}, tiny_settings(tmp_path, changes))
    assert get_code(refused) == "assets.days-beyond-data"
    assert get_values(refused)["before"] == "2025-12-29 to 2026-01-04"
    assert get_values(refused)["after"] == "2026-01-08 to 2026-01-11"


def test_the_splits_show_that_days_differ(with_features: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    defs = build_defs(with_features.settings)
    alike = run_train(defs, with_features.instance, WEEK, only=list(SPLIT_ASSETS.values()))
    assert get_metadata(alike, "splits", "train_split")["geometries"] == "the same on every day"
    current_generations = Dataset.current_generations

    def mixed(self: Dataset, partitions: Iterable[str] | None = None) -> dict[str, Generation]:
        generations = current_generations(self, partitions)
        return {day: replace(g, record={**g.record, LAYOUT_FINGERPRINT: day}) for day, g in generations.items()}

    monkeypatch.setattr(Dataset, "current_generations", mixed)
    result = run_train(defs, with_features.instance, WEEK, only=list(SPLIT_ASSETS.values()))
    assert result.success, failures(result)
    geometries = get_metadata(result, "splits", "train_split")["geometries"]
    assert [day for day in DAYS if f"{day}: {day}" not in geometries] == [], "each day has a sensor table of its own"


def test_an_empty_day_that_is_not_required_is_left_out(tmp_path: Path) -> None:
    generations = {day: generation(day) for day in DAYS} | {"2026-01-08": generation("2026-01-08", rows=0)}
    assert list(require_days(WEEK, generations, tiny_settings(tmp_path))) == DAYS
