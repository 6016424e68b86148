"""The comparison of a week's models."""

import dagster as dg

from traffic_assets.assets.evaluation import COMPARISON
from traffic_assets.assets.presentation import EVENT_BYTES
from traffic_assets.assets.training import SPLIT_ASSETS
from traffic_assets.dagster_hdfs.applications import APPLICATION_ID, TAG
from traffic_assets_tests.deployment import Deployment
from traffic_assets_tests.runs import get_metadata
from traffic_assets_tests.tiny import LANES


def test_the_leaderboard_is_in_order_and_has_both_holdouts(trained: Deployment) -> None:
    board = trained.document(COMPARISON)["leaderboard"]
    assert {row["model"] for row in board} == set(LANES)
    errors = [row["folds"]["mean"] for row in board]
    assert errors == sorted(errors), "ranked by cross-validation, not by test rows"
    assert all(row["temporal"]["rmse"] > 0 for row in board)


def test_the_comparison_shows_the_leaderboard_the_best_model_and_a_figure(trained: Deployment) -> None:
    assert trained.train is not None
    shown = get_metadata(trained.train, COMPARISON)
    board = trained.document(COMPARISON)["leaderboard"]
    assert shown["best"] == board[0]["model"]
    assert len(shown["leaderboard"].records) == len(LANES)
    assert shown["picture"].startswith("![](data:image/png;base64,")
    assert trained.hdfs.filesystem.read_bytes(shown["picture_file"]).startswith(b"\x89PNG")


def test_no_event_fills_the_log(trained: Deployment) -> None:
    assert trained.train is not None
    for result in (trained.features, trained.train):
        for entry in trained.instance.all_logs(result.run_id):
            assert len(entry.to_json()) <= EVENT_BYTES, entry.message


def test_every_column_of_every_stored_table_is_described(trained: Deployment) -> None:
    assert trained.train is not None
    tables = set()
    for event in (*trained.features.all_events, *trained.train.all_events):
        if event.event_type != dg.DagsterEventType.ASSET_MATERIALIZATION or event.asset_key is None:
            continue
        metadata = event.step_materialization_data.materialization.metadata
        if "dagster/column_schema" not in metadata:
            continue
        tables.add(event.asset_key.to_user_string())
        schema = metadata["dagster/column_schema"]
        assert isinstance(schema, dg.TableSchemaMetadataValue)
        assert [c.name for c in schema.schema.columns if not c.description] == [], event.asset_key
    models = {f"{name}_model" for name in LANES}  # with the columns that they were trained on
    assert tables == {"sensor_table", "sensor_readings", "feature_table", *SPLIT_ASSETS.values(), *models}


def test_runs_and_materializations_name_their_spark_application(trained: Deployment) -> None:
    assert trained.train is not None
    run = trained.instance.get_run_by_id(trained.train.run_id)
    assert run is not None
    for event in trained.train.all_events:
        if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION:
            metadata = event.step_materialization_data.materialization.metadata
            assert metadata[APPLICATION_ID].value == run.tags[TAG], event.asset_key


def test_the_comparison_has_the_metrics_of_the_evaluations(trained: Deployment) -> None:
    """Compare the leaderboard, which depends on no gate, with the evaluations, which have gates."""
    for row in trained.document(COMPARISON)["leaderboard"]:
        evaluated = trained.document(f"{row['model']}_evaluation")
        assert row["test"] == evaluated["test"]
        assert row["temporal"] == evaluated["temporal"]["metrics"]


def test_every_model_is_compared_with_the_best_with_corrected_p_values(trained: Deployment) -> None:
    assert trained.train is not None
    comparison = trained.document(COMPARISON)
    best = comparison["leaderboard"][0]["model"]
    assert {(c["model"], c["best"]) for c in comparison["differences"]} == {
        (name, best) for name in LANES if name != best
    }
    assert all(c["adjusted"] >= c["p_value"] for c in comparison["differences"])
    shown = get_metadata(trained.train, COMPARISON)
    assert len(shown["differences"].records) == len(comparison["differences"])
    assert shown["correction"] == "Holm (1979)"


def test_an_evaluation_shows_slices_and_intervals(trained: Deployment) -> None:
    assert trained.train is not None
    for name in LANES:
        shown = get_metadata(trained.train, f"{name}_evaluation")
        stored = trained.document(f"{name}_evaluation")["diagnostics"]
        assert shown["interval_asked"] == 0.9
        assert shown["interval_covered"] == stored["interval"]["covered"]
        assert shown["rmse_low"] < shown["rmse"] < shown["rmse_high"]
        worst = [record.data["rmse"] for record in shown["worst_slices"].records]
        assert worst == sorted(worst, reverse=True)
        assert {s["dimension"] for s in stored["slices"]} >= {"hour", "weekday", "sensor", "highway", "regime"}
