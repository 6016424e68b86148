"""Presentation of results in the UI."""

import base64
import json
import math

import dagster as dg

from traffic_assets.assets.presentation import (
    EVENT_BYTES,
    ROWS_SHOWN,
    THUMBNAIL_BYTES,
    describe_cross_validation,
    describe_diagnostics,
    describe_leaderboard,
    dump_document,
    embed_picture,
    show_metrics,
)
from traffic_assets.ml.evaluation.diagnostics import Diagnostics
from traffic_assets.ml.evaluation.leaderboard import LeaderboardEntry
from traffic_assets.ml.evaluation.slices import Slice
from traffic_assets.ml.metrics.metrics import Metrics, Spread
from traffic_assets.ml.model_selection.trials import Search, Trial
from traffic_assets.settings.models import built_in_settings
from traffic_assets.settings.models.ensemble import EnsembleHyperparameters

METRICS = Metrics(rows=2, rmse=1.23456789, mae=1.0, mape=math.nan, r2=0.987654321)


def test_a_small_figure_is_shown_unchanged() -> None:
    shown = embed_picture(b"png")
    assert shown.value == f"![](data:image/png;base64,{base64.b64encode(b'png').decode()})"


def test_a_table_of_slices_is_short_enough_for_an_event_and_counts_the_rest() -> None:
    slices = [
        Slice(dimension="sensor", value=f"station {i}", rows=100, rmse=1.0 + i, mae=1.0, bias=0.1, p95=2.0)
        for i in range(5_000)
    ]
    shown = describe_diagnostics(Diagnostics(slices=slices, interval=None, confidence=None, notes=[]))
    assert len(shown["slices"].records) == ROWS_SHOWN
    assert shown["slices_not_shown"] == 5_000 - ROWS_SHOWN
    assert shown["worst_slices"].records[0].data["value"] == "station 4999"
    texts = [dg.serialize_value(shown[name]) for name in ("slices", "worst_slices")]
    assert sum(map(len, texts)) + THUMBNAIL_BYTES * 4 / 3 < EVENT_BYTES


def test_a_search_of_long_hyperparameters_fits_into_an_event_with_the_chosen_trial_first() -> None:
    members = ("linear_regression", "random_forest", "gradient_boosted_trees", "xgboost", "svr")
    hyperparameters = EnsembleHyperparameters(members={name: {} for name in members}).complete_from(
        {name: kind.model_fields["hyperparameters"].default for name, kind in built_in_settings().items()}
    )
    folds = [METRICS] * 5
    summary = {name: Spread(mean=1 / 3, std=1 / 7) for name in METRICS.by_name}
    trial = Trial(hyperparameters=hyperparameters.model_dump(), folds=folds, summary=summary)
    search = Search(primary_metric="rmse", trials=[trial] * 100, chosen=90, confirmed=trial)
    shown = describe_cross_validation(search)
    rows = [record.data for record in shown["trials"].records]
    assert [row["chosen"] for row in rows[:2]] == ["yes", ""]
    assert shown["trials_not_shown"] == 100 - len(rows) > 0
    texts = [dg.serialize_value(shown[name]) for name in ("folds", "trials")]
    assert sum(map(len, texts)) + THUMBNAIL_BYTES * 4 / 3 < EVENT_BYTES


def test_a_document_has_null_for_nan() -> None:
    assert dump_document(METRICS)["mape"] is None


def test_the_leaderboard_lists_missed_thresholds() -> None:
    board = [
        LeaderboardEntry(
            model="a", kind="baseline", test=METRICS, temporal=METRICS, targets_asked=2, targets_missed=[]
        ),
        LeaderboardEntry(
            model="b",
            kind="primary",
            test=METRICS,
            temporal=METRICS,
            targets_asked=2,
            targets_missed=["too slow", "too large"],
        ),
        LeaderboardEntry(
            model="c", kind="alternative", test=METRICS, temporal=METRICS, targets_asked=0, targets_missed=[]
        ),
    ]
    rows = [record.data for record in describe_leaderboard(board).records]
    assert [row["model"] for row in rows] == ["a", "b", "c"]
    assert [row["thresholds"] for row in rows] == ["met", "too slow; too large", "none set"]
    assert rows[0]["RMSE"] == 1.2346


def test_the_leaderboard_has_a_column_for_an_installed_metric(far: str) -> None:
    known = METRICS.model_copy(update={"extra": {far: 2.5}})
    board = [
        LeaderboardEntry(model="a", kind="baseline", test=known, temporal=METRICS, targets_asked=2, targets_missed=[])
    ]
    (row,) = [record.data for record in describe_leaderboard(board).records]
    assert row["Far, mph"] == 2.5
    assert row["later Far, mph"] == "–", "the metric was not installed when the holdout was evaluated"


def test_a_table_has_no_nan_and_a_reason_is_shown() -> None:
    undefined = METRICS.model_copy(update={"r2": math.nan})
    summary = {name: Spread(mean=math.nan, std=math.nan) for name in METRICS.by_name}
    trial = Trial(hyperparameters={}, folds=[undefined, undefined], summary=summary)
    search = Search(primary_metric="rmse", trials=[trial], chosen=0, confirmed=trial)
    shown = describe_cross_validation(search)
    assert shown["cv_r2_mean"] == "undefined"
    assert shown["undefined"].value["r2"] == "the observed values do not vary"
    entry = LeaderboardEntry(
        model="svr", kind="alternative", test=undefined, temporal=undefined, targets_asked=0, targets_missed=[]
    )
    for table in (shown["folds"], shown["trials"], describe_leaderboard([entry])):
        for record in table.records:
            json.dumps(record.data, allow_nan=False)
    assert describe_leaderboard([entry]).records[0].data["R²"] == "undefined"
    metadata = show_metrics(undefined)
    assert (metadata["r2"], metadata["rmse"]) == ("undefined", METRICS.rmse)
