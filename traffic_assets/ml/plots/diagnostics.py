"""Figures of a model's diagnostics, by file name."""

from traffic_assets.ml.evaluation.diagnostics import Diagnostics
from traffic_assets.ml.evaluation.scores import Points, Scores
from traffic_assets.ml.evaluation.slices import select_worst_slices
from traffic_assets.ml.metrics.metrics import TARGET
from traffic_assets.ml.plots.importances import plot_importances
from traffic_assets.ml.plots.residuals import (
    plot_predicted_against_actual,
    plot_residual_distribution,
    plot_residuals,
    plot_residuals_over_time,
)
from traffic_assets.ml.plots.slices import plot_errors_by_slice, plot_interval_coverage


def plot_diagnostics(
    points: Points, scores: Scores, diagnostics: Diagnostics, title: str, zone: str, target: str = TARGET
) -> dict[str, bytes]:
    """Plot the diagnostics of a model that were computed.

    Args:
        points: Sample of the test rows.
        scores: Scores of the model.
        diagnostics: Diagnostics of the model.
        title: Title of the model.
        zone: Name of the network's time zone.
        target: Name of the predicted variable.

    Returns:
        PNG files by file name.
    """
    figures = {
        "predicted_against_actual.png": plot_predicted_against_actual(points, title, target),
        "residuals.png": plot_residuals(points, title, target),
        "importances.png": plot_importances(scores.importances, title),
    }
    if diagnostics.residuals:
        figures["residual_distribution.png"] = plot_residual_distribution(
            diagnostics.residuals.distribution, title, target
        )
        figures["residuals_over_time.png"] = plot_residuals_over_time(diagnostics.residuals.hours, title, zone, target)
    if select_worst_slices(diagnostics.slices):
        figures["errors_by_slice.png"] = plot_errors_by_slice(diagnostics.slices, scores.test.rmse, title, target)
        if diagnostics.interval:
            figures["interval_coverage.png"] = plot_interval_coverage(
                diagnostics.slices, diagnostics.interval, title, target
            )
    return figures
