"""Feature rows as arrays of plain numbers, computed by one Spark expression, for fits in a single task.

They exist only for a preprocessor that imputes and does nothing else (`Preparation.imputes_only`). `imputed_vectors`
needs the fitted preprocessor; `encoded_rows` does not, so that each fold can impute its own rows. Other fits take the
vector of the stages in `pipeline.py`.
"""

import math

from pyspark.ml import PipelineModel
from pyspark.ml.feature import ImputerModel, StringIndexerModel
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import IntegralType

from traffic_assets.messages import preprocessing as messages
from traffic_assets.ml.preprocessing.feature_set import FeatureSet, add_created, has_value
from traffic_assets.ml.preprocessing.pipeline import VECTOR, is_scaled

NO_CATEGORY = -(2**63)
"""Representation of a missing value in `categories`."""


def encoded_rows(rows: DataFrame, features: FeatureSet) -> DataFrame:
    """Add the columns that depend only on the row itself.

    Args:
        rows: Feature rows.
        features: Columns to train on.

    Returns:
        The rows with `numbers`, an array of 32-bit floats with NaN for a missing number, and `categories`, an array of
        integers: the category itself if its type is an integer, otherwise its hash.
    """
    complete = add_created(rows, features)
    whole = {field.name for field in complete.schema if isinstance(field.dataType, IntegralType)}
    missing = F.lit(math.nan).cast("float")
    numbers = [F.coalesce(F.col(column).cast("float"), missing) for column in features.numbers.values()]
    values = [F.col(c).cast("long") if c in whole else F.xxhash64(c) for c in features.categorical]
    categories = [
        F.when(F.col(c).isNull(), NO_CATEGORY).otherwise(value)
        for c, value in zip(features.categorical, values, strict=True)
    ]
    return complete.withColumns(
        {
            "numbers": F.array(*numbers).cast("array<float>"),
            "categories": F.array(*categories).cast("array<long>"),
        }
    )


def imputed_vectors(rows: DataFrame, features: FeatureSet, preprocessing: PipelineModel) -> DataFrame:
    """Add the vector of a fitted preprocessor that only imputes (`imputes_only`) and does not scale, as an array.

    The preprocessor's stages compute the same vector row by row. Spark compiles this expression into one loop, which
    takes half the time.

    Args:
        rows: Feature rows.
        features: Features that the preprocessor was fitted for.
        preprocessing: Fitted preprocessor.

    Returns:
        The rows with `features`, an array of 32-bit floats.

    Raises:
        ValueError: If the preprocessor does more than impute.
    """
    preparation, scaled = features.preparation, is_scaled(preprocessing)
    if scaled or not preparation.imputes_only:
        raise ValueError(
            messages.NOT_AN_ARRAY(
                scaled=scaled,
                missing=preparation.missing,
                outliers=preparation.outliers,
                selection=preparation.selection,
            )
        )
    complete = add_created(rows, features)
    elements: list[Column] = []
    for stage in preprocessing.stages:
        if isinstance(stage, ImputerModel):
            imputed = stage.surrogateDF.collect()[0]
            for column in stage.getInputCols():
                number = F.when(has_value(F.col(column), "numeric"), F.col(column)).otherwise(imputed[column])
                elements.append(number.cast(complete.schema[column].dataType))  # the stage keeps the type of its column
        elif isinstance(stage, StringIndexerModel):
            for column, labels in zip(stage.getInputCols(), stage.labelsArray, strict=True):
                value = F.col(column).cast("string")
                elements += [value.eqNullSafe(label) for label in labels]
                elements.append(value.isNull() | ~value.isin(*labels))
    return complete.withColumn(VECTOR, F.array(*(element.cast("float") for element in elements)))
