"""The report as the week's run stores it."""

import pytest

from traffic_assets.assets.report import PAGE, REPORT, page_uri
from traffic_assets.build import build_defs
from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets_tests.deployment import Deployment
from traffic_assets_tests.refused import Refused
from traffic_assets_tests.report.pages import Page, require_self_contained
from traffic_assets_tests.runs import failures, get_metadata, materialized, run_train
from traffic_assets_tests.tiny import DAYS, LANES, WEEK, tiny_settings


def stored_page(made: Deployment) -> str:
    current = made.hdfs.dataset(REPORT).current(WEEK)
    assert current is not None
    return made.hdfs.filesystem.read_bytes(page_uri(current.uri)).decode()


@pytest.fixture(scope="module")
def page(trained: Deployment) -> Page:
    return Page(stored_page(trained))


def test_the_page_is_stored_with_the_week_and_is_self_contained(page: Page) -> None:
    require_self_contained(page)
    assert f"Training week {WEEK}" in page.text
    assert f"{len(DAYS)} days, {DAYS[0]} to {DAYS[-1]}" in page.text


@pytest.mark.parametrize("name", LANES)
def test_every_lane_is_on_it_with_its_own_metrics_and_figures(trained: Deployment, page: Page, name: str) -> None:
    assert name in page.ids
    text = " ".join(page.text.split())
    assert f"Predicted vs. actual, {algorithm_named(name).title}" in stored_page(trained)
    evaluated = trained.document(f"{name}_evaluation")
    for rows in ("train", "test"):
        assert f"{evaluated[rows]['r2']:.5f}" in text
    assert f"{evaluated['temporal']['metrics']['r2']:.5f}" in text
    worst = max((s for s in evaluated["diagnostics"]["slices"] if s["rows"] >= 30), key=lambda s: s["rmse"])
    assert f"{worst['dimension']} {worst['value']}" in text


def test_every_figure_is_on_it(page: Page) -> None:
    """Expect the comparison and, without a learning curve, eight figures of each lane."""
    assert page.tags.count("img") == 1 + 8 * len(LANES)


def test_the_cost_of_every_step_is_on_the_page(trained: Deployment, page: Page) -> None:
    assert trained.train is not None
    for name in LANES:
        for step in ("cv_report", "model", "diagnostics", "temporal_verdict"):
            assert f"{name}_{step}" in page.text
            assert get_metadata(trained.train, f"{name}_{step}")["cost_rows_per_second"] > 0


def test_the_ui_shows_a_summary_and_the_uri_of_the_page(trained: Deployment) -> None:
    assert trained.train is not None
    shown = get_metadata(trained.train, REPORT)
    assert "is the best model of the week" in shown["summary"]
    assert f"traffic-assets report {WEEK} --open" in shown["summary"]
    assert shown["file"].endswith(f"_files/{PAGE}")
    assert trained.document(REPORT)["best"] == trained.document("model_comparison")["leaderboard"][0]["model"]


def test_a_failed_gate_does_not_hide_the_report(refused: Refused) -> None:
    made, result = refused.deployment, refused.train
    assert not result.success
    assert "linear_regression_registry_entry" not in materialized(result)
    assert REPORT in materialized(result)
    page = Page(stored_page(made))
    assert "misses its thresholds" in page.text
    assert "Linear regression misses thresholds and is not registered." in page.text
    shown = get_metadata(result, REPORT)
    below = shown["file"].removeprefix(f"file://{made.base}/")
    assert shown["open"] == f"http://127.0.0.1:8000/{below}", "a link, because browse_url is set"


def test_a_learning_curve_is_on_the_report(retrainable: Deployment) -> None:
    name = "linear_regression"
    changes = {
        "evaluation": {"diagnostics": {"learning_curve": [0.5, 1.0]}},
        "persistence": {"browse_url": "http://127.0.0.1:8000/{path}"},
    }
    settings = tiny_settings(retrainable.base, changes)
    result = run_train(build_defs(settings), retrainable.instance, WEEK, only=[f"{name}_cv_report", REPORT])
    assert result.success, failures(result)
    assert "Learning curve, Linear regression" in stored_page(retrainable)
    curve = retrainable.document(f"{name}_cv_report")["learning_curve"]
    assert [p["share"] for p in curve["points"]] == [0.5, 1.0]
    curve_link = get_metadata(result, f"{name}_cv_report")["learning_curve"]
    assert curve_link.startswith("http://127.0.0.1:8000/"), "a link, because browse_url is set"
    assert curve_link.endswith("_files/learning_curve.png")
