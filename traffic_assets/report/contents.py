"""The contents of a week's report: plain values that the assets stored. Nothing is computed on rows here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from traffic_assets.ml.evaluation.diagnostics import Diagnostics
from traffic_assets.ml.evaluation.gates import ThresholdResult
from traffic_assets.ml.evaluation.leaderboard import LeaderboardEntry
from traffic_assets.ml.evaluation.scores import Scores
from traffic_assets.ml.evaluation.significance import Comparison
from traffic_assets.ml.model_selection.learning_curves import LearningCurve
from traffic_assets.ml.model_selection.temporal import TemporalEvaluation
from traffic_assets.ml.model_selection.trials import Search


@dataclass(frozen=True)
class StepCost:
    """The cost of an asset's step; None for a cost that was not measured.

    Attributes:
        step: Key of the asset.
        wall_seconds: Wall time in seconds.
        cpu_seconds: CPU time in seconds.
        peak_memory_mb: Largest resident memory of process and Spark driver in MB.
        shuffle_bytes: Bytes that Spark shuffled.
        spill_bytes: Bytes that did not fit into memory.
        rows_per_second: Rows that the step processed, by wall time.
    """

    step: str
    wall_seconds: float | None = None
    cpu_seconds: float | None = None
    peak_memory_mb: float | None = None
    shuffle_bytes: int | None = None
    spill_bytes: int | None = None
    rows_per_second: float | None = None


@dataclass(frozen=True)
class LaneReport:
    """One model of the week.

    Attributes:
        id: Name of the lane, `[<target>/]<model>`.
        title: Title of the algorithm.
        standing: Its line of the leaderboard.
        scores: Metrics on train and test, and the importances.
        diagnostics: Slices, intervals and residuals.
        temporal: Evaluation of a second fit on the temporal holdout.
        search: Trials, and the cross-validation of the chosen one.
        targets: Thresholds and whether the model meets them; empty without thresholds.
        model_bytes: Size of the stored model in bytes.
        training_minutes: Duration of the final fit in minutes.
        learning_curve: Learning curve; None if not configured.
        costs: Costs of the lane's steps.
        pictures: PNG files by name without extension.
    """

    id: str
    title: str
    standing: LeaderboardEntry
    scores: Scores
    diagnostics: Diagnostics
    temporal: TemporalEvaluation
    search: Search
    targets: list[ThresholdResult]
    model_bytes: int
    training_minutes: float
    learning_curve: LearningCurve | None = None
    costs: list[StepCost] = field(default_factory=list)
    pictures: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Board:
    """The models of one target.

    Attributes:
        target: Predicted variable.
        unit: Unit of the target.
        primary_metric: Metric that chooses the best model.
        significance_level: Level below which a corrected p-value is statistically significant.
        lanes: Models in the order of the leaderboard.
        differences: Comparisons of every other model with the best.
        pictures: PNG files of the comparison by name without extension.
    """

    target: str
    unit: str
    primary_metric: str
    significance_level: float
    lanes: list[LaneReport]
    differences: list[Comparison]
    pictures: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def best(self) -> LaneReport:
        """The best model."""
        return self.lanes[0]


@dataclass(frozen=True)
class Report:
    """A training week and the models of one target.

    Attributes:
        week: Monday of the week, ISO date.
        profile: Profile or file of the settings.
        made_at: Time of the report, UTC.
        run_id: Id of the run that created it.
        split_id: Id of the splits that all results come from.
        days: Days of the training window, ISO dates.
        rows: Number of rows by split.
        settings: Settings that influence the results, value by label.
        time_zone: Time zone of the network.
        split_kind: Kind of split: random, temporal or sensor.
        board: Models of the target.
    """

    week: str
    profile: str
    made_at: datetime
    run_id: str
    split_id: str
    days: list[str]
    rows: Mapping[str, int]
    settings: Mapping[str, Any]
    time_zone: str
    split_kind: str
    board: Board
