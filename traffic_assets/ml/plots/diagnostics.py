"""Every figure of a model's diagnostics, by file name."""

from typing import TYPE_CHECKING

from traffic_assets.ml.evaluation.diagnostics import Diagnostics
from traffic_assets.ml.evaluation.scores import Points, Scores
from traffic_assets.ml.evaluation.slices import select_worst_slices
from traffic_assets.ml.metrics.metrics import TARGET

if TYPE_CHECKING:
    pass
from traffic_assets.ml.plots.importances import plot_importances
from traffic_assets.ml.plots.residuals import (
    plot_predicted_against_actual,
    plot_residual_distribution,
    plot_residuals,
    plot_residuals_over_time,
)
from traffic_assets.ml.plots.slices import plot_errors_by_slice, plot_interval_coverage


def plot_diagnostics(
    points: Points, scores: Scores, found: Diagnostics, title: str, zone: str, target: str = TARGET
) -> dict[str, bytes]:
    """Every picture that a model's diagnostics allow, by file name.

    Args:
        points: a sample of the test rows.
        scores: of the model.
        found: its diagnostics; what was not made is not drawn.
        title: of the model.
        zone: name of the network's time zone.
        target: what the model predicts.
    """
    drawn = {
        "predicted_against_actual.png": plot_predicted_against_actual(points, title, target),
        "residuals.png": plot_residuals(points, title, target),
        "importances.png": plot_importances(scores.importances, title),
    }
    if found.residuals:
        drawn["residual_distribution.png"] = plot_residual_distribution(found.residuals.distribution, title, target)
        drawn["residuals_over_time.png"] = plot_residuals_over_time(found.residuals.hours, title, zone, target)
    if select_worst_slices(found.slices):
        drawn["errors_by_slice.png"] = plot_errors_by_slice(found.slices, scores.test.rmse, title, target)
        if found.interval:
            drawn["interval_coverage.png"] = plot_interval_coverage(found.slices, found.interval, title, target)
    return drawn
