"""Params of an estimator, one line each. Spark copies the params of a class to every instance."""

from typing import Any

from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.param.shared import HasFeaturesCol, HasLabelCol, HasPredictionCol


class Columns(HasFeaturesCol, HasLabelCol, HasPredictionCol):
    """The columns of an estimator and its model."""


def text_param(name: str, doc: str) -> Param[str]:
    """Return a param for a string."""
    return Param(Params._dummy(), name, doc, TypeConverters.toString)


def int_param(name: str, doc: str) -> Param[int]:
    """Return a param for an integer."""
    return Param(Params._dummy(), name, doc, TypeConverters.toInt)


def float_param(name: str, doc: str) -> Param[float]:
    """Return a param for a number."""
    return Param(Params._dummy(), name, doc, TypeConverters.toFloat)


def any_param(name: str, doc: str) -> Param[Any]:
    """Return a param for any JSON value."""
    return Param(Params._dummy(), name, doc)
