"""The preprocessor: from feature columns to the vector.

    create -> clip -> impute -> index, one-hot -> assemble -> select -> scale

Scale-invariant algorithms get the vector as it is before the scaler (`without_scaler`). The preprocessor is fitted on
train rows only (in cross-validation, on those of each fold), without the rows that `rows_to_fit` drops. The catalogue
defines the columns; `algorithms/` fits models on the vector.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.feature import (
    Imputer,
    MinMaxScalerModel,
    OneHotEncoder,
    RobustScalerModel,
    SQLTransformer,
    StandardScalerModel,
    StringIndexer,
    VectorAssembler,
)
from pyspark.sql import DataFrame

from traffic_assets.messages import preprocessing as messages
from traffic_assets.ml.preprocessing.feature_set import FeatureSet, add_created
from traffic_assets.ml.preprocessing.outliers import Bounds, clip_sql, counts_outside, fit_bounds, inside_sql
from traffic_assets.ml.preprocessing.scaling import SlotScaler
from traffic_assets.ml.preprocessing.selection import SlotSelector

ASSEMBLED, SELECTED, VECTOR = "assembled", "selected", "features"
KEPT = "fitted_on"
"""Column that a preprocessor adds if it may drop train rows: true for the rows that a model is fitted on."""


def outlier_bounds(train: DataFrame, features: FeatureSet) -> Bounds:
    """Return the smallest and the largest value that is not an outlier in the train rows, by numeric feature."""
    preparation, columns = features.preparation, features.numbers
    bounds = fit_bounds(
        add_created(train, features), list(columns.values()), preparation.outliers, preparation.outlier_factor
    )
    return {name: bounds[column] for name, column in columns.items() if column in bounds}


def outlier_counts(train: DataFrame, features: FeatureSet, bounds: Mapping[str, tuple[float, float]]) -> dict[str, int]:
    """Return the number of train rows outside the bounds, by feature; features without any are left out."""
    columns = features.numbers
    counts = counts_outside(add_created(train, features), {columns[name]: bounds[name] for name in bounds})
    return {name: counts[columns[name]] for name in bounds if columns[name] in counts}


def rows_to_fit(train: DataFrame, features: FeatureSet, bounds: Mapping[str, tuple[float, float]]) -> DataFrame:
    """Return the train rows without those that the preparation drops.

    Raises:
        ValueError: If it drops every row.
    """
    if not features.preparation.drops:
        return train
    kept = add_created(train, features).where(_build_kept_sql(features, bounds)).select(*train.columns)
    if not kept.take(1):
        preparation = features.preparation
        raise ValueError(
            messages.NO_ROWS_LEFT(
                missing=preparation.missing,
                outliers=preparation.outliers,
                action=preparation.outlier_action,
                rows=features.rows,
                nulls=features.nulls,
            )
        )
    return kept


def preprocessor(
    features: FeatureSet, bounds: Mapping[str, tuple[float, float]] | None = None, scaled: bool = True
) -> Pipeline:
    """Return the unfitted pipeline from feature columns to the vector `features`.

    Args:
        features: The columns, and how their values are prepared.
        bounds: Bounds of outliers by numeric feature (`outlier_bounds`), fitted on the same train rows.
        scaled: True to add the scaler as the last stage.
    """
    preparation, columns, bounds = features.preparation, features.numbers, bounds or {}
    stages: list[Any] = []
    if features.created:
        stages.append(_add_columns({feature.column: feature.sql for feature in features.created}))
    if preparation.drops:
        stages.append(_add_columns({KEPT: _build_kept_sql(features, bounds)}))
    if bounds and preparation.outlier_action == "clip":
        stages.append(
            _add_columns({f"clipped_{columns[n]}": clip_sql(columns[n], *ends) for n, ends in bounds.items()})
        )
        columns = {name: f"clipped_{column}" if name in bounds else column for name, column in columns.items()}
    imputed = _add_prefix("imputed", list(features.numbers.values()))
    if columns:
        strategy = "mean" if preparation.missing == "mean" else "median"
        stages.append(Imputer(strategy=strategy, inputCols=list(columns.values()), outputCols=imputed))
    if features.categorical:
        indexed = _add_prefix("index", features.categorical)
        stages += [
            # alphabetical, so that the order of slots does not depend on the frequency of values
            StringIndexer(
                inputCols=list(features.categorical),
                outputCols=indexed,
                handleInvalid="keep",
                stringOrderType="alphabetAsc",
            ),
            OneHotEncoder(inputCols=indexed, outputCols=_add_prefix("onehot", features.categorical), dropLast=False),
        ]
    assembled = imputed + _add_prefix("onehot", features.categorical)
    whole = ASSEMBLED if scaled or preparation.selection != "none" else VECTOR
    chosen = SELECTED if scaled else VECTOR
    # "keep" passes a null on as NaN, so that the check on the vector reports it
    stages.append(VectorAssembler(inputCols=assembled, outputCol=whole, handleInvalid="keep"))
    if preparation.selection != "none":
        threshold, top, seed = preparation.variance_threshold, preparation.top_k, preparation.seed
        stages.append(SlotSelector(preparation.selection, threshold, top, whole, features.target, chosen, seed))
    if scaled:
        stages.append(SlotScaler(preparation.scaler, whole if preparation.selection == "none" else chosen, VECTOR))
    return Pipeline(stages=stages)


def is_scaled(preprocessing: PipelineModel) -> bool:
    """Return True if the vector of a fitted preprocessor is scaled."""
    return isinstance(preprocessing.stages[-1], StandardScalerModel | MinMaxScalerModel | RobustScalerModel)


def without_scaler(preprocessing: PipelineModel) -> PipelineModel:
    """Return a fitted preprocessor without its scaler, if it has one; `features` is then the vector before scaling."""
    if not is_scaled(preprocessing):
        return preprocessing
    stages: list[Any] = preprocessing.stages[:-1]
    last = stages.pop()
    return PipelineModel([*stages, last.copy({last.outputCol: VECTOR})])


def predicting_stages(preprocessing: PipelineModel) -> list[Any]:
    """Return the stages that a prediction needs: all except the one that marks the train rows to fit."""
    return [
        stage
        for stage in preprocessing.stages
        if not (isinstance(stage, SQLTransformer) and stage.getStatement().endswith(f"AS `{KEPT}` FROM __THIS__"))
    ]


def _build_kept_sql(features: FeatureSet, bounds: Mapping[str, tuple[float, float]]) -> str:
    """Return SQL that is true for rows to fit. Created numbers may be missing, like a ratio to 0."""
    preparation, columns = features.preparation, features.numbers
    conditions = []
    if preparation.missing == "drop":
        conditions += [f"(`{name}` IS NOT NULL AND NOT isnan(`{name}`))" for name in features.numeric]
    if preparation.outlier_action == "drop":
        conditions += [inside_sql(columns[name], *ends) for name, ends in bounds.items()]
    return " AND ".join(conditions) or "true"


def _add_columns(columns: Mapping[str, str]) -> SQLTransformer:
    """Return a stage that adds columns, each with its SQL."""
    added = ", ".join(f"{sql} AS `{name}`" for name, sql in columns.items())
    return SQLTransformer(statement=f"SELECT *, {added} FROM __THIS__")


def _add_prefix(prefix: str, names: Sequence[str]) -> list[str]:
    return [f"{prefix}_{name}" for name in names]
