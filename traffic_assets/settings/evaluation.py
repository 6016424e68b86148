"""The section `evaluation`: thresholds of the gates, limits of checks that warn, and diagnostics."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidatorFunctionWrapHandler, field_validator, model_validator

from traffic_assets.deprecation import warn_renamed
from traffic_assets.messages import settings as messages
from traffic_assets.settings.gate import GateThresholds
from traffic_assets.settings.models import built_in_settings
from traffic_assets.settings.section import Name, Section, with_fields
from traffic_assets.settings.target import Target, TargetName


@with_fields({name: (GateThresholds, kind.default_thresholds()) for name, kind in built_in_settings().items()})
class ThresholdsByModel(Section):
    """Thresholds of each model's gate; the defaults are in the module of the model."""

    if TYPE_CHECKING:

        def __getattr__(self, model: str) -> GateThresholds: ...


class Band(Section):
    """An inclusive range."""

    low: float = Field(description="Lower bound, inclusive.")
    high: float = Field(description="Upper bound, inclusive.")

    @model_validator(mode="after")
    def _in_order(self) -> "Band":
        if self.low > self.high:
            raise ValueError(messages.BAND_OUT_OF_ORDER(low=self.low, high=self.high))
        return self


class DiagnosticsSettings(Section):
    """Diagnostics that an evaluation computes in addition to its metrics."""

    slices: bool = Field(
        default=True, description="Compute errors by hour, weekday, highway, sensor and congestion level."
    )
    interval_coverage: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=0.9, description="Share of rows that a prediction interval covers. `null` computes no intervals."
    )
    confidence_level: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=0.95, description="Level of the metrics' confidence intervals (block bootstrap). `null` computes none."
    )
    residuals: bool = Field(
        default=True, description="Compute and plot the distribution of the residuals and the residuals over time."
    )
    learning_curve: list[Annotated[float, Field(gt=0, le=1)]] | None = Field(
        default=None,
        description="Increasing shares of the train rows, such as `[0.1, 0.25, 0.5, 1]`; each is fitted once.",
    )

    @field_validator("learning_curve")
    @classmethod
    def _shares_grow(cls, value: list[float] | None) -> list[float] | None:
        if value is not None and (len(value) < 2 or sorted(set(value)) != value):
            raise ValueError(messages.INVALID_LEARNING_CURVE(shares=value))
        return value


class EvaluationSettings(Section):
    """Thresholds that stop a lane, and limits of checks that only warn."""

    old_names: ClassVar[Mapping[str, str]] = {"targets": "thresholds", "other_targets": "other_thresholds"}

    primary_metric: Literal["rmse", "mae", "mape", "r2"] = Field(
        default="rmse", description="Metric that ranks trials and models, on the folds of train."
    )
    thresholds: ThresholdsByModel = Field(
        default_factory=ThresholdsByModel, description="Thresholds of the speed models, by model."
    )
    other_thresholds: dict[TargetName, dict[Name, GateThresholds]] = Field(
        default_factory=dict,
        description="Thresholds of the models of any other target, by target and model, in the target's unit.",
    )
    model_size_mb: Band | None = Field(
        default=None, description="Expected size of the stored random forest in MB. A check warns outside this range."
    )
    top_feature: Name | None = Field(
        default="traffic_efficiency",
        description="Feature that should have the largest importance in the random forest. A check warns otherwise.",
    )
    top_feature_importance: Band = Field(
        default=Band(low=0.70, high=0.90),
        description="Expected importance of `top_feature`. A check warns outside this range.",
    )
    diagnostics: DiagnosticsSettings = Field(default_factory=DiagnosticsSettings)
    significance_level: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.05, description="Significance level of the model comparison, applied to corrected p-values."
    )
    max_training_minutes: Annotated[float, Field(gt=0)] = Field(
        default=10.0, description="Longest expected duration of the final fit, in minutes. A check warns above it."
    )
    plot_points: Annotated[int, Field(ge=100, le=20_000)] = Field(
        default=2000, description="Number of test rows in a scatter plot, sampled by hash."
    )

    @field_validator("other_thresholds", mode="wrap")
    @classmethod
    def _each_target_once(
        cls, value: Any, validated: ValidatorFunctionWrapHandler
    ) -> dict[Target, dict[str, GateThresholds]]:
        thresholds: dict[Target, dict[str, GateThresholds]] = validated(value)
        if len(thresholds) < len(value):
            raise ValueError(messages.DUPLICATE_TARGET_THRESHOLDS(given=list(value), targets=list(thresholds)))
        return thresholds

    @property
    def targets(self) -> ThresholdsByModel:
        """Old name of `thresholds`."""
        warn_renamed("EvaluationSettings.targets", "EvaluationSettings.thresholds")
        return self.thresholds

    @property
    def other_targets(self) -> dict[Target, dict[str, GateThresholds]]:
        """Old name of `other_thresholds`."""
        warn_renamed("EvaluationSettings.other_targets", "EvaluationSettings.other_thresholds")
        return self.other_thresholds
