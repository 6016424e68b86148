"""Figures of diagnostics: only parts that were computed are drawn."""

from __future__ import annotations

from traffic_assets.ml.evaluation.diagnostics import Diagnostics
from traffic_assets.ml.evaluation.intervals import Interval
from traffic_assets.ml.evaluation.residuals import Residuals
from traffic_assets.ml.evaluation.scores import Scores
from traffic_assets.ml.plots.diagnostics import plot_diagnostics
from traffic_assets_tests.ml.plots.examples import INTERVAL, distribution, hours, importances, metrics, points, slices


def _diagnostics(sliced: bool = True, interval: Interval | None = INTERVAL) -> Diagnostics:
    residuals = Residuals(distribution=distribution(1.0), hours=hours(1.0))
    return Diagnostics(
        slices=slices(1.0) if sliced else [], interval=interval, confidence=None, residuals=residuals, notes=[]
    )


def _drawn(diagnostics: Diagnostics) -> set[str]:
    scores = Scores(train=metrics(1), test=metrics(1), importances=importances(1.0))
    return set(plot_diagnostics(points(1.0), scores, diagnostics, "Model", "UTC"))


def test_parts_that_were_not_computed_are_not_drawn() -> None:
    always = {"predicted_against_actual.png", "residuals.png", "importances.png"}
    of_residuals = {"residual_distribution.png", "residuals_over_time.png"}
    assert _drawn(_diagnostics()) == always | of_residuals | {"errors_by_slice.png", "interval_coverage.png"}
    assert _drawn(_diagnostics(interval=None)) == always | of_residuals | {"errors_by_slice.png"}
    assert _drawn(_diagnostics(sliced=False)) == always | of_residuals
    assert _drawn(_diagnostics(sliced=False).model_copy(update={"residuals": None})) == always
