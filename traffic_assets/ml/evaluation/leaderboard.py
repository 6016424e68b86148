"""The leaderboard of a week's models, ordered by cross-validation on train: test rows choose nothing."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from traffic_assets.ml.metrics.metrics import Metrics, Spread, better_first


class LeaderboardEntry(BaseModel):
    """One line of the leaderboard.

    Attributes:
        model: name of the algorithm.
        kind: baseline, primary or alternative.
        test: on the test split.
        temporal: on later time, of the second fit.
        targets_asked: how many targets the model is held against.
        targets_missed: a sentence for each.
        folds: the primary metric over the folds of the train rows; what the best model is chosen by.
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
        """In a word: missed, met or none set."""
        return "missed" if self.targets_missed else "met" if self.targets_asked else "none set"


def rank_models(standings: Mapping[str, LeaderboardEntry], primary_metric: str) -> list[LeaderboardEntry]:
    """The models from best to worst by cross-validation on train: test rows choose nothing.

    Where no cross-validation is known, by the test rows.
    """

    def value(standing: LeaderboardEntry) -> float:
        known = standing.folds.mean if standing.folds else standing.test.by_name[primary_metric]
        return better_first(primary_metric, known)

    return sorted(standings.values(), key=lambda s: (value(s), s.model))
