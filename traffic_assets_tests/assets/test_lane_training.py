"""The training steps of a lane: configured values reach the model, and a search shows its trials."""

from traffic_assets.assets.lanes import Lane
from traffic_assets.build import build_defs
from traffic_assets_tests.deployment import Deployment
from traffic_assets_tests.runs import failures, get_metadata, run_train
from traffic_assets_tests.tiny import WEEK, tiny_settings


def test_hyperparameters_of_the_launchpad_reach_the_model(retrainable: Deployment) -> None:
    config = {"ops": {"random_forest_cv_report": {"config": {"maxDepth": 4}}}}
    lane = Lane("random_forest")
    only = [lane.cv_report, lane.model]
    result = run_train(build_defs(retrainable.settings), retrainable.instance, WEEK, only=only, config=config)
    assert result.success, failures(result)
    shown = get_metadata(result, lane.cv_report)
    assert shown["effective"]["maxDepth"] == 4
    assert shown["profile"]["maxDepth"] == 3
    assert get_metadata(result, lane.model)["hyperparameters"]["maxDepth"] == 4


def test_a_tuned_lane_shows_its_trials(retrainable: Deployment) -> None:
    settings = tiny_settings(
        retrainable.base,
        {
            "models": {"random_forest": {"tune": True, "grid": {"maxDepth": [1, 4]}}},
            "training": {"fold_kind": "sensor"},
        },
    )
    lane = Lane("random_forest")
    only = [lane.cv_report, lane.model, lane.temporal_verdict]
    result = run_train(build_defs(settings), retrainable.instance, WEEK, only=only)
    assert result.success, failures(result)
    assert get_metadata(result, lane.cv_report)["fold_rows"].endswith("_files/fold_rows.png")
    later = get_metadata(result, lane.temporal_verdict)
    assert len(later["trials"].records) == 2, "the temporal holdout has a search of its own"
    assert later["hyperparameters"]["maxDepth"] == 4
    assert "stopped" not in later
    trials = get_metadata(result, lane.cv_report)["trials"].records
    assert [record.data["maxDepth"] for record in trials] == ["1", "4"]
    assert [record.data["chosen"] for record in trials] == ["", "yes"]
    assert [record.data["evaluated"] for record in trials] == ["read from a larger fit", "fitted"]
    assert get_metadata(result, lane.cv_report)["fits"] == 2, "one per fold, for both trials"
    assert not list(retrainable.base.rglob("_staging/*")), "staged models are removed"
    assert get_metadata(result, lane.model)["hyperparameters"]["maxDepth"] == 4


def test_a_lane_reports_the_searches_that_ran_out_of_time(retrainable: Deployment) -> None:
    """Check that one trial is always evaluated, even if the time limit leaves no time for it."""
    settings = tiny_settings(
        retrainable.base,
        {
            "models": {"linear_regression": {"tune": True, "grid": {"regParam": [0.0, 0.1, 0.2]}}},
            "training": {"max_training_time_minutes": 1e-6},
        },
    )
    lane = Lane("linear_regression")
    only = [lane.cv_report, lane.model, lane.temporal_verdict, lane.diagnostics, lane.evaluation]
    result = run_train(build_defs(settings), retrainable.instance, WEEK, only=only)
    for step in (lane.cv_report, lane.temporal_verdict):
        shown = get_metadata(result, step)
        assert "The search was stopped after its 5e-07 minutes of training.max_training_time_min" in shown["stopped"]
        assert shown["code"] == "search.time-limit"
        assert len(shown["trials"].records) == 1
    assert "temporal_rmse" in get_metadata(result, lane.evaluation), "the model is evaluated anyway"


def test_a_screened_search_evaluates_the_kept_points_and_shows_the_others(retrainable: Deployment) -> None:
    changes = {
        "models": {"random_forest": {"tune": True, "grid": {"maxBins": [2, 32], "maxDepth": [1, 4]}}},
        "training": {"search": {"screen": 1}},
    }
    lane = Lane("random_forest")
    only = [lane.cv_report]
    settings = tiny_settings(retrainable.base, changes)
    result = run_train(build_defs(settings), retrainable.instance, WEEK, only=only)
    assert result.success, failures(result)
    shown = get_metadata(result, lane.cv_report)
    rows = [record.data for record in shown["trials"].records]
    assert [row["evaluated"].split()[0] for row in rows] == ["fitted", "by", "by", "by"]
    assert (rows[0]["maxBins"], rows[0]["maxDepth"], rows[0]["chosen"]) == ("32", "4", "yes")
    assert shown["fits"] == 2, "one per fold"
