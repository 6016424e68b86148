"""Results of a search: the trials and the chosen one."""

from statistics import fmean
from typing import Any

from pydantic import BaseModel, ConfigDict

from traffic_assets.messages import model_selection as messages
from traffic_assets.ml.metrics.metrics import Metrics, Spread, make_sort_key


class Screened(BaseModel):
    """Hyperparameters that a surrogate ranked too low for cross-validation.

    Attributes:
        hyperparameters: Hyperparameters that were ranked.
        rmse: RMSE of the surrogate on the test part of its sample, in the unit of the target.
    """

    model_config = ConfigDict(frozen=True)

    hyperparameters: dict[str, Any]
    rmse: float


class Trial(BaseModel):
    """One set of hyperparameters, evaluated on folds.

    Attributes:
        hyperparameters: Hyperparameters of the trial.
        folds: Metrics on the test rows of each fold, in order.
        summary: Mean and standard deviation over the folds, by metric.
        row_share: Share of the train rows that were used (successive halving begins with few).
        read_from: Hyperparameters of the larger fit that contains this one; None if the trial had a fit of its own.
        fitted_rows: Number of rows fitted on, by fold; None in trials stored before they were counted.
    """

    model_config = ConfigDict(frozen=True)

    hyperparameters: dict[str, Any]
    folds: list[Metrics]
    summary: dict[str, Spread]
    row_share: float = 1.0
    read_from: dict[str, Any] | None = None
    fitted_rows: list[int] | None = None

    @property
    def test_to_train_ratio(self) -> float | None:
        """Test rows divided by fitted rows, averaged over the folds; None if the fitted rows were not counted."""
        if not self.fitted_rows:
            return None
        return fmean(fold.rows / fitted for fold, fitted in zip(self.folds, self.fitted_rows, strict=True))

    def over_folds(self, metric: str) -> Spread:
        """Return mean and standard deviation of a metric over the folds.

        Raises:
            ValueError: If the trial was evaluated without that metric.
        """
        if metric not in self.summary:
            raise ValueError(messages.METRIC_NOT_EVALUATED(metric=metric, metrics=list(self.summary)))
        return self.summary[metric]


class Search(BaseModel):
    """All trials of a lane, and the one that the primary metric chose in cross-validation.

    Attributes:
        primary_metric: Name of the metric that ranks the trials.
        trials: Trials in the order of their evaluation.
        chosen: Position of the winner.
        confirmed: The winner with a fit of its own on every fold: the cross-validation that is reported.
        strategy: Name of the strategy.
        fits: Number of fitted models.
        seconds: Wall time in seconds.
        stopped: Reason why the search ended early; None if it did not.
        screened: Hyperparameters that a surrogate ranked lower than the trials.
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
        """The chosen trial, as confirmed."""
        return self.confirmed


def choose_best_trial(trials: list[Trial], metric: str) -> int:
    """Return the position of the best trial among those evaluated on the most rows and folds.

    The earlier of two equal trials wins.

    Raises:
        ValueError: If there are no trials.
    """
    if not trials:
        raise ValueError(messages.NO_TRIALS())
    most = max((t.row_share, len(t.folds)) for t in trials)
    fair = [i for i, t in enumerate(trials) if (t.row_share, len(t.folds)) == most]
    return min(fair, key=lambda i: (make_sort_key(metric, trials[i].over_folds(metric).mean), i))
