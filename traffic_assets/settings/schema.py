"""The settings as a whole: every section, and what must hold between them.

A section is in the file of its name, the settings of each model in its module of `models`. What a value does belongs
to the layer that uses it; reading files and the environment belongs to `loading.py`.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationInfo, field_validator, model_validator

from traffic_assets.deprecation import warn_renamed
from traffic_assets.settings.data import DataSettings
from traffic_assets.settings.evaluation import EvaluationSettings
from traffic_assets.settings.gate import GateThresholds
from traffic_assets.settings.models import built_in_settings
from traffic_assets.settings.models.base import ModelSettings, Range
from traffic_assets.settings.persistence import PersistenceSettings
from traffic_assets.settings.section import Section, subsection, with_fields
from traffic_assets.settings.spark import OF_EXECUTORS, SparkSettings
from traffic_assets.settings.target import DEFAULT_TARGET, Target
from traffic_assets.settings.training import TrainingSettings


@with_fields({name: subsection(kind) for name, kind in built_in_settings().items()})
class ModelsSettings(Section):
    """The algorithms, one lane each."""

    if TYPE_CHECKING:

        def __getattr__(self, model: str) -> Any: ...

    @field_validator("*")
    @classmethod
    def _complete_from_lanes_before(cls, value: ModelSettings, info: ValidationInfo) -> ModelSettings:
        return value.with_lanes({name: lane.hyperparameters for name, lane in info.data.items()})

    def named(self) -> dict[str, ModelSettings]:
        """Every algorithm's settings by name, in the order of the file."""
        return {name: getattr(self, name) for name in type(self).model_fields}


class Settings(Section):
    """All settings of one deployment; made by `load_settings`."""

    profile: str = Field(
        default="local",
        description="Profile that these values were loaded from. Set by the loader; cannot be configured.",
    )
    data: DataSettings = Field(default_factory=DataSettings)
    models: ModelsSettings = Field(default_factory=ModelsSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)
    evaluation: EvaluationSettings = Field(default_factory=EvaluationSettings)
    persistence: PersistenceSettings = Field(default_factory=PersistenceSettings)
    spark: SparkSettings = Field(default_factory=SparkSettings)

    @model_validator(mode="after")
    def _one_model_at_least(self) -> "Settings":
        if not self.enabled_models:
            raise ValueError("models: every model is disabled; enable at least one")
        return self

    @model_validator(mode="after")
    def _limits_are_on_lanes(self) -> "Settings":
        models = self.models.named()
        for target, limits in self.evaluation.other_thresholds.items():
            if target == DEFAULT_TARGET:
                raise ValueError(f"evaluation.other_thresholds: the limits of {target} belong to evaluation.thresholds")
            if unknown := [name for name in limits if name not in models]:
                raise ValueError(
                    f"evaluation.other_thresholds.{target}: no such model: {', '.join(unknown)}; the models are "
                    f"{', '.join(models)}"
                )
        return self

    @model_validator(mode="after")
    def _strategy_takes_the_grids(self) -> "Settings":
        if self.training.search.strategy == "grid" and (
            ranges := [
                f"models.{lane}.grid.{name}"
                for lane, model in self.enabled_models.items()
                for name, values in model.grid.items()
                if isinstance(values, Range)
            ]
        ):
            raise ValueError(
                f"{', '.join(ranges)}: given a range, of which training.search.strategy 'grid' cannot try every value; "
                f"give a list, or choose random, tpe or halving"
            )
        return self

    @property
    def without_effect(self) -> list[tuple[tuple[str, ...], str]]:
        """What of these settings does nothing: its path, why, and what to do. Loading tells it."""
        found: list[tuple[tuple[str, ...], str]] = [
            (("models", name, "tune"), f"there is nothing to search, since the grid is empty; give models.{name}.grid")
            for name, model in self.enabled_models.items()
            if model.tune and not model.grid
        ]
        if self.training.max_training_time_minutes is not None and not any(
            m.tune for m in self.enabled_models.values()
        ):
            why = "it limits searches alone, and no model's tune is on; set models.<model>.tune"
            found.append((("training", "max_training_time_minutes"), why))
        if self.training.parallel_training and self.spark.master in ("local", "local[1]"):
            why = f"spark.master {self.spark.master} has one core; give it more, such as local[4]"
            found.append((("training", "parallel_training"), why))
        local = (self.spark.master or "").startswith("local")
        if local and (sizes := [key for key in self.spark.config if key.startswith(OF_EXECUTORS)]):
            why = f"{', '.join(sizes)}: spark.master {self.spark.master} has no executors"
            found.append((("spark", "config"), f"{why}; set spark.driver_memory, or a master with executors"))
        return found

    @cached_property
    def enabled_models(self) -> dict[str, ModelSettings]:
        """The lanes to build: name to settings, in order."""
        return {name: model for name, model in self.models.named().items() if model.enabled}

    def get_thresholds(self, target: Target, model: str) -> GateThresholds:
        """Return the thresholds of a lane's gate; without any where the settings name none for it."""
        if target == DEFAULT_TARGET:
            return getattr(self.evaluation.thresholds, model)
        return self.evaluation.other_thresholds.get(target, {}).get(model, GateThresholds())

    def targets_of(self, target: Target, model: str) -> GateThresholds:
        """Return the same as `get_thresholds`, under its old name."""
        warn_renamed("Settings.targets_of", "Settings.get_thresholds")
        return self.get_thresholds(target, model)

    @property
    def source_uri(self) -> str:
        """Where the input is read from."""
        return self.data.source or f"{self.persistence.base_uri}/raw/readings"
