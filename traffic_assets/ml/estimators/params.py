"""Params of an estimator, each declared in a line. Spark copies those of a class to every instance of it."""

from typing import Any

from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.param.shared import HasFeaturesCol, HasLabelCol, HasPredictionCol


class Columns(HasFeaturesCol, HasLabelCol, HasPredictionCol):
    """The columns that an estimator and its model work on."""


def text_param(name: str, doc: str) -> Param[str]:
    """A text."""
    return Param(Params._dummy(), name, doc, TypeConverters.toString)


def int_param(name: str, doc: str) -> Param[int]:
    """A whole number."""
    return Param(Params._dummy(), name, doc, TypeConverters.toInt)


def float_param(name: str, doc: str) -> Param[float]:
    """A number."""
    return Param(Params._dummy(), name, doc, TypeConverters.toFloat)


def any_param(name: str, doc: str) -> Param[Any]:
    """Whatever JSON can hold."""
    return Param(Params._dummy(), name, doc)
