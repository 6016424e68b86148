"""The preprocessor: from feature columns to the vector, with the name of every slot.

    create -> clip -> impute -> index, one-hot -> assemble -> select -> scale

Algorithms to which the scale of a slot is nothing are given the vector as it is before it is scaled (`unscaled`).
Fitted on train rows only (of each fold, in cross-validation), of which `rows_to_fit` may leave some out. What a column
means comes from the catalogue; formulas are in `creation.py`, bounds in `outliers.py`, the choice of slots in
`selection.py`, and what is fitted on the vector in `algorithms/`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.feature import (
    Imputer,
    ImputerModel,
    MinMaxScaler,
    MinMaxScalerModel,
    OneHotEncoder,
    RobustScaler,
    RobustScalerModel,
    SQLTransformer,
    StandardScaler,
    StandardScalerModel,
    StringIndexer,
    StringIndexerModel,
    VectorAssembler,
    VectorSlicer,
)
from pyspark.ml.stat import Summarizer
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import IntegralType

from traffic_assets.features.catalogue import Column
from traffic_assets.ml.creation import Created, created, holds_answer
from traffic_assets.ml.metrics import TARGET
from traffic_assets.ml.outliers import Bounds, bounds_of, clipped, counts_outside, inside
from traffic_assets.ml.selection import SlotSelector

ASSEMBLED, SELECTED, VECTOR = "assembled", "selected", "features"
OTHER = "other"
KEPT = "fitted_on"
"""Column that a preprocessor gives rows where some are left out of train: whether a model is fitted on them."""

CONSTANT_BELOW = 1e-12


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
    def fills_only(self) -> bool:
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
    def of(cls, stored: Mapping[str, Any]) -> "FeatureSet":
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
    def created(self) -> tuple[Created, ...]:
        """The features that the pipeline makes from `numeric`."""
        return tuple(created(formula) for formula in self.preparation.create if formula not in self.missing)

    @property
    def numbers(self) -> dict[str, str]:
        """Every number in the vector, by name: its column in the pipeline."""
        return {name: name for name in self.numeric} | {feature.name: feature.column for feature in self.created}

    @property
    def names(self) -> tuple[str, ...]:
        """Every feature trained on."""
        return (*self.numbers, *self.categorical)

    @property
    def answers(self) -> tuple[str, ...]:
        """Those of them that, at horizon 0, are functions of the target."""
        return tuple(name for name in self.names if holds_answer(name, self.target))


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
    wanted = [created(formula) for formula in preparation.create]
    possible = [feature for feature in wanted if numeric.issuperset(feature.sources)]
    counts = train.agg(
        F.count(F.lit(1)).alias("_rows"),
        *(F.count_if(_has_value(F.col(c.name), c.role)).alias(c.name) for c in present),
        *(F.count_if(_has_value(F.expr(feature.sql), "numeric")).alias(feature.name) for feature in possible),
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


def narrowed(features: FeatureSet, rows: DataFrame, number: int = 0, others: int = 0) -> FeatureSet:
    """Those of the features that hold a value in these rows, where they are only a part of train.

    Args:
        features: of train.
        rows: a part of its rows, perhaps with others.
        number: of these rows, where it is known. Where no feature misses in as many rows of train as there are of
            train among these, each holds a value in some of them, and nothing is looked at.
        others: how many of these rows are none of train, at most. Any of them may miss any feature, so `nulls` of what
            is returned are then the most that there can be.

    Raises:
        ValueError: as `usable_features`.
    """
    if max(features.nulls.values(), default=0) < number - others:
        most = {name: features.nulls.get(name, 0) + others for name in features.names} if others else features.nulls
        return replace(features, rows=number, nulls=most)
    numeric = [Column(name, "numeric", "double") for name in features.numeric]
    categorical = [Column(name, "categorical", "string") for name in features.categorical]
    return usable_features(rows, numeric + categorical, features.preparation, features.target)


def outlier_bounds(train: DataFrame, features: FeatureSet) -> Bounds:
    """By numeric feature, the least and the greatest value that is no outlier among the train rows."""
    preparation, columns = features.preparation, features.numbers
    found = bounds_of(
        _with_created(train, features), list(columns.values()), preparation.outliers, preparation.outlier_factor
    )
    return {name: found[column] for name, column in columns.items() if column in found}


def outlier_counts(train: DataFrame, features: FeatureSet, bounds: Mapping[str, tuple[float, float]]) -> dict[str, int]:
    """By feature, how many train rows lie outside the bounds; only features with any."""
    columns = features.numbers
    counts = counts_outside(_with_created(train, features), {columns[name]: bounds[name] for name in bounds})
    return {name: counts[columns[name]] for name in bounds if columns[name] in counts}


def rows_to_fit(train: DataFrame, features: FeatureSet, bounds: Mapping[str, tuple[float, float]]) -> DataFrame:
    """The train rows without those that the preparation drops.

    Raises:
        ValueError: where it drops every row.
    """
    if not features.preparation.drops:
        return train
    kept = _with_created(train, features).where(_kept(features, bounds)).select(*train.columns)
    if not kept.take(1):
        nulls = ", ".join(f"{name} in {number}" for name, number in features.nulls.items()) or "no value"
        raise ValueError(
            f"training.preprocessing drops every train row (missing: {features.preparation.missing}, outliers: "
            f"{features.preparation.outliers}, {features.preparation.outlier_action}); of {features.rows} rows miss "
            f"{nulls}. Impute them (median or mean), clip outliers, or exclude the features that are seldom there"
        )
    return kept


def preprocessor(
    features: FeatureSet, bounds: Mapping[str, tuple[float, float]] | None = None, scaled: bool = True
) -> Pipeline:
    """The unfitted pipeline from feature columns to the vector `features`.

    Args:
        features: the columns, and how they are made ready.
        bounds: of outliers, by numeric feature (`outlier_bounds`); fitted on the same train rows.
        scaled: whether the vector is scaled in the end.
    """
    preparation, columns, bounds = features.preparation, features.numbers, bounds or {}
    stages: list[Any] = []
    if features.created:
        stages.append(_computed({feature.column: feature.sql for feature in features.created}))
    if preparation.drops:
        stages.append(_computed({KEPT: _kept(features, bounds)}))
    if bounds and preparation.outlier_action == "clip":
        stages.append(_computed({f"clipped_{columns[n]}": clipped(columns[n], *ends) for n, ends in bounds.items()}))
        columns = {name: f"clipped_{column}" if name in bounds else column for name, column in columns.items()}
    imputed = _prefixed("imputed", list(features.numbers.values()))
    if columns:
        strategy = "mean" if preparation.missing == "mean" else "median"
        stages.append(Imputer(strategy=strategy, inputCols=list(columns.values()), outputCols=imputed))
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
    assembled = imputed + _prefixed("onehot", features.categorical)
    whole = ASSEMBLED if scaled or preparation.selection != "none" else VECTOR
    chosen = SELECTED if scaled else VECTOR
    # "keep" lets a null through as NaN, so that the check on the vector sees it
    stages.append(VectorAssembler(inputCols=assembled, outputCol=whole, handleInvalid="keep"))
    if preparation.selection != "none":
        threshold, top, seed = preparation.variance_threshold, preparation.top_k, preparation.seed
        stages.append(SlotSelector(preparation.selection, threshold, top, whole, features.target, chosen, seed))
    if scaled:
        stages.append(_SCALERS[preparation.scaler](whole if preparation.selection == "none" else chosen))
    return Pipeline(stages=stages)


NO_CATEGORY = -(2**63)
"""What stands for a missing value among `categories`."""


def unfilled(rows: DataFrame, features: FeatureSet) -> DataFrame:
    """The rows with what hangs on no other row.

    Args:
        rows: feature rows.
        features: columns to train on.

    Returns:
        The rows with `numbers`, a list of 32-bit floats, NaN where one is missing, and `categories`, a list of whole
        numbers: a category's value where it is one, otherwise a hash of it.
    """
    made = _with_created(rows, features)
    whole = {field.name for field in made.schema if isinstance(field.dataType, IntegralType)}
    missing = F.lit(math.nan).cast("float")
    numbers = [F.coalesce(F.col(column).cast("float"), missing) for column in features.numbers.values()]
    values = [F.col(c).cast("long") if c in whole else F.xxhash64(c) for c in features.categorical]
    categories = [
        F.when(F.col(c).isNull(), NO_CATEGORY).otherwise(value)
        for c, value in zip(features.categorical, values, strict=True)
    ]
    return made.withColumns(
        {
            "numbers": F.array(*numbers).cast("array<float>"),
            "categories": F.array(*categories).cast("array<long>"),
        }
    )


def is_scaled(preprocessing: PipelineModel) -> bool:
    """Whether the vector of a fitted preprocessor is scaled."""
    return isinstance(preprocessing.stages[-1], StandardScalerModel | MinMaxScalerModel | RobustScalerModel)


def unscaled(preprocessing: PipelineModel) -> PipelineModel:
    """A fitted preprocessor without its scaler, if it has one: `features` is the vector that would have been scaled."""
    if not is_scaled(preprocessing):
        return preprocessing
    stages: list[Any] = preprocessing.stages[:-1]
    last = stages.pop()
    return PipelineModel([*stages, last.copy({last.outputCol: VECTOR})])


def filled(rows: DataFrame, features: FeatureSet, preprocessing: PipelineModel) -> DataFrame:
    """The rows with the vector of a fitted preprocessor that only fills (`fills_only`) and does not scale, as a list.

    Its stages make the same vector, one object after the other; Spark compiles this into one loop, which takes half
    the time.

    Args:
        rows: feature rows.
        features: that the preprocessor was fitted for.
        preprocessing: the fitted preprocessor.

    Returns:
        The rows with `features`, a list of 32-bit floats.

    Raises:
        ValueError: where the preprocessor does more.
    """
    if is_scaled(preprocessing) or not features.preparation.fills_only:
        raise ValueError("the vector is a list only where a preprocessor fills, and neither selects nor scales")
    made = _with_created(rows, features)
    elements: list[SparkColumn] = []
    for stage in preprocessing.stages:
        if isinstance(stage, ImputerModel):
            stand_ins = stage.surrogateDF.collect()[0]
            for column in stage.getInputCols():
                number = F.when(_has_value(F.col(column), "numeric"), F.col(column)).otherwise(stand_ins[column])
                elements.append(number.cast(made.schema[column].dataType))  # the stage keeps the type of its column
        elif isinstance(stage, StringIndexerModel):
            for column, labels in zip(stage.getInputCols(), stage.labelsArray, strict=True):
                value = F.col(column).cast("string")
                elements += [value.eqNullSafe(label) for label in labels]
                elements.append(value.isNull() | ~value.isin(*labels))
    return made.withColumn(VECTOR, F.array(*(element.cast("float") for element in elements)))


def predicting_stages(preprocessing: PipelineModel) -> list[Any]:
    """The stages that a prediction needs: all but the one that says which train rows a model is fitted on."""
    return [
        stage
        for stage in preprocessing.stages
        if not (isinstance(stage, SQLTransformer) and stage.getStatement().endswith(f"AS `{KEPT}` FROM __THIS__"))
    ]


def _kept(features: FeatureSet, bounds: Mapping[str, tuple[float, float]]) -> str:
    """SQL of whether a row is fitted on. A created number may be missing: it is where a divisor is 0."""
    preparation, columns = features.preparation, features.numbers
    conditions = []
    if preparation.missing == "drop":
        conditions += [f"(`{name}` IS NOT NULL AND NOT isnan(`{name}`))" for name in features.numeric]
    if preparation.outlier_action == "drop":
        conditions += [inside(columns[name], *ends) for name, ends in bounds.items()]
    return " AND ".join(conditions) or "true"


def _with_created(rows: DataFrame, features: FeatureSet) -> DataFrame:
    return rows.withColumns({feature.column: F.expr(feature.sql) for feature in features.created})


def _computed(columns: Mapping[str, str]) -> SQLTransformer:
    """A stage that adds columns, each by its SQL."""
    added = ", ".join(f"{sql} AS `{name}`" for name, sql in columns.items())
    return SQLTransformer(statement=f"SELECT *, {added} FROM __THIS__")


_SCALERS: dict[str, Callable[[str], Any]] = {
    "standard": lambda given: StandardScaler(inputCol=given, outputCol=VECTOR, withMean=True, withStd=True),
    "min_max": lambda given: MinMaxScaler(inputCol=given, outputCol=VECTOR),
    "robust": lambda given: RobustScaler(inputCol=given, outputCol=VECTOR, withCentering=True, withScaling=True),
}


def slots(model: PipelineModel, features: FeatureSet) -> list[Slot]:
    """The slots of the vector, in order: numeric features, created ones, each category of each categorical one.

    Where slots were selected, those that are left.
    """
    every, kept = _all_slots(model, features), _kept_slots(model)
    return every if kept is None else [every[i] for i in kept]


def dropped_slots(model: PipelineModel, features: FeatureSet) -> list[Slot]:
    """The slots that the selection left out, in order."""
    every, kept = _all_slots(model, features), _kept_slots(model)
    return [] if kept is None else [slot for i, slot in enumerate(every) if i not in set(kept)]


def _all_slots(model: PipelineModel, features: FeatureSet) -> list[Slot]:
    named = [Slot(name, name) for name in features.numbers]
    indexer = next((s for s in model.stages if isinstance(s, StringIndexerModel)), None)
    if indexer is not None:
        for name, labels in zip(features.categorical, indexer.labelsArray, strict=True):
            named += [Slot(f"{name}={label}", name) for label in (*labels, OTHER)]
    return named


def _kept_slots(model: PipelineModel) -> list[int] | None:
    slicer = next((s for s in model.stages if isinstance(s, VectorSlicer)), None)
    return None if slicer is None else slicer.getIndices()


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


def _has_value(value: SparkColumn, role: str) -> SparkColumn:
    """Not null and, of a number, not NaN: the imputer takes it for missing, and tables made with pandas hold it."""
    return value.isNotNull() & ~F.isnan(value) if role == "numeric" else value.isNotNull()


def _prefixed(prefix: str, names: Sequence[str]) -> list[str]:
    return [f"{prefix}_{name}" for name in names]
