"""The settings as a whole: every section, and the rules between sections.

A section is in the file of its name, the settings of each model in its module of `models`. The effect of a value
belongs to the package that uses it. `loading.py` reads files and the environment.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, get_args

from pydantic import Field, ValidationInfo, field_validator, model_validator

from traffic_assets.dagster_hdfs.installed_backends import find_backend
from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.dagster_hdfs.uris import get_scheme, redact
from traffic_assets.deprecation import warn_renamed
from traffic_assets.messages import settings as messages
from traffic_assets.settings.data import DataSettings
from traffic_assets.settings.evaluation import EvaluationSettings
from traffic_assets.settings.formats import DEPLOYMENT, OWNER
from traffic_assets.settings.gate import GateThresholds
from traffic_assets.settings.models import built_in_settings
from traffic_assets.settings.models.base import ModelSettings, Range
from traffic_assets.settings.persistence import HIERARCHICAL, RAW, PersistenceSettings
from traffic_assets.settings.runs import RunSettings
from traffic_assets.settings.section import Section, subsection, with_fields
from traffic_assets.settings.spark import EXECUTOR_SETTINGS, SparkSettings
from traffic_assets.settings.target import DEFAULT_TARGET, Target
from traffic_assets.settings.training import TrainingSettings


@with_fields({name: subsection(kind) for name, kind in built_in_settings().items()})
class ModelsSettings(Section):
    """Settings of the models, one section each."""

    if TYPE_CHECKING:

        def __getattr__(self, model: str) -> Any: ...

    @field_validator("*")
    @classmethod
    def _complete_from_lanes_before(cls, value: ModelSettings, info: ValidationInfo) -> ModelSettings:
        return value.with_lanes({name: lane.hyperparameters for name, lane in info.data.items()})

    def get_sections(self) -> dict[str, ModelSettings]:
        """Return the settings of every model by name, in the order of the lanes."""
        return {name: getattr(self, name) for name in type(self).model_fields}


Owner = Annotated[str, Field(pattern=OWNER)]


class Settings(Section):
    """All settings of one deployment; `load_settings` creates them."""

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
    runs: RunSettings = Field(default_factory=RunSettings)
    deployment: Annotated[str, Field(pattern=DEPLOYMENT)] = Field(
        default="",
        description="Prefix of asset keys, jobs, sensors and tags in Dagster, such as `san_diego`, so that several "
        "networks share one instance. Paths in storage, models and commands do not depend on it. Default: no prefix.",
    )
    owners: list[Owner] = Field(
        default_factory=list, description="Owners of the assets in the Dagster UI: e-mail addresses, or `team:<name>`."
    )

    @field_validator("deployment")
    @classmethod
    def _apart_from_targets(cls, value: str) -> str:
        if value in get_args(Target):
            raise ValueError(messages.DEPLOYMENT_IS_A_TARGET(deployment=value, targets=get_args(Target)))
        return value

    @model_validator(mode="after")
    def _one_model_at_least(self) -> "Settings":
        if not self.enabled_models:
            raise ValueError(messages.NO_MODEL_ENABLED())
        return self

    @model_validator(mode="after")
    def _limits_are_on_lanes(self) -> "Settings":
        models = self.models.get_sections()
        for target, limits in self.evaluation.other_thresholds.items():
            if target == DEFAULT_TARGET:
                raise ValueError(messages.MISPLACED_THRESHOLDS(target=target))
            if unknown := [name for name in limits if name not in models]:
                raise ValueError(messages.UNKNOWN_MODEL_THRESHOLDS(target=target, unknown=unknown, models=list(models)))
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
            raise ValueError(messages.RANGE_IN_GRID_SEARCH(settings=ranges))
        return self

    @property
    def without_effect(self) -> list[tuple[tuple[str, ...], CodedText]]:
        """Settings that have no effect, or may not work: path and message of each. The loader logs them as warnings."""
        return [*self._empty_searches(), *self._idle_training(), *self._idle_spark(), *self._uncertain_storage()]

    def _uncertain_storage(self) -> Iterator[tuple[tuple[str, ...], CodedText]]:
        uri = self.persistence.base_uri
        if get_scheme(uri) in HIERARCHICAL and find_backend(uri) is None:
            yield ("persistence", "base_uri"), messages.NEEDS_HIERARCHICAL_NAMESPACE(uri=uri)

    def _empty_searches(self) -> Iterator[tuple[tuple[str, ...], CodedText]]:
        for name, model in self.enabled_models.items():
            if model.tune and not model.grid:
                yield ("models", name, "tune"), messages.EMPTY_SEARCH(model=name)

    def _idle_training(self) -> Iterator[tuple[tuple[str, ...], CodedText]]:
        minutes = self.training.max_training_time_minutes
        if minutes is not None and not any(model.tune for model in self.enabled_models.values()):
            yield ("training", "max_training_time_minutes"), messages.UNUSED_TIME_LIMIT(minutes=minutes)
        if self.training.parallel_training and self.spark.master in ("local", "local[1]"):
            yield ("training", "parallel_training"), messages.PARALLEL_ON_ONE_CORE(master=self.spark.master)

    def _idle_spark(self) -> Iterator[tuple[tuple[str, ...], CodedText]]:
        keys = [key for key in self.spark.config if key.startswith(EXECUTOR_SETTINGS)]
        if keys and (self.spark.master or "").startswith("local"):
            text = messages.EXECUTORS_OF_LOCAL_SESSION(keys=keys, master=self.spark.master)
            yield ("spark", "config"), text

    @cached_property
    def enabled_models(self) -> dict[str, ModelSettings]:
        """Settings of the enabled models by name, in the order of the lanes."""
        return {name: model for name, model in self.models.get_sections().items() if model.enabled}

    def get_thresholds(self, target: Target, model: str) -> GateThresholds:
        """Return the thresholds of a lane's gate; without limits if the settings have none for the lane."""
        if target == DEFAULT_TARGET:
            return getattr(self.evaluation.thresholds, model)
        return self.evaluation.other_thresholds.get(target, {}).get(model, GateThresholds())

    def targets_of(self, target: Target, model: str) -> GateThresholds:
        """Return `get_thresholds`; the old name works until 1.0."""
        warn_renamed("Settings.targets_of", "Settings.get_thresholds")
        return self.get_thresholds(target, model)

    @property
    def source_uri(self) -> str:
        """URI of the input."""
        return self.data.source or f"{self.persistence.base_uri}/{RAW}/readings"

    def describe_source(self, uri: str) -> str:
        """Return where input files are: relative to the base URI if they are below it, so that both can be moved."""
        return redact(uri.removeprefix(f"{self.persistence.base_uri.rstrip('/')}/"))
