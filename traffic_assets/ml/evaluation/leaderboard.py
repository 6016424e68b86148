"""Leaderboard of a week's models, ordered by cross-validation on train rows, so no test row chooses a model."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from traffic_assets.ml.metrics.metrics import Metrics, Spread, make_sort_key


class LeaderboardEntry(BaseModel):
    """Line of one model in the leaderboard.

    Attributes:
        model: Name of the algorithm.
        kind: Baseline, primary or alternative.
        test: Metrics on the test split.
        temporal: Metrics on the temporal holdout, of the second fit.
        targets_asked: Number of thresholds of the model.
        targets_missed: Text for each threshold that was missed.
        folds: Primary metric over the folds of the train rows, which chooses the best model; None if not stored.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    kind: str
    test: Metrics
    temporal: Metrics
    targets_asked: int
    targets_missed: list[str]
    folds: Spread | None = None

    @property
    def targets(self) -> str:
        """Outcome of the gate: missed, met or none set."""
        return "missed" if self.targets_missed else "met" if self.targets_asked else "none set"


def rank_models(entries: Mapping[str, LeaderboardEntry], primary_metric: str) -> list[LeaderboardEntry]:
    """Return the models from best to worst by cross-validation on train rows.

    A model without a stored cross-validation is ranked by its test rows.
    """

    def value(entry: LeaderboardEntry) -> float:
        known = entry.folds.mean if entry.folds else entry.test.by_name[primary_metric]
        return make_sort_key(primary_metric, known)

    return sorted(entries.values(), key=lambda entry: (value(entry), entry.model))
