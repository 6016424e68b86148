"""The page of a week's report: it is self-contained, shows every model, and runs nothing from the data."""

import math
from dataclasses import replace

import pytest

from traffic_assets.ml.evaluation.diagnostics import Diagnostics
from traffic_assets.ml.evaluation.gates import ThresholdResult
from traffic_assets.ml.model_selection.trials import Search
from traffic_assets.report.page import render
from traffic_assets_tests.report.examples import board, diagnostics, lane, metrics, report, search
from traffic_assets_tests.report.pages import Page, require_self_contained


def test_the_page_is_self_contained() -> None:
    html = render(report())
    assert html.lstrip().lower().startswith("<!doctype html>")
    page = Page(html)
    require_self_contained(page)
    assert "default-src 'none'" in html, "the browser fetches nothing, regardless of the page"
    assert page.tags.count("img") == 1 + 2 * 9


def test_the_page_shows_the_results_of_every_model() -> None:
    page = Page(render(report()))
    assert {"random_forest", "linear_regression"} <= page.ids
    for expected in (
        "Training week 2026-01-12",
        "profile local",
        "Random forest is the best model of the week",
        "95% confidence, by 14 days",
        "misses its thresholds",
        "meets its thresholds",
        "best of the week",
        "by sensor (1)",
        "the prediction ± 1.5000 mph (3.0000 mph wide). It covers 91.2% of the test rows",
        "80.0%4.250087.1%",
        "corrected resampled t-test over folds",
        "Holm (1979)",
        "1 min 01 s",
        "1,234",
        "1.23 MB stored",
        "before 2026-01-16 00:00 UTC",
        "Limits of this report",
        "is optimistic",
    ):
        assert expected in " ".join(page.text.split()), expected


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "a&b"]
)
def test_names_from_the_data_are_shown_and_never_run(hostile: str) -> None:
    forest = lane("random_forest", 1.0, diagnostics=diagnostics(sensor=hostile))
    changed = report(board(lanes=[forest]), profile=hostile, settings={hostile: hostile})
    html = render(changed)
    page = Page(html)
    require_self_contained(page)
    assert f"sensor {hostile}" in page.text
    assert page.tags.count("img") == 1 + 9
    if "<" in hostile:
        assert hostile not in html


def test_missing_parts_are_left_out() -> None:
    bare = Diagnostics(slices=[], interval=None, confidence=None, notes=["no confidence interval: too few blocks"])
    only = lane("random_forest", 1.0, diagnostics=bare, pictures={}, costs=[], targets=[], learning_curve=None)
    page = Page(render(report(board(lanes=[only], differences=[], pictures={}))))
    require_self_contained(page)
    assert "img" not in page.tags
    assert "It is the only model" in page.text
    assert "too few blocks" in page.text
    assert "none set" in page.text
    for missing in ("Errors by slice", "Prediction intervals", "Cost", "Is the difference statistically significant?"):
        assert missing not in page.text


def test_numbers_that_are_missing_are_dashes() -> None:
    odd = metrics(1.0).model_copy(update={"mape": math.nan, "r2": math.nan, "p95": math.nan})
    forest = lane("random_forest", 1.0)
    forest = replace(forest, scores=forest.scores.model_copy(update={"test": odd}))
    text = Page(render(report(board(lanes=[forest], differences=[])))).text
    assert "nan" not in text.lower().replace("nano", "")
    assert "–" in text


def test_a_search_that_was_stopped_is_noted_with_its_trials() -> None:
    whole, out = search(1.0, 2), search(1.0, 2).model_copy(update={"stopped": "the search was stopped"})
    forest = lane("random_forest", 1.0)

    def text(searched: Search, own: Search | None) -> str:
        temporal = forest.temporal.model_copy(update={"search": own, "hyperparameters": {"maxDepth": 6}})
        page = Page(render(report(board(lanes=[replace(forest, search=searched, temporal=temporal)]))))
        return " ".join(page.text.split())

    assert "stopped" not in text(whole, None)
    assert "For the temporal holdout" not in text(whole, None)
    assert "2 trials by grid, 4 fits in 12.5 s. Note: the search was stopped." in text(out, whole)
    own = "a separate search on the earlier rows chose maxDepth 6: 2 trials, 4 fits in 12.5 s."
    assert f"{own} Note: the search was stopped." in text(whole, out)
    assert own in text(out, whole) and f"{own} Note" not in text(out, whole)
    assert "For the temporal holdout" not in text(search(1.0), search(1.0)), "nothing was searched"
    one = search(1.0).model_copy(update={"stopped": "the search was stopped"})
    assert "chose maxDepth 6: 1 trial, 2 fits in" in text(one, one)


def test_of_very_many_trials_the_best_are_shown_and_the_others_counted() -> None:
    def text(trials: int) -> str:
        return Page(render(report(board(lanes=[lane("random_forest", 1.0, search=search(1.0, trials))])))).text

    few = text(3)
    assert "trials, the best first" in few
    assert "the cross-validation report has all" not in few
    assert "(50 of 120; the cross-validation report has all)" in text(120)


def test_another_target_has_its_own_unit() -> None:
    flow = board(target="flow", unit="veh/interval", lanes=[lane("random_forest", 9.0, id="flow/random_forest")])
    page = Page(render(report(flow)))
    require_self_contained(page)
    assert "flow/random_forest" in page.ids
    assert "mean RMSE over 2 folds of the train rows is 9.0000 veh/interval" in " ".join(page.text.split())
    assert "predicted: flow, veh/interval" in page.text


def test_an_undefined_metric_is_a_dash_with_the_reason() -> None:
    flat = metrics(1.0, r2=math.nan)
    example = lane("random_forest", 1.0)
    limit = ThresholdResult(target="R² on test", asked=">= 0.9", measured=math.nan, passed=False)
    changed = replace(
        example,
        scores=example.scores.model_copy(update={"test": flat}),
        standing=example.standing.model_copy(update={"test": flat}),
        targets=[limit],
    )
    text = Page(render(report(board(lanes=[changed], differences=[])))).text
    assert "A dash for R² means that it is undefined: the observed values do not vary." in text
    assert "nan" not in text.split()
