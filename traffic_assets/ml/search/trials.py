"""What a search leaves behind: its trials and the one chosen."""

from statistics import fmean
from typing import Any

from pydantic import BaseModel, ConfigDict

from traffic_assets.ml.metrics.metrics import Metrics, Spread, better_first


class Screened(BaseModel):
    """A set of hyperparameters that a fast engine ranked, and that was not judged.

    Attributes:
        hyperparameters: what was ranked.
        rmse: of the fast engine on the judged part of its sample, in the unit of the target.
    """

    model_config = ConfigDict(frozen=True)

    hyperparameters: dict[str, Any]
    rmse: float


class Trial(BaseModel):
    """One set of hyperparameters, judged on folds.

    Attributes:
        hyperparameters: what was tried.
        folds: the metrics of each fold that was judged, in order.
        summary: by metric, mean and standard deviation over the folds.
        row_share: share of the train rows that it was judged with (successive halving begins small).
        read_from: hyperparameters of the bigger fit that it was read from; None where it was fitted itself.
        fitted_rows: by fold, how many rows were fitted on; None where it was judged before they were counted.
    """

    model_config = ConfigDict(frozen=True)

    hyperparameters: dict[str, Any]
    folds: list[Metrics]
    summary: dict[str, Spread]
    row_share: float = 1.0
    read_from: dict[str, Any] | None = None
    fitted_rows: list[int] | None = None

    @property
    def judged_share(self) -> float | None:
        """Judged rows over fitted rows, the mean over the folds; None where the fitted ones were not counted."""
        if not self.fitted_rows:
            return None
        return fmean(fold.rows / fitted for fold, fitted in zip(self.folds, self.fitted_rows, strict=True))

    def over_folds(self, metric: str) -> Spread:
        """Mean and deviation of a metric over the folds.

        Raises:
            ValueError: where the trial was judged without that metric.
        """
        if metric not in self.summary:
            raise ValueError(
                f"the cross-validation was made without the metric {metric!r} (it knows {', '.join(self.summary)}): "
                f"run the job train for this week again, whole"
            )
        return self.summary[metric]


class Search(BaseModel):
    """All trials of a lane, and the one chosen by the primary metric on cross-validation.

    Attributes:
        primary_metric: what chose.
        trials: in the order in which they were judged.
        chosen: position of the winner.
        confirmed: the winner, fitted itself on every fold: this is the cross-validation that is reported.
        strategy: how the trials were picked.
        fits: how many models were fitted.
        seconds: wall time.
        stopped: why the search ended before its plan, or None.
        screened: what a fast engine ranked lower than what was judged.
    """

    model_config = ConfigDict(frozen=True)

    primary_metric: str
    trials: list[Trial]
    chosen: int
    confirmed: Trial
    strategy: str = "grid"
    fits: int = 0
    seconds: float = 0.0
    stopped: str | None = None
    screened: list[Screened] = []

    @property
    def best(self) -> Trial:
        """The chosen trial as it was confirmed."""
        return self.confirmed


def best_of(trials: list[Trial], metric: str) -> int:
    """Position of the best trial, among those judged on the most rows and folds; a tie goes to the earlier."""
    if not trials:
        raise ValueError("no trial was judged")
    most = max((t.row_share, len(t.folds)) for t in trials)
    fair = [i for i, t in enumerate(trials) if (t.row_share, len(t.folds)) == most]
    return min(fair, key=lambda i: (better_first(metric, trials[i].over_folds(metric).mean), i))
