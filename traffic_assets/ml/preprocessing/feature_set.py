"""The columns of a fit, and how their values are prepared.

The settings are `training.preprocessing`; the stages that do it are in `pipeline.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from traffic_assets.catalogue.column import Column
from traffic_assets.ml.metrics.metrics import TARGET
from traffic_assets.ml.preprocessing.formulas import CreatedFeature, is_leaky, parse_formula


@dataclass(frozen=True)
class Preparation:
    """How values are made ready; the settings are `training.preprocessing`.

    Attributes:
        create: formulas of further features (`creation.py`).
        missing: what stands for a missing number: train's median or mean. `drop` fits on rows that miss none of the
            table's numbers, and the median of those stands for what is missing elsewhere.
        outliers: which numbers are outliers, by train's quartiles or deviation; none, iqr (Tukey 1977) or z_score.
        outlier_factor: how far a bound lies from the quartile, in interquartile ranges, or from the mean, in
            standard deviations.
        outlier_action: clip pulls an outlier back to its bound, in every row; drop fits on rows without one.
        selection: which slots are kept: all (none), or as `selection.py` says.
        variance_threshold: for selection by variance.
        top_k: slots that univariate and importance keep.
        scaler: standard (mean 0, deviation 1), min_max (0 to 1) or robust (median 0, interquartile range 1).
        seed: of the forest of selection by importance and of the sample for medians; `training.seed`.
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
        """Whether some train rows may be left out of the fit."""
        return self.missing == "drop" or (self.outliers != "none" and self.outlier_action == "drop")

    @property
    def imputes_only(self) -> bool:
        """Whether nothing is fitted on numbers but what stands for a missing one, and the scale."""
        return self.missing != "drop" and self.outliers == "none" and self.selection == "none"


@dataclass(frozen=True)
class FeatureSet:
    """The columns to train on, in the order of the vector: numeric, created, categorical.

    Attributes:
        numeric: columns of the table that are imputed and scaled.
        categorical: indexed and one-hot encoded; an unseen or null value has the slot `other`.
        missing: features of the catalogue, or to be created, that hold no value in train and are left out.
        nulls: by feature, how many train rows have no value.
        rows: how many train rows there are.
        preparation: how their values are made ready.
        target: what is learned from them.
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
        """The features as `dataclasses.asdict` and JSON left them."""
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
        """The features that the pipeline makes from `numeric`."""
        return tuple(parse_formula(formula) for formula in self.preparation.create if formula not in self.missing)

    @property
    def numbers(self) -> dict[str, str]:
        """Every number in the vector, by name: its column in the pipeline."""
        return {name: name for name in self.numeric} | {feature.name: feature.column for feature in self.created}

    @property
    def names(self) -> tuple[str, ...]:
        """Every feature trained on."""
        return (*self.numbers, *self.categorical)

    @property
    def leaky_features(self) -> tuple[str, ...]:
        """Those of them that, at horizon 0, are functions of the target."""
        return tuple(name for name in self.names if is_leaky(name, self.target))


def usable_features(
    train: DataFrame, columns: Sequence[Column], preparation: Preparation = Preparation(), target: str = TARGET
) -> FeatureSet:
    """The catalogue columns that hold at least one value in train, and what can be created from them.

    Args:
        train: train rows.
        columns: catalogue columns to consider.
        preparation: how their values will be made ready.
        target: what is to be learned from them.

    Raises:
        ValueError: where train has no rows, or none of the columns holds a value.
    """
    present = [c for c in columns if c.name in train.columns]
    numeric = {c.name for c in present if c.role == "numeric"}
    wanted = [parse_formula(formula) for formula in preparation.create]
    possible = [feature for feature in wanted if numeric.issuperset(feature.sources)]
    counts = train.agg(
        F.count(F.lit(1)).alias("_rows"),
        *(F.count_if(has_value(F.col(c.name), c.role)).alias(c.name) for c in present),
        *(F.count_if(has_value(F.expr(feature.sql), "numeric")).alias(feature.name) for feature in possible),
    ).collect()[0]
    if counts["_rows"] == 0:
        raise ValueError(f"train has no rows with a {target}: the window is empty, or the detectors do not report it")
    filled = [c for c in present if counts[c.name]]
    if not filled:
        raise ValueError(f"none of the features holds a value in train: {', '.join(c.name for c in columns)}")
    names = [c.name for c in filled] + [feature.name for feature in possible if counts[feature.name]]
    return FeatureSet(
        numeric=tuple(c.name for c in filled if c.role == "numeric"),
        categorical=tuple(c.name for c in filled if c.role == "categorical"),
        missing=tuple(name for name in [c.name for c in columns] + [f.name for f in wanted] if name not in set(names)),
        nulls={name: counts["_rows"] - counts[name] for name in names if counts["_rows"] > counts[name]},
        rows=counts["_rows"],
        preparation=preparation,
        target=target,
    )


def select_present_features(features: FeatureSet, rows: DataFrame, number: int = 0, others: int = 0) -> FeatureSet:
    """Return the features that hold a value in these rows, which are only a part of train.

    Args:
        features: features of train.
        rows: a part of the train rows, perhaps with others.
        number: number of these rows, if known. The rows are then not read if every feature must hold a value in some
            of them: no feature misses in as many rows of train as there are train rows among these.
        others: greatest number of these rows that are not in train. Any of them may miss any feature, so the returned
            `nulls` are upper bounds.

    Raises:
        ValueError: As `usable_features`.
    """
    if max(features.nulls.values(), default=0) < number - others:
        most = {name: features.nulls.get(name, 0) + others for name in features.names} if others else features.nulls
        return replace(features, rows=number, nulls=most)
    numeric = [Column(name, "numeric", "double") for name in features.numeric]
    categorical = [Column(name, "categorical", "string") for name in features.categorical]
    return usable_features(rows, numeric + categorical, features.preparation, features.target)


def add_created(rows: DataFrame, features: FeatureSet) -> DataFrame:
    """The rows with the columns of the created features."""
    return rows.withColumns({feature.column: F.expr(feature.sql) for feature in features.created})


def has_value(value: SparkColumn, role: str) -> SparkColumn:
    """Not null and, of a number, not NaN: the imputer takes it for missing, and tables made with pandas hold it."""
    return value.isNotNull() & ~F.isnan(value) if role == "numeric" else value.isNotNull()
