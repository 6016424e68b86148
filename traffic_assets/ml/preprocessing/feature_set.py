"""The columns of a fit, and how their values are prepared.

`training.preprocessing` has the settings, `pipeline.py` the stages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from traffic_assets.catalogue.column import Column
from traffic_assets.messages import preprocessing as messages
from traffic_assets.ml.metrics.metrics import TARGET
from traffic_assets.ml.preprocessing.formulas import CreatedFeature, is_leaky, parse_formula


@dataclass(frozen=True)
class Preparation:
    """Preparation of values, as in the settings `training.preprocessing`.

    Attributes:
        create: Formulas of further features (`formulas.py`).
        missing: Replacement of a missing number: train's median or mean. `drop` fits on the rows without a missing
            number, and imputes other rows with the median of those.
        outliers: Definition of an outlier, by train's quartiles or standard deviation: none, iqr (Tukey 1977) or
            z_score.
        outlier_factor: Distance of a bound from the quartile, in interquartile ranges, or from the mean, in standard
            deviations.
        outlier_action: `clip` replaces an outlier by its bound, in every row; `drop` fits on rows without outliers.
        selection: Method that selects slots (`selection.py`); none keeps all.
        variance_threshold: Variance above which a slot is kept, for selection by variance.
        top_k: Number of slots that univariate and importance keep.
        scaler: Standard (mean 0, standard deviation 1), min_max (0 to 1) or robust (median 0, interquartile range 1).
        seed: Seed for the forest of selection by importance and for the sample for medians; `training.seed`.
    """

    create: tuple[str, ...] = ()
    missing: Literal["median", "mean", "drop"] = "median"
    outliers: Literal["none", "iqr", "z_score"] = "none"
    outlier_factor: float = 3.0
    outlier_action: Literal["clip", "drop"] = "clip"
    selection: Literal["none", "variance", "univariate", "importance"] = "none"
    variance_threshold: float = 0.0
    top_k: int = 20
    scaler: Literal["standard", "min_max", "robust"] = "standard"
    seed: int = 42

    @property
    def drops(self) -> bool:
        """True if the fit may leave out some train rows."""
        return self.missing == "drop" or (self.outliers != "none" and self.outlier_action == "drop")

    @property
    def imputes_only(self) -> bool:
        """True if the preprocessor fits nothing on numbers except their imputed values and their scale."""
        return self.missing != "drop" and self.outliers == "none" and self.selection == "none"


@dataclass(frozen=True)
class FeatureSet:
    """The columns to train on, in the order of the vector: numeric, created, categorical.

    Attributes:
        numeric: Columns of the table to impute and scale.
        categorical: Columns to index and one-hot encode; an unseen or null value has the slot `other`.
        missing: Features of the catalogue, and features to create, that have no value in train and are left out.
        nulls: Number of train rows without a value, by feature.
        rows: Number of train rows.
        preparation: Preparation of the values.
        target: The predicted variable.
    """

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    missing: tuple[str, ...]
    nulls: dict[str, int]
    rows: int
    preparation: Preparation = Preparation()
    target: str = TARGET

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "FeatureSet":
        """Return the features from the result of `dataclasses.asdict`, possibly stored as JSON."""
        preparation = stored["preparation"]
        return cls(
            tuple(stored["numeric"]),
            tuple(stored["categorical"]),
            tuple(stored["missing"]),
            dict(stored["nulls"]),
            stored["rows"],
            Preparation(**{**preparation, "create": tuple(preparation.get("create", ()))}),
            stored["target"],
        )

    @cached_property
    def created(self) -> tuple[CreatedFeature, ...]:
        """The features that the pipeline computes from `numeric`."""
        return tuple(parse_formula(formula) for formula in self.preparation.create if formula not in self.missing)

    @property
    def numbers(self) -> dict[str, str]:
        """Every number in the vector: its column in the pipeline, by name."""
        return {name: name for name in self.numeric} | {feature.name: feature.column for feature in self.created}

    @property
    def names(self) -> tuple[str, ...]:
        """Every feature to train on."""
        return (*self.numbers, *self.categorical)

    @property
    def leaky_features(self) -> tuple[str, ...]:
        """The features that, at horizon 0, are functions of the target."""
        return tuple(name for name in self.names if is_leaky(name, self.target))


def usable_features(
    train: DataFrame, columns: Sequence[Column], preparation: Preparation = Preparation(), target: str = TARGET
) -> FeatureSet:
    """Return the catalogue columns with at least one value in train, and the features created from them.

    Args:
        train: Train rows.
        columns: Catalogue columns to consider.
        preparation: Preparation of the values.
        target: The predicted variable.

    Raises:
        ValueError: If train has no rows, or none of the columns has a value.
    """
    present = [c for c in columns if c.name in train.columns]
    numeric = {c.name for c in present if c.role == "numeric"}
    requested = [parse_formula(formula) for formula in preparation.create]
    possible = [feature for feature in requested if numeric.issuperset(feature.sources)]
    counts = train.agg(
        F.count(F.lit(1)).alias("_rows"),
        *(F.count_if(has_value(F.col(c.name), c.role)).alias(c.name) for c in present),
        *(F.count_if(has_value(F.expr(feature.sql), "numeric")).alias(feature.name) for feature in possible),
    ).collect()[0]
    if counts["_rows"] == 0:
        raise ValueError(messages.NO_TARGET(target=target))
    usable = [c for c in present if counts[c.name]]
    if not usable:
        raise ValueError(messages.NO_FEATURE_VALUES(features=[c.name for c in columns]))
    names = [c.name for c in usable] + [feature.name for feature in possible if counts[feature.name]]
    return FeatureSet(
        numeric=tuple(c.name for c in usable if c.role == "numeric"),
        categorical=tuple(c.name for c in usable if c.role == "categorical"),
        missing=tuple(name for name in [*(c.name for c in columns), *(f.name for f in requested)] if name not in names),
        nulls={name: counts["_rows"] - counts[name] for name in names if counts["_rows"] > counts[name]},
        rows=counts["_rows"],
        preparation=preparation,
        target=target,
    )


def select_present_features(features: FeatureSet, rows: DataFrame, number: int = 0, others: int = 0) -> FeatureSet:
    """Return the features that have a value in these rows, which are only a part of train.

    At least `number - others` of these rows are in train. If no feature is missing in that many train rows, each has a
    value in some of these rows. They are then not read, and the returned `nulls` are upper bounds.

    Args:
        features: Features of train.
        rows: A part of the train rows, possibly with others.
        number: Number of these rows; 0 if unknown.
        others: Upper bound of the number of these rows that are not in train.

    Raises:
        ValueError: If there are no rows, or none of the features has a value in them.
    """
    if max(features.nulls.values(), default=0) < number - others:
        most = {name: features.nulls.get(name, 0) + others for name in features.names} if others else features.nulls
        return replace(features, rows=number, nulls=most)
    numeric = [Column(name, "numeric", "double") for name in features.numeric]
    categorical = [Column(name, "categorical", "string") for name in features.categorical]
    return usable_features(rows, numeric + categorical, features.preparation, features.target)


def add_created(rows: DataFrame, features: FeatureSet) -> DataFrame:
    """Add the columns of the created features."""
    return rows.withColumns({feature.column: F.expr(feature.sql) for feature in features.created})


def has_value(value: SparkColumn, role: str) -> SparkColumn:
    """Return true for values that are not null and, for numbers, not NaN.

    The imputer treats NaN as missing, and tables written by pandas contain it.
    """
    return value.isNotNull() & ~F.isnan(value) if role == "numeric" else value.isNotNull()
