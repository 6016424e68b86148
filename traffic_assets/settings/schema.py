"""The sections of the settings, with their units, ranges and defaults.

What a value does belongs to the layer that uses it; reading files and the environment belongs to `loading.py`.
"""

import re
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from traffic_assets.settings.hyperparameters import (
    EnsembleSettings,
    GradientBoostedTreesSettings,
    Hyperparameters,
    LinearRegressionSettings,
    ModelSettings,
    RandomForestSettings,
    Range,
    SVRSettings,
    XGBoostSettings,
)


class Section(BaseModel):
    """A section: unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


Percent = Annotated[float, Field(ge=0, le=1)]
Hour = Annotated[float, Field(ge=0, le=24)]
Name = Annotated[str, Field(min_length=1)]

# What users' files call our columns; a setting adds to this or replaces an entry.
ALIASES = {
    "avg_speed": "speed",
    "speed_mph": "speed",
    "traffic_volume": "flow",
    "volume": "flow",
    "occ": "occupancy",
    "station": "sensor_id",
    "station_id": "sensor_id",
    "detector_id": "sensor_id",
    "ts": "timestamp",
    "time": "timestamp",
    "datetime": "timestamp",
    "lat": "latitude",
    "lon": "longitude",
    "lng": "longitude",
    "freeway": "highway",
    "road": "highway",
}


Target = Literal["speed", "flow"]
"""What can be predicted: the targets of the catalogue."""

DEFAULT_TARGET: Target = "speed"
"""The target whose lanes have no prefix, ever."""

_SECRET = re.compile(r"(?i)secret|password|token|access[._-]?key|account\.key\.")
"""Names of Spark settings that hold secrets: Spark's own `spark.redaction.regex`, and the key of an Azure account."""

_CONTAINER_AT_ACCOUNT = ("abfs", "abfss", "wasb", "wasbs")


def _absolute_uri(value: str) -> str:
    """A folder or URI as it is used everywhere: with a scheme and, on the local disk, absolute."""
    parts = urlsplit(value)
    if parts.password or (parts.username and parts.scheme not in _CONTAINER_AT_ACCOUNT):
        raise ValueError("a user or password in a URI would be written to logs; use Hadoop's credentials")
    if parts.scheme in ("", "file"):
        path = parts.path if parts.scheme else value
        if not path:
            raise ValueError("given an empty folder")
        return f"file://{Path(path).expanduser().resolve()}"  # as Spark writes it: nothing encoded
    return value.rstrip("/")


class FillSettings(Section):
    """How gaps in a sensor's speeds are filled before lags and moving means are taken; off by default.

    What fills a gap was measured before the reading whose past it is in; the target is never filled.
    """

    forward_fill: bool = Field(default=False, description="a missing speed is the last one before it")
    interpolation: bool = Field(
        default=False, description="a missing speed lies on the line between its neighbours; comes before forward_fill"
    )
    longest_gap_minutes: Annotated[int, Field(ge=1, le=360)] = Field(
        default=15, description="how far from the missing speed those that fill it may lie"
    )

    @property
    def on(self) -> bool:
        """Whether anything is filled."""
        return self.forward_fill or self.interpolation


class DataSettings(Section):
    """Where readings come from and how they are to be understood."""

    source: str | None = Field(default=None, description="URI of the input; {base_uri}/raw/readings if absent")
    kind: Literal["readings", "features"] = Field(
        default="readings", description="raw detector readings, or a ready-made feature table (read only)"
    )
    format: Literal["auto", "parquet", "csv", "json"] = "auto"
    sensors_source: str | None = Field(
        default=None, description="URI of sensor metadata; taken from the readings if absent"
    )
    aliases: dict[Name, Name] = Field(default_factory=lambda: dict(ALIASES), description="name in the file -> our name")
    time_zone: str = Field(default="America/Los_Angeles", description="the network's; days and weeks are local")
    timestamps: Literal["utc", "local"] = Field(
        default="utc", description="what a timestamp without a zone means in the input"
    )
    timestamp_formats: list[Name] = Field(
        default=["MM/dd/yyyy HH:mm:ss"], description="tried after ISO 8601, as Spark's to_timestamp writes them"
    )
    interval_minutes: Annotated[int, Field(ge=1, le=60)] = 5
    speed_unit: Literal["mph", "km/h"] = "mph"
    first_day: date = Field(default=date(2024, 1, 1), description="the first daily partition")
    last_day: date | None = Field(default=None, description="the last daily partition; open if absent")
    free_flow_speed: Annotated[float, Field(gt=0)] | Literal["per_sensor"] = Field(
        default=65.0, description="mph for the whole network, or per_sensor (85th percentile at night)"
    )
    center: tuple[float, float] | None = Field(
        default=None, description="latitude, longitude; the mean of the sensors if absent"
    )
    rush_hours: list[tuple[Hour, Hour]] = Field(default=[(7, 10), (16, 19)], description="local, on weekdays")
    max_bad_share: Percent = Field(default=0.05, description="a day with more quarantined rows is refused")
    fill: FillSettings = Field(default_factory=FillSettings)

    @field_validator("source", "sensors_source")
    @classmethod
    def _absolute(cls, value: str | None) -> str | None:
        return None if value is None else _absolute_uri(value)

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ValueError, OSError, KeyError) as error:
            raise ValueError("not a time zone of the IANA database, such as America/Los_Angeles") from error
        return value

    @field_validator("aliases")
    @classmethod
    def _aliases_add_to_ours(cls, value: dict[str, str]) -> dict[str, str]:
        return ALIASES | value

    @model_validator(mode="after")
    def _days_are_in_order(self) -> "DataSettings":
        if self.last_day and self.last_day < self.first_day:
            raise ValueError(f"last_day {self.last_day} lies before first_day {self.first_day}")
        for start, end in self.rush_hours:
            if start >= end:
                raise ValueError(f"rush_hours: {start} to {end} is not a span; give [from, to] with from < to")
        return self

    @model_validator(mode="after")
    def _only_readings_are_filled(self) -> "DataSettings":
        if self.fill.on and self.kind == "features":
            raise ValueError("fill acts on readings; a ready-made feature table (kind features) is taken as it is")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The network's time zone."""
        return ZoneInfo(self.time_zone)


class ModelsSettings(Section):
    """The algorithms, one lane each."""

    linear_regression: LinearRegressionSettings = Field(default_factory=LinearRegressionSettings)
    random_forest: RandomForestSettings = Field(default_factory=RandomForestSettings)
    gradient_boosted_trees: GradientBoostedTreesSettings = Field(default_factory=GradientBoostedTreesSettings)
    xgboost: XGBoostSettings = Field(default_factory=XGBoostSettings)
    svr: SVRSettings = Field(default_factory=SVRSettings)
    ensemble: EnsembleSettings = Field(default_factory=EnsembleSettings)  # the last, since it looks at the others

    @field_validator("ensemble")
    @classmethod
    def _members_are_like_their_lanes(cls, value: EnsembleSettings, info: ValidationInfo) -> EnsembleSettings:
        lanes: dict[str, Hyperparameters] = {name: lane.hyperparameters for name, lane in info.data.items()}
        return value.filled(lanes)

    def named(self) -> dict[str, ModelSettings]:
        """Every algorithm's settings by name, in the order of the file."""
        return {name: getattr(self, name) for name in type(self).model_fields}


class SplitSettings(Section):
    """Shares of the rows, or of the sensors where whole sensors are split; they add up to 1."""

    kind: Literal["random", "temporal", "sensor"] = Field(
        default="random", description="rows by hash; in the order of time; whole sensors, judged on unseen places"
    )
    train: Annotated[float, Field(gt=0, lt=1)] = 0.8
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.0
    test: Annotated[float, Field(gt=0, lt=1)] = 0.2
    carved_validation: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.1, description="share of train set aside as validation where `validation` is 0"
    )

    @model_validator(mode="after")
    def _sum_to_one(self) -> "SplitSettings":
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train + validation + test is {total:g}; it must be 1")
        return self


_FORMULA = re.compile(r"([^\W\d]\w*)(?:\*([^\W\d]\w*)|/([^\W\d]\w*)|\^([23]))")


def _formula(value: str) -> str:
    """A formula without spaces, the factors of a product in alphabetical order, so that each is written in one way."""
    text = "".join(value.split())
    parts = _FORMULA.fullmatch(text)
    if parts is None:
        raise ValueError("give a product a*b, a ratio a/b, or a power a^2 or a^3 of numeric features")
    first, factor, divisor, _ = parts.groups()
    if first == factor:
        raise ValueError(f"write {first}^2")
    if first == divisor:
        raise ValueError("the ratio of a feature to itself is 1")
    return "*".join(sorted((first, factor))) if factor else text


Formula = Annotated[str, AfterValidator(_formula)]


class PreprocessingSettings(Section):
    """How feature values are made ready; fitted on train rows, inside each fold."""

    create: tuple[Formula, ...] = Field(
        default=(), description="further features: products a*b, ratios a/b, powers a^2 and a^3 of numeric ones"
    )
    missing: Literal["median", "mean", "drop"] = Field(
        default="median",
        description="what stands for a missing number; drop leaves its row out of train, elsewhere it is the median",
    )
    outliers: Literal["none", "iqr", "z_score"] = Field(
        default="none", description="which numbers lie beyond a bound; bounds by quartiles or deviation"
    )
    outlier_factor: Annotated[float, Field(gt=0)] = Field(
        default=3.0, description="bounds lie so many interquartile ranges beyond the quartiles, or deviations"
    )
    outlier_action: Literal["clip", "drop"] = Field(
        default="clip", description="an outlier is pulled back to its bound; or its row is left out of train"
    )
    selection: Literal["none", "variance", "univariate", "importance"] = Field(
        default="none", description="which slots of the vector are kept; chosen on train, inside each fold"
    )
    variance_threshold: Annotated[float, Field(ge=0)] = Field(
        default=0.0, description="variance keeps slots that vary more than this, in their own unit squared"
    )
    top_k: Annotated[int, Field(ge=1)] = Field(default=20, description="slots that univariate and importance keep")
    scaler: Literal["standard", "min_max", "robust"] = "standard"

    @field_validator("create")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if twice := sorted({formula for formula in value if value.count(formula) > 1}):
            raise ValueError(f"given more than once: {', '.join(twice)}")
        return value


class SearchSettings(Section):
    """How the lanes whose `tune` is on look for hyperparameters."""

    strategy: Literal["grid", "random", "tpe", "halving"] = Field(
        default="grid", description="every point; draws; Optuna's TPE; successive halving of all points or draws"
    )
    trials: Annotated[int, Field(ge=1, le=10_000)] = Field(default=20, description="draws of random, tpe and ranges")
    batch: Annotated[int, Field(ge=1, le=100)] = Field(
        default=4, description="trials that tpe proposes at once; a fixed number keeps it the same for a seed"
    )
    reduction: Annotated[int, Field(ge=2, le=10)] = Field(
        default=3, description="halving keeps the best of so many, and gives them as many times the rows"
    )
    screen: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="how many points of a grid, or draws, a fast engine lets through; null judges all"
    )
    screen_rows: Annotated[int, Field(ge=100, le=200_000)] = Field(
        default=20_000, description="train rows that the fast engine ranks by, at most"
    )
    share_fits: bool = Field(
        default=True, description="one forest answers for the smaller ones of a grid; the winner is fitted itself"
    )

    @model_validator(mode="after")
    def _screening_knows_all_points(self) -> "SearchSettings":
        if self.screen and self.strategy in ("tpe", "halving"):
            raise ValueError(
                f"screen: given {self.screen} with strategy {self.strategy!r}, which chooses as it goes; screen a grid "
                f"or random draws"
            )
        return self


class TrainingSettings(Section):
    """The training window, the splits and the cross-validation."""

    targets: Annotated[list[Target], Field(min_length=1)] = Field(
        default=[DEFAULT_TARGET], description="what to predict, one lane for each target and model"
    )
    window_weeks: Annotated[int, Field(ge=1, le=53)] = Field(
        default=2, description="weeks in a training window: the partition's and those before it"
    )
    minimum_days: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="days that must hold readings; all of the window if absent"
    )
    split: SplitSettings = Field(default_factory=SplitSettings)
    folds: Annotated[int, Field(ge=2, le=50)] = 5
    fold_kind: Literal["random", "sensor", "expanding", "sliding"] = Field(
        default="random", description="rows by hash; whole sensors; windows of time that grow, or slide"
    )
    fold_gap_minutes: Annotated[int, Field(ge=0)] = Field(
        default=60, description="time between what a fold in time fits and judges: the reach of the lags"
    )
    preprocessing: PreprocessingSettings = Field(default_factory=PreprocessingSettings)
    search: SearchSettings = Field(default_factory=SearchSettings)
    max_training_time_minutes: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="for the searches of a run, in even parts; after its part one starts no fit, the best so far wins",
    )
    parallel_training: bool = Field(
        default=False, description="judge several folds at the same time, in as many threads as Spark has cores"
    )
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 42
    temporal_train_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.8, description="the temporal verdict fits on this first part of the window's time"
    )
    features: Annotated[list[Name], Field(min_length=1)] | None = Field(
        default=None, description="catalogue columns to train on; all if absent"
    )
    exclude_features: list[Name] = Field(default=[], description="catalogue columns not to train on")
    cache_partitions: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Spark partitions of the cached rows; as many as cores if absent"
    )

    @field_validator("targets", mode="before")
    @classmethod
    def _targets_under_our_names(cls, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        ours = [ALIASES.get(target, target) if isinstance(target, str) else target for target in value]
        if len(set(map(str, ours))) < len(ours):
            raise ValueError(f"given the same target twice: {', '.join(map(str, value))}")
        return ours

    @property
    def window_days(self) -> int:
        """Days in a whole training window."""
        return 7 * self.window_weeks

    @property
    def required_days(self) -> int:
        """Days of the window that must hold readings."""
        return self.minimum_days or self.window_days

    @model_validator(mode="after")
    def _minimum_fits(self) -> "TrainingSettings":
        if self.required_days > self.window_days:
            raise ValueError(f"minimum_days {self.minimum_days} is more than the {self.window_days} days of the window")
        return self


class Targets(Section):
    """What a lane's gate enforces on the random hold-out; absent values are not enforced."""

    r2_min: float | None = Field(default=None, description="R² on test at least this")
    rmse_max: Annotated[float, Field(gt=0)] | None = Field(default=None, description="mph, at most this")
    mae_max: Annotated[float, Field(gt=0)] | None = Field(default=None, description="mph, at most this")
    cv_r2_mean_min: float | None = Field(default=None, description="mean R² of the folds, above this")
    cv_r2_std_max: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="deviation of the folds' R², below this"
    )


class TargetsByModel(Section):
    """The targets of the users' plan."""

    linear_regression: Targets = Targets(r2_min=0.90, rmse_max=5.0, mae_max=3.0)
    random_forest: Targets = Targets(
        r2_min=0.9996, rmse_max=0.752, mae_max=0.289, cv_r2_mean_min=0.999, cv_r2_std_max=0.001
    )
    gradient_boosted_trees: Targets = Targets(r2_min=0.9992, rmse_max=1.061)
    xgboost: Targets = Targets()
    svr: Targets = Targets()
    ensemble: Targets = Targets()


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
    """Targets that stop a lane, and what only warns."""

    primary_metric: Literal["rmse", "mae", "mape", "r2"] = "rmse"
    targets: TargetsByModel = Field(default_factory=TargetsByModel, description="of the lanes of the speed, mph")
    other_targets: dict[Target, dict[Name, Targets]] = Field(
        default_factory=dict, description="of the lanes of another target, by target and model, in the target's unit"
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


OWN_FOLDERS = ("raw", "processed", "training")
"""Folders below base_uri that hold readings, features and what a training makes; see `resources.LOCATIONS`."""


class PersistenceSettings(Section):
    """Where everything is stored, and for how long."""

    base_uri: str = Field(default="traffic-data", description="a folder, or any Hadoop URI such as hdfs://...")
    registry_folder: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)*$")] = Field(
        default="models", description="folder of the registered models, below base_uri"
    )
    keep_generations_hours: Annotated[float, Field(ge=24)] | None = Field(
        default=None, description="remove replaced generations after this; never if absent"
    )
    browse_url: Annotated[str, Field(pattern=r"^https?://.*\{path\}")] | None = Field(
        default=None, description="opens a file of base_uri in a browser, {path} being its path below; links reports"
    )

    @field_validator("base_uri")
    @classmethod
    def _absolute(cls, value: str) -> str:
        return _absolute_uri(value)

    @field_validator("registry_folder")
    @classmethod
    def _apart_from_assets(cls, value: str) -> str:
        if value.split("/")[0] in OWN_FOLDERS:
            raise ValueError(
                f"versions would lie among assets; any folder is allowed that is not in {', '.join(OWN_FOLDERS)}"
            )
        return value


_OF_EXECUTORS = ("spark.executor.memory", "spark.executor.cores", "spark.executor.instances")


class SparkSettings(Section):
    """The Spark session."""

    app_name: Name = "traffic_assets"
    master: Annotated[str, Field(pattern=r"^(local(\[.+\])?|spark://.+|yarn|k8s://.+)$")] | None = Field(
        default="local[*]", description="null leaves it to spark-submit"
    )
    driver_memory: Annotated[str, Field(pattern=r"^\d+[kmgKMG]$")] = Field(
        default="4g", description="set before the JVM starts"
    )
    config: dict[Name, str] = Field(default_factory=dict, description="any other spark.* setting; no secrets")

    @field_validator("config", mode="before")
    @classmethod
    def _values_as_spark_writes_them(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {
            k: str(v).lower() if isinstance(v, bool) else v if not isinstance(v, int | float) else str(v)
            for k, v in value.items()
        }

    @field_validator("config")
    @classmethod
    def _only_spark_keys(cls, value: dict[str, str]) -> dict[str, str]:
        wrong = [k for k in value if not k.startswith("spark.")]
        if wrong:
            raise ValueError(f"not Spark settings: {', '.join(wrong)}; names begin with 'spark.'")
        own = {"spark.master": "spark.master", "spark.app.name": "app_name", "spark.driver.memory": "driver_memory"}
        if clash := [k for k in value if k in own]:
            raise ValueError(f"{', '.join(clash)} have settings of their own: master, app_name, driver_memory")
        if secret := [k for k in value if _SECRET.search(k)]:
            raise ValueError(
                f"{', '.join(secret)}: what is set here is shown in clear by the Dagster UI and `traffic-assets "
                f"settings`; give secrets in the files of HADOOP_CONF_DIR, or in a Hadoop credential provider named by "
                f"spark.hadoop.hadoop.security.credential.provider.path"
            )
        return value


class Settings(Section):
    """All settings of one deployment; made by `load_settings`."""

    profile: str = Field(default="local", description="where these values came from; set by loading")
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
        for target, limits in self.evaluation.other_targets.items():
            if target == DEFAULT_TARGET:
                raise ValueError(f"evaluation.other_targets: the limits of {target} belong to evaluation.targets")
            if unknown := [name for name in limits if name not in models]:
                raise ValueError(
                    f"evaluation.other_targets.{target}: no such model: {', '.join(unknown)}; the models are "
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
        local = (self.spark.master or "").startswith("local")
        if local and (sizes := [key for key in self.spark.config if key.startswith(_OF_EXECUTORS)]):
            why = f"{', '.join(sizes)}: spark.master {self.spark.master} has no executors"
            found.append((("spark", "config"), f"{why}; set spark.driver_memory, or a master with executors"))
        return found

    @cached_property
    def enabled_models(self) -> dict[str, ModelSettings]:
        """The lanes to build: name to settings, in order."""
        return {name: model for name, model in self.models.named().items() if model.enabled}

    def targets_of(self, target: Target, model: str) -> Targets:
        """What the gate of a lane enforces; nothing where the settings name no limits for it."""
        if target == DEFAULT_TARGET:
            return getattr(self.evaluation.targets, model)
        return self.evaluation.other_targets.get(target, {}).get(model, Targets())

    @property
    def source_uri(self) -> str:
        """Where the input is read from."""
        return self.data.source or f"{self.persistence.base_uri}/raw/readings"
