"""What the report of a week holds: plain values, as the assets stored them. Nothing is computed on rows here."""

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
    """What the step of an asset cost; None where it was not measured.

    Attributes:
        step: the asset's key.
        wall_seconds: wall time.
        cpu_seconds: CPU time.
        peak_memory_mb: greatest resident memory of process and Spark driver.
        shuffle_bytes: that Spark shuffled.
        spill_bytes: that did not fit into memory.
        rows_per_second: rows that the step worked on, by wall time.
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
        id: of the lane: `[<target>/]<model>`.
        title: of the algorithm, for people.
        standing: its line of the leaderboard.
        scores: on train and test, and the importances.
        diagnostics: slices, intervals, residuals.
        verdict: of a second fit on later time.
        search: trials, and the cross-validation of the chosen one.
        targets: what was asked, and whether it was met; empty where nothing was.
        model_bytes: size of the stored model.
        training_minutes: of the final fit.
        learning_curve: None where none was asked for.
        costs: of the lane's steps.
        pictures: PNG files by name without ending.
    """

    id: str
    title: str
    standing: LeaderboardEntry
    scores: Scores
    diagnostics: Diagnostics
    verdict: TemporalEvaluation
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
        target: what they predict.
        unit: of the target.
        primary_metric: what the best model is chosen by.
        significance_level: below which a corrected p-value is more than chance.
        lanes: the models, in the order of the leaderboard.
        differences: every other model against the best.
        pictures: of the comparison, PNG files by name without ending.
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
        """The model that leads."""
        return self.lanes[0]


@dataclass(frozen=True)
class Report:
    """A training week, as the models of one target saw it.

    Attributes:
        week: its partition key.
        profile: where the settings came from.
        made_at: when the report was made, UTC.
        run_id: of the run that made it.
        split_id: of the splits that everything here was made from.
        days: keys of the days of the training window.
        rows: rows by split.
        settings: what was asked for, as a table: name and value.
        time_zone: of the network.
        split_kind: random, temporal or sensor.
        board: the models.
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
