"""The section `training`: window, splits, preprocessing, folds and search."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidatorFunctionWrapHandler, field_validator, model_validator

from traffic_assets.messages import settings as messages
from traffic_assets.settings.section import LARGEST_INTEGER, Name, Section
from traffic_assets.settings.target import DEFAULT_TARGET, Target, TargetName


class SplitSettings(Section):
    """Shares of the rows, or of the sensors if `kind` is `sensor`; they add up to 1."""

    kind: Literal["random", "temporal", "sensor"] = Field(
        default="random", description="`random` splits rows by hash, `temporal` by time, `sensor` by whole sensors."
    )
    train: Annotated[float, Field(gt=0, lt=1)] = Field(default=0.8, description="Share of the train split.")
    validation: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0, description="Share of the validation split. 0 uses `carved_validation` of train instead."
    )
    test: Annotated[float, Field(gt=0, lt=1)] = Field(default=0.2, description="Share of the test split.")
    carved_validation: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.1, description="Share of train set aside as validation if `validation` is 0."
    )

    @model_validator(mode="after")
    def _sum_to_one(self) -> "SplitSettings":
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(messages.SHARES_NOT_ONE(total=total))
        return self


_FORMULA = re.compile(r"([^\W\d]\w*)(?:\*([^\W\d]\w*)|/([^\W\d]\w*)|\^([23]))")


def _formula(value: str) -> str:
    """Return a formula in its canonical form: no spaces, and the factors of a product in alphabetical order."""
    text = "".join(value.split())
    parts = _FORMULA.fullmatch(text)
    if parts is None:
        raise ValueError(messages.INVALID_FORMULA(formula=value))
    first, factor, divisor, _ = parts.groups()
    if first == factor:
        raise ValueError(messages.SQUARE_AS_PRODUCT(formula=text, feature=first))
    if first == divisor:
        raise ValueError(messages.CONSTANT_RATIO(formula=text))
    return "*".join(sorted((first, factor))) if factor else text


Formula = Annotated[str, AfterValidator(_formula)]


class PreprocessingSettings(Section):
    """Preprocessing of the features, fitted on the train rows and again in each fold."""

    create: tuple[Formula, ...] = Field(
        default=(),
        description="Features to create from numeric ones: products `a*b`, ratios `a/b`, powers `a^2` and `a^3`.",
    )
    missing: Literal["median", "mean", "drop"] = Field(
        default="median",
        description="Imputation of missing numbers. `drop` leaves the row out of the fit, and imputes the median in "
        "predictions.",
    )
    outliers: Literal["none", "iqr", "z_score"] = Field(
        default="none", description="Detection of outliers, by interquartile range or by standard deviation."
    )
    outlier_factor: Annotated[float, Field(gt=0)] = Field(
        default=3.0,
        description="Distance of the bounds, in interquartile ranges from the quartiles or in standard deviations from "
        "the mean.",
    )
    outlier_action: Literal["clip", "drop"] = Field(
        default="clip", description="`clip` sets an outlier to its bound, `drop` leaves the row out of the fit."
    )
    selection: Literal["none", "variance", "univariate", "importance"] = Field(
        default="none", description="Selection of vector slots, fitted on train and again in each fold."
    )
    variance_threshold: Annotated[float, Field(ge=0)] = Field(
        default=0.0, description="Exclusive lower bound for `variance`, in the slot's unit squared."
    )
    top_k: Annotated[int, Field(ge=1, le=LARGEST_INTEGER)] = Field(
        default=20, description="Number of slots that `univariate` and `importance` keep."
    )
    scaler: Literal["standard", "min_max", "robust"] = Field(
        default="standard", description="Scaling of the vector, fitted on train and again in each fold."
    )

    @field_validator("create")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if twice := sorted({formula for formula in value if value.count(formula) > 1}):
            raise ValueError(messages.DUPLICATE_FORMULAS(formulas=twice))
        return value


class SearchSettings(Section):
    """Search for hyperparameters, for the models whose `tune` is on."""

    strategy: Literal["grid", "random", "tpe", "halving"] = Field(
        default="grid",
        description="Search strategy: every point, random draws, Optuna's TPE or successive halving.",
    )
    trials: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=20, description="Number of points that `random`, `tpe` and `halving` over ranges draw."
    )
    batch: Annotated[int, Field(ge=1, le=100)] = Field(
        default=4,
        description="Trials that `tpe` proposes per round. The result depends on it, so it is not derived from the "
        "number of cores.",
    )
    reduction: Annotated[int, Field(ge=2, le=10)] = Field(
        default=3,
        description="Reduction factor n of `halving`: each rung keeps 1/n of the points and uses n times the rows.",
    )
    screen: Annotated[int, Field(ge=1, le=LARGEST_INTEGER)] | None = Field(
        default=None,
        description="Number of points that a fast surrogate selects for cross-validation. `null` evaluates all points.",
    )
    screen_rows: Annotated[int, Field(ge=100, le=200_000)] = Field(
        default=20_000, description="Maximum number of train rows that the surrogate is fitted on."
    )
    share_fits: bool = Field(
        default=True,
        description="Evaluate the smaller forests of a grid from one large fit. The winner is always fitted "
        "separately.",
    )

    @model_validator(mode="after")
    def _screening_knows_all_points(self) -> "SearchSettings":
        if self.screen and self.strategy in ("tpe", "halving"):
            raise ValueError(messages.SCREENED_STRATEGY(screen=self.screen, strategy=self.strategy))
        return self


class TrainingSettings(Section):
    """Training window, splits, preprocessing, cross-validation and search."""

    targets: Annotated[list[TargetName], Field(min_length=1)] = Field(
        default=[DEFAULT_TARGET], description="Variables to predict. Every enabled model gets one lane for each."
    )
    window_weeks: Annotated[int, Field(ge=1, le=53)] = Field(
        default=2, description="Weeks in a training window: the partition's week and those before it."
    )
    minimum_days: Annotated[int, Field(ge=1, le=371)] | None = Field(
        default=None, description="Days of the window that must have readings. Default: all of them."
    )
    mixed_settings: Literal["refuse", "warn"] = Field(
        default="refuse",
        description="Training over days that were built with different settings or code: `refuse` it, or only `warn`.",
    )
    split: SplitSettings = Field(default_factory=SplitSettings)
    folds: Annotated[int, Field(ge=2, le=50)] = Field(default=5, description="Number of cross-validation folds.")
    fold_kind: Literal["random", "sensor", "expanding", "sliding"] = Field(
        default="random",
        description="`random` folds by row hash, `sensor` by whole sensors, `expanding` and `sliding` by time.",
    )
    fold_gap_minutes: Annotated[int, Field(ge=0, le=534_240)] = Field(
        default=60,
        description="Gap in minutes between train and test of a temporal fold, so that lags do not reach across.",
    )
    preprocessing: PreprocessingSettings = Field(default_factory=PreprocessingSettings)
    search: SearchSettings = Field(default_factory=SearchSettings)
    max_training_time_minutes: Annotated[float, Field(gt=0, le=525_600)] | None = Field(
        default=None,
        description="Time budget in minutes for all searches of a run, split equally. The best trial so far wins.",
    )
    parallel_training: bool = Field(
        default=False, description="Fit several folds and trials at the same time, up to the number of Spark's cores."
    )
    seed: Annotated[int, Field(ge=0, le=LARGEST_INTEGER)] = Field(
        default=42, description="Seed for splits, folds, searches and fits."
    )
    temporal_train_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.8, description="Share of the window, from its start, that the temporal holdout is fitted on."
    )
    features: Annotated[list[Name], Field(min_length=1)] | None = Field(
        default=None, description="Features to train on. Default: every feature of the catalogue."
    )
    exclude_features: list[Name] = Field(default=[], description="Features not to train on.")
    cache_partitions: Annotated[int, Field(ge=1, le=LARGEST_INTEGER)] | None = Field(
        default=None, description="Spark partitions of the cached rows. Default: the number of cores."
    )

    @field_validator("targets", mode="wrap")
    @classmethod
    def _each_target_once(cls, value: Any, validated: ValidatorFunctionWrapHandler) -> list[Target]:
        targets: list[Target] = validated(value)
        if len(set(targets)) < len(targets):
            raise ValueError(messages.DUPLICATE_TARGETS(given=value, targets=targets))
        return targets

    @property
    def window_days(self) -> int:
        """Number of days in a training window."""
        return 7 * self.window_weeks

    @property
    def required_days(self) -> int:
        """Number of days of the window that must have readings."""
        return self.minimum_days or self.window_days

    @model_validator(mode="after")
    def _minimum_fits(self) -> "TrainingSettings":
        if self.required_days > self.window_days:
            raise ValueError(messages.TOO_MANY_DAYS(minimum_days=self.minimum_days, window_days=self.window_days))
        return self
