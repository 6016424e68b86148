"""The section `training`: window, splits, preprocessing, folds and search."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from traffic_assets.settings.section import Name, Section
from traffic_assets.settings.target import DEFAULT_TARGET, Target, TargetName


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

    targets: Annotated[list[TargetName], Field(min_length=1)] = Field(
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
        default=False, description="judge several folds and trials at the same time, as many as Spark has cores"
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

    @field_validator("targets")
    @classmethod
    def _each_target_once(cls, value: list[Target]) -> list[Target]:
        if len(set(value)) < len(value):
            raise ValueError(f"the same target twice, since these mean {', '.join(value)}; give each once")
        return value

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
