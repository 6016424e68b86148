"""The preprocessor: impute, index, one-hot, assemble, standardise, with the name of every vector slot.

Fitted on train rows only (of each fold, in cross-validation). What a column means comes from the catalogue; what
is fitted on the vector lives in `algorithms/`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.feature import (
    Imputer,
    MinMaxScaler,
    OneHotEncoder,
    RobustScaler,
    SQLTransformer,
    StandardScaler,
    StringIndexer,
    StringIndexerModel,
    VectorAssembler,
)
from pyspark.ml.stat import Summarizer
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from traffic_assets.features.catalogue import Column
from traffic_assets.ml.metrics import TARGET

ASSEMBLED, VECTOR = "assembled", "features"
OTHER = "other"
CONSTANT_BELOW = 1e-12
_ACCURACY = 10_000


@dataclass(frozen=True)
class Preparation:
    """How values are made ready; the settings are `training.preprocessing`.

    Attributes:
        missing: what stands for a missing number: train's median or mean.
        outliers: which numbers are pulled back to the nearest bound, by train's quartiles or deviation; none, iqr
            (Tukey 1977) or z_score.
        outlier_factor: how far a bound lies from the quartile, in interquartile ranges, or from the mean, in
            standard deviations.
        scaler: standard (mean 0, deviation 1), min_max (0 to 1) or robust (median 0, interquartile range 1).
    """

    missing: Literal["median", "mean"] = "median"
    outliers: Literal["none", "iqr", "z_score"] = "none"
    outlier_factor: float = 3.0
    scaler: Literal["standard", "min_max", "robust"] = "standard"


@dataclass(frozen=True)
class FeatureSet:
    """The columns to train on, in the order of the vector.

    Attributes:
        numeric: imputed with train's median and standardised.
        categorical: indexed and one-hot encoded; an unseen or null value has the slot `other`.
        missing: features of the catalogue that hold no value in train and are left out.
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
    def of(cls, stored: Mapping[str, Any]) -> "FeatureSet":
        """The features as `dataclasses.asdict` and JSON left them."""
        return cls(
            tuple(stored["numeric"]),
            tuple(stored["categorical"]),
            tuple(stored["missing"]),
            dict(stored["nulls"]),
            stored["rows"],
            Preparation(**stored["preparation"]),
            stored["target"],
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Every feature trained on."""
        return self.numeric + self.categorical


@dataclass(frozen=True)
class Slot:
    """One element of the vector: its name, and the feature that it belongs to."""

    name: str
    feature: str


@dataclass(frozen=True)
class VectorReport:
    """What the vector of the train rows looks like after the preprocessor.

    Attributes:
        rows: number of rows.
        nulls: by slot, rows whose element is NaN or infinite (only slots with any).
        constant: slots with one value in train; the scaler leaves them at 0.
        worst_mean: largest distance of a mean from 0 over the other slots.
        worst_deviation: largest distance of a standard deviation from 1 over the other slots.
    """

    rows: int
    nulls: dict[str, int]
    constant: list[str]
    worst_mean: float
    worst_deviation: float


def usable_features(
    train: DataFrame, columns: Sequence[Column], preparation: Preparation = Preparation(), target: str = TARGET
) -> FeatureSet:
    """The catalogue columns that hold at least one value in train.

    Args:
        train: train rows.
        columns: catalogue columns to consider.
        preparation: how their values will be made ready.
        target: what is to be learned from them.

    Raises:
        ValueError: where train has no rows, or none of the columns holds a value.
    """
    present = [c for c in columns if c.name in train.columns]
    counts = train.agg(
        F.count(F.lit(1)).alias("_rows"),
        *(F.count_if(_has_value(c)).alias(c.name) for c in present),
    ).collect()[0]
    if counts["_rows"] == 0:
        raise ValueError(f"train has no rows with a {target}: the window is empty, or the detectors do not report it")
    filled = [c for c in present if counts[c.name]]
    if not filled:
        raise ValueError(f"none of the features holds a value in train: {', '.join(c.name for c in columns)}")
    names = {c.name for c in filled}
    return FeatureSet(
        numeric=tuple(c.name for c in filled if c.role == "numeric"),
        categorical=tuple(c.name for c in filled if c.role == "categorical"),
        missing=tuple(c.name for c in columns if c.name not in names),
        nulls={c.name: counts["_rows"] - counts[c.name] for c in filled if counts["_rows"] > counts[c.name]},
        rows=counts["_rows"],
        preparation=preparation,
        target=target,
    )


def narrowed(features: FeatureSet, rows: DataFrame) -> FeatureSet:
    """Those of the features that hold a value in these rows, where they are only a part of train.

    Raises:
        ValueError: as `usable_features`.
    """
    numeric = [Column(name, "numeric", "double") for name in features.numeric]
    categorical = [Column(name, "categorical", "string") for name in features.categorical]
    return usable_features(rows, numeric + categorical, features.preparation, features.target)


def outlier_bounds(train: DataFrame, features: FeatureSet) -> dict[str, tuple[float, float]]:
    """By numeric feature, the least and the greatest value that is no outlier among the train rows.

    A feature whose bounds would be one value (its quartiles, or all its values, are equal) has none.
    """
    preparation, names = features.preparation, features.numeric
    if preparation.outliers == "none" or not names:
        return {}
    factor = preparation.outlier_factor
    finite = {name: F.when(~F.isnan(name), F.col(name)) for name in names}
    if preparation.outliers == "iqr":
        ends = [F.percentile_approx(column, [0.25, 0.75], _ACCURACY).alias(name) for name, column in finite.items()]
        found = train.agg(*ends).collect()[0]
        bounds = {n: (q[0] - factor * (q[1] - q[0]), q[1] + factor * (q[1] - q[0])) for n in names if (q := found[n])}
    else:
        moments = [F.struct(F.avg(c).alias("m"), F.stddev_pop(c).alias("s")).alias(n) for n, c in finite.items()]
        found = train.agg(*moments).collect()[0]
        bounds = {n: (found[n]["m"] - factor * found[n]["s"], found[n]["m"] + factor * found[n]["s"]) for n in names}
    return {name: (low, high) for name, (low, high) in bounds.items() if low < high}


def outlier_counts(train: DataFrame, bounds: Mapping[str, tuple[float, float]]) -> dict[str, int]:
    """By feature, how many train rows lie outside the bounds; only features with any."""
    if not bounds:
        return {}
    outside = {n: (F.col(n) < low) | ((F.col(n) > high) & ~F.isnan(n)) for n, (low, high) in bounds.items()}
    counts = train.agg(*(F.count_if(condition).alias(n) for n, condition in outside.items())).collect()[0]
    return {name: counts[name] for name in bounds if counts[name]}


def preprocessor(features: FeatureSet, bounds: Mapping[str, tuple[float, float]] | None = None) -> Pipeline:
    """The unfitted pipeline from feature columns to the vector `features`.

    Args:
        features: the columns, and how they are made ready.
        bounds: of outliers, by numeric feature (`outlier_bounds`); fitted on the same train rows.
    """
    stages: list[Any] = []
    if bounds:
        stages.append(SQLTransformer(statement=_clipping(bounds)))
    if features.numeric:
        given = [f"clipped_{name}" if bounds and name in bounds else name for name in features.numeric]
        imputed = _prefixed("imputed", features.numeric)
        stages.append(Imputer(strategy=features.preparation.missing, inputCols=given, outputCols=imputed))
    if features.categorical:
        indexed = _prefixed("index", features.categorical)
        stages += [
            # alphabetical, so that the order of slots does not hang on how often a value occurs
            StringIndexer(
                inputCols=list(features.categorical),
                outputCols=indexed,
                handleInvalid="keep",
                stringOrderType="alphabetAsc",
            ),
            OneHotEncoder(inputCols=indexed, outputCols=_prefixed("onehot", features.categorical), dropLast=False),
        ]
    assembled = _prefixed("imputed", features.numeric) + _prefixed("onehot", features.categorical)
    stages += [
        # "keep" lets a null through as NaN, so that the check on the vector sees it
        VectorAssembler(inputCols=assembled, outputCol=ASSEMBLED, handleInvalid="keep"),
        _SCALERS[features.preparation.scaler](),
    ]
    return Pipeline(stages=stages)


def _clipping(bounds: Mapping[str, tuple[float, float]]) -> str:
    """SQL that pulls each value back to its bounds; null and NaN stay for the imputer."""
    clipped = ", ".join(  # greatest() would skip a null
        f"CASE WHEN `{name}` IS NULL OR isnan(`{name}`) THEN `{name}` "
        f"ELSE least(greatest(`{name}`, {low!r}D), {high!r}D) END AS `clipped_{name}`"
        for name, (low, high) in bounds.items()
    )
    return f"SELECT *, {clipped} FROM __THIS__"


_SCALERS: dict[str, Callable[[], Any]] = {
    "standard": lambda: StandardScaler(inputCol=ASSEMBLED, outputCol=VECTOR, withMean=True, withStd=True),
    "min_max": lambda: MinMaxScaler(inputCol=ASSEMBLED, outputCol=VECTOR),
    "robust": lambda: RobustScaler(inputCol=ASSEMBLED, outputCol=VECTOR, withCentering=True, withScaling=True),
}


def slots(model: PipelineModel, features: FeatureSet) -> list[Slot]:
    """The slots of the vector, in order: numeric features, then each category of each categorical one."""
    named = [Slot(name, name) for name in features.numeric]
    indexer = next((s for s in model.stages if isinstance(s, StringIndexerModel)), None)
    if indexer is not None:
        for name, labels in zip(features.categorical, indexer.labelsArray, strict=True):
            named += [Slot(f"{name}={label}", name) for label in (*labels, OTHER)]
    return named


def vector_report(vectors: DataFrame, named: Sequence[Slot]) -> VectorReport:
    """Look at the preprocessed train rows: nulls, constant slots, means and deviations. One pass.

    Args:
        vectors: rows with the column `features`.
        named: the slots of the vector.
    """
    summary = Summarizer.metrics("mean", "std", "count").summary(F.col(VECTOR)).alias("s")
    found = vectors.select(summary).collect()[0]["s"]
    mean, deviation = found["mean"].toArray(), found["std"].toArray()
    names = [slot.name for slot in named]
    nulls: dict[str, int] = {}
    if not np.isfinite(mean).all():
        from pyspark.ml.functions import vector_to_array

        values = vector_to_array(F.col(VECTOR))
        bad = [i for i in range(len(names)) if not math.isfinite(mean[i])]
        counts = vectors.agg(
            *(F.count_if(F.isnan(values[i]) | (F.abs(values[i]) == math.inf)).alias(str(i)) for i in bad)
        ).collect()[0]
        nulls = {names[i]: counts[str(i)] for i in bad}
    finite = np.isfinite(mean) & np.isfinite(deviation)
    varies = finite & (deviation > CONSTANT_BELOW)
    return VectorReport(
        rows=int(found["count"]),
        nulls=nulls,
        constant=[name for name, still in zip(names, finite & ~varies, strict=True) if still],
        worst_mean=float(np.abs(mean[varies]).max(initial=0)),
        worst_deviation=float(np.abs(deviation[varies] - 1).max(initial=0)),
    )


def _has_value(column: Column) -> SparkColumn:
    """Not null and, of a number, not NaN: the imputer takes it for missing, and tables made with pandas hold it."""
    value = F.col(column.name)
    return value.isNotNull() & ~F.isnan(value) if column.role == "numeric" else value.isNotNull()


def _prefixed(prefix: str, names: Sequence[str]) -> list[str]:
    return [f"{prefix}_{name}" for name in names]
