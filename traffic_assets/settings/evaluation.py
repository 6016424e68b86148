"""The section `evaluation`: what stops a lane, what only warns, and what an evaluation tells."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidatorFunctionWrapHandler, field_validator, model_validator

from traffic_assets.deprecation import warn_renamed
from traffic_assets.settings.gate import GateThresholds
from traffic_assets.settings.models import built_in_settings
from traffic_assets.settings.section import Name, Section, with_fields
from traffic_assets.settings.target import Target, TargetName


@with_fields({name: (GateThresholds, kind.default_thresholds()) for name, kind in built_in_settings().items()})
class ThresholdsByModel(Section):
    """The thresholds of each model's gate: those of the model unless they are given."""

    if TYPE_CHECKING:

        def __getattr__(self, model: str) -> GateThresholds: ...


class Band(Section):
    """An inclusive range."""

    low: float
    high: float

    @model_validator(mode="after")
    def _in_order(self) -> "Band":
        if self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}")
        return self


class DiagnosticsSettings(Section):
    """What an evaluation tells beside its metrics."""

    slices: bool = Field(default=True, description="errors by hour, weekday, highway, sensor and congestion")
    interval_coverage: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=0.9, description="share of rows that a prediction interval is to hold; none if null"
    )
    confidence_level: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=0.95, description="of the metrics' confidence intervals, by block bootstrap; none if null"
    )
    residuals: bool = Field(default=True, description="how residuals are distributed, and how they run in time")
    learning_curve: list[Annotated[float, Field(gt=0, le=1)]] | None = Field(
        default=None, description="growing shares of the train rows to fit once each, such as [0.1, 0.25, 0.5, 1]"
    )

    @field_validator("learning_curve")
    @classmethod
    def _shares_grow(cls, value: list[float] | None) -> list[float] | None:
        if value is not None and (len(value) < 2 or sorted(set(value)) != value):
            raise ValueError(f"{value} is no curve: give at least two shares, each greater than the one before")
        return value


class EvaluationSettings(Section):
    """Thresholds that stop a lane, and limits that only warn."""

    old_names: ClassVar[Mapping[str, str]] = {"targets": "thresholds", "other_targets": "other_thresholds"}

    primary_metric: Literal["rmse", "mae", "mape", "r2"] = "rmse"
    thresholds: ThresholdsByModel = Field(
        default_factory=ThresholdsByModel, description="of the gates of the speed's lanes, mph"
    )
    other_thresholds: dict[TargetName, dict[Name, GateThresholds]] = Field(
        default_factory=dict, description="of the gates of another target's lanes, by target and model, in its unit"
    )
    model_size_mb: Band | None = Field(
        default=None, description="warn when the random forest's stored model lies outside"
    )
    top_feature: Name | None = Field(default="traffic_efficiency", description="warn when another leads")
    top_feature_importance: Band = Band(low=0.70, high=0.90)
    diagnostics: DiagnosticsSettings = Field(default_factory=DiagnosticsSettings)
    significance_level: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.05, description="models differ where the corrected p-value lies below"
    )
    max_training_minutes: Annotated[float, Field(gt=0)] = Field(default=10.0, description="warn above")
    plot_points: Annotated[int, Field(ge=100, le=20_000)] = Field(
        default=2000, description="rows drawn in a picture; sampled by hash on Spark"
    )

    @field_validator("other_thresholds", mode="wrap")
    @classmethod
    def _each_target_once(
        cls, value: Any, validated: ValidatorFunctionWrapHandler
    ) -> dict[Target, dict[str, GateThresholds]]:
        found: dict[Target, dict[str, GateThresholds]] = validated(value)
        if len(found) < len(value):
            raise ValueError(
                f"the same target twice, since {', '.join(value)} mean {', '.join(found)}; give each under one name, "
                f"in every file and in the environment"
            )
        return found

    @property
    def targets(self) -> ThresholdsByModel:
        """The old name of `thresholds`."""
        warn_renamed("EvaluationSettings.targets", "EvaluationSettings.thresholds")
        return self.thresholds

    @property
    def other_targets(self) -> dict[Target, dict[str, GateThresholds]]:
        """The old name of `other_thresholds`."""
        warn_renamed("EvaluationSettings.other_targets", "EvaluationSettings.other_thresholds")
        return self.other_thresholds
