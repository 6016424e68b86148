"""The preprocessor: from feature columns to the vector.

    create -> clip -> impute -> index, one-hot -> assemble -> select -> scale

Scale-invariant algorithms get the vector as it is before the scaler (`without_scaler`). The preprocessor is fitted on
train rows only (in cross-validation, on those of each fold), without the rows that `rows_to_fit` drops. The catalogue
defines the columns; `algorithms/` fits models on the vector.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.feature import (
    Imputer,
    MinMaxScaler,
    MinMaxScalerModel,
    OneHotEncoder,
    RobustScaler,
    RobustScalerModel,
    SQLTransformer,
    StandardScaler,
    StandardScalerModel,
    StringIndexer,
    VectorAssembler,
)
from pyspark.sql import DataFrame

from traffic_assets.ml.preprocessing.feature_set import FeatureSet, add_created
from traffic_assets.ml.preprocessing.outliers import Bounds, clip_sql, counts_outside, fit_bounds, inside_sql
from traffic_assets.ml.preprocessing.selection import SlotSelector

ASSEMBLED, SELECTED, VECTOR = "assembled", "selected", "features"
KEPT = "fitted_on"
"""Column that a preprocessor gives rows where some are left out of train: whether a model is fitted on them."""


def outlier_bounds(train: DataFrame, features: FeatureSet) -> Bounds:
    """By numeric feature, the least and the greatest value that is no outlier among the train rows."""
    preparation, columns = features.preparation, features.numbers
    found = fit_bounds(
        add_created(train, features), list(columns.values()), preparation.outliers, preparation.outlier_factor
    )
    return {name: found[column] for name, column in columns.items() if column in found}


def outlier_counts(train: DataFrame, features: FeatureSet, bounds: Mapping[str, tuple[float, float]]) -> dict[str, int]:
    """By feature, how many train rows lie outside the bounds; only features with any."""
    columns = features.numbers
    counts = counts_outside(add_created(train, features), {columns[name]: bounds[name] for name in bounds})
    return {name: counts[columns[name]] for name in bounds if columns[name] in counts}


def rows_to_fit(train: DataFrame, features: FeatureSet, bounds: Mapping[str, tuple[float, float]]) -> DataFrame:
    """The train rows without those that the preparation drops.

    Raises:
        ValueError: where it drops every row.
    """
    if not features.preparation.drops:
        return train
    kept = add_created(train, features).where(_kept(features, bounds)).select(*train.columns)
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
        stages.append(_computed({f"clipped_{columns[n]}": clip_sql(columns[n], *ends) for n, ends in bounds.items()}))
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


def is_scaled(preprocessing: PipelineModel) -> bool:
    """Whether the vector of a fitted preprocessor is scaled."""
    return isinstance(preprocessing.stages[-1], StandardScalerModel | MinMaxScalerModel | RobustScalerModel)


def without_scaler(preprocessing: PipelineModel) -> PipelineModel:
    """A fitted preprocessor without its scaler, if it has one: `features` is the vector that would have been scaled."""
    if not is_scaled(preprocessing):
        return preprocessing
    stages: list[Any] = preprocessing.stages[:-1]
    last = stages.pop()
    return PipelineModel([*stages, last.copy({last.outputCol: VECTOR})])


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
        conditions += [inside_sql(columns[name], *ends) for name, ends in bounds.items()]
    return " AND ".join(conditions) or "true"


def _computed(columns: Mapping[str, str]) -> SQLTransformer:
    """A stage that adds columns, each by its SQL."""
    added = ", ".join(f"{sql} AS `{name}`" for name, sql in columns.items())
    return SQLTransformer(statement=f"SELECT *, {added} FROM __THIS__")


_SCALERS: dict[str, Callable[[str], Any]] = {
    "standard": lambda given: StandardScaler(inputCol=given, outputCol=VECTOR, withMean=True, withStd=True),
    "min_max": lambda given: MinMaxScaler(inputCol=given, outputCol=VECTOR),
    "robust": lambda given: RobustScaler(inputCol=given, outputCol=VECTOR, withCentering=True, withScaling=True),
}


def _prefixed(prefix: str, names: Sequence[str]) -> list[str]:
    return [f"{prefix}_{name}" for name in names]
