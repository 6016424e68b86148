"""Feature rows as arrays of plain numbers, computed by one Spark expression, for fits that take them in one task.

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

from traffic_assets.ml.preprocessing.feature_set import FeatureSet, add_created, has_value
from traffic_assets.ml.preprocessing.pipeline import VECTOR, is_scaled

NO_CATEGORY = -(2**63)
"""What stands for a missing value among `categories`."""


def encoded_rows(rows: DataFrame, features: FeatureSet) -> DataFrame:
    """The rows with what hangs on no other row.

    Args:
        rows: feature rows.
        features: columns to train on.

    Returns:
        The rows with `numbers`, a list of 32-bit floats, NaN where one is missing, and `categories`, a list of whole
        numbers: a category's value where it is one, otherwise a hash of it.
    """
    made = add_created(rows, features)
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


def imputed_vectors(rows: DataFrame, features: FeatureSet, preprocessing: PipelineModel) -> DataFrame:
    """The rows with the vector of a fitted preprocessor that only fills (`imputes_only`) and does not scale, as a list.

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
    if is_scaled(preprocessing) or not features.preparation.imputes_only:
        raise ValueError("the vector is a list only where a preprocessor fills, and neither selects nor scales")
    made = add_created(rows, features)
    elements: list[Column] = []
    for stage in preprocessing.stages:
        if isinstance(stage, ImputerModel):
            stand_ins = stage.surrogateDF.collect()[0]
            for column in stage.getInputCols():
                number = F.when(has_value(F.col(column), "numeric"), F.col(column)).otherwise(stand_ins[column])
                elements.append(number.cast(made.schema[column].dataType))  # the stage keeps the type of its column
        elif isinstance(stage, StringIndexerModel):
            for column, labels in zip(stage.getInputCols(), stage.labelsArray, strict=True):
                value = F.col(column).cast("string")
                elements += [value.eqNullSafe(label) for label in labels]
                elements.append(value.isNull() | ~value.isin(*labels))
    return made.withColumn(VECTOR, F.array(*(element.cast("float") for element in elements)))
