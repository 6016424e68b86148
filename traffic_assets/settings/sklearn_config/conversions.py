"""Conversions of single values of a scikit-learn-style configuration. They are pure functions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from traffic_assets.dagster_hdfs.message import CodedText, Message
from traffic_assets.messages import sklearn_config as messages
from traffic_assets.settings.layer import Path
from traffic_assets.settings.plugins import METRIC_NAMES

OMITTED: Any = object()
"""Value of a key that sets nothing, because it requests fixed behaviour."""

DEEPEST = 30
"""Depth that replaces scikit-learn's `max_depth: null`: MLlib's maximum."""

_LOSSES = {"squared_error": "squared", "ls": "squared", "absolute_error": "absolute", "lad": "absolute"}
_FORMATS = ("spark", "pickle", "onnx", "pmml")


@dataclass(frozen=True)
class Converted:
    """Result of a conversion.

    Attributes:
        value: Value of the current setting; `OMITTED` sets nothing.
        below: Further keys of the current path, if they depend on the value.
        warnings: Differences between the setting's effect and its name.
        problem: Reason why the value cannot be used.
    """

    value: Any = OMITTED
    below: Path = ()
    warnings: tuple[CodedText, ...] = ()
    problem: CodedText | None = None


Conversion = Callable[[Any], Converted]


def keep_value(value: Any) -> Converted:
    """Return a value as it is."""
    return Converted(value)


def require_value(accepted: Any, refused: Message) -> Conversion:
    """Return the conversion of a key that has one possible value here.

    Args:
        accepted: Possible value, which sets nothing.
        refused: Message for any other value.
    """

    def convert(value: Any) -> Converted:
        same = type(value) is type(accepted) and value == accepted
        return Converted() if same else Converted(problem=refused(given=value))

    return convert


def accept_fixed(accepted: Sequence[Any], ignored: Message, refused: Message) -> Conversion:
    """Return the conversion of a hyperparameter that cannot be chosen here.

    Args:
        accepted: Values that request the fixed behaviour.
        ignored: Message for these values.
        refused: Message for any other value.
    """

    def convert(value: Any) -> Converted:
        if value in accepted:
            return Converted(warnings=(ignored(),))
        return Converted(problem=refused(given=value))

    return convert


def refuse(refused: Message) -> Conversion:
    """Return the conversion of a key that is always refused."""
    return lambda value: Converted(problem=refused(given=value))


def feature_columns(value: Any) -> Converted:
    """Return the features to train on; `["auto_detect"]` sets nothing."""
    if value is None or (isinstance(value, list) and "auto_detect" in value and len(value) > 1):
        return Converted(problem=messages.INVALID_FEATURE_COLUMNS(given=value))
    return Converted() if value == ["auto_detect"] else Converted(value)


def time_column(value: Any) -> Converted:
    """Return the alias of a time column, below its name."""
    if not isinstance(value, str):
        return Converted(problem=messages.INVALID_TIME_COLUMN(given=value))
    return Converted() if value == "timestamp" else Converted("timestamp", below=(value,))


def shuffle(value: Any) -> Converted:
    """Return the kind of the folds."""
    return Converted("random") if value is True else Converted(problem=messages.UNSHUFFLED_FOLDS(given=value))


def metrics(known: Sequence[str]) -> Conversion:
    """Return the conversion of a list of metrics. It sets nothing, because all known metrics are computed."""

    def convert(value: Any) -> Converted:
        unknown = [name for name in value if name not in known] if isinstance(value, list) else value
        if unknown or not isinstance(value, list):
            return Converted(problem=messages.UNKNOWN_METRICS(given=unknown, known=known))
        if set(METRIC_NAMES) <= set(value):
            return Converted()
        return Converted(warnings=(messages.ALL_METRICS(known=known, given=value),))

    return convert


def prediction_intervals(value: Any) -> Converted:
    """Return the coverage of prediction intervals for a switch or a share."""
    if isinstance(value, bool):
        return Converted(0.9 if value else None)
    if isinstance(value, int | float) and 0 < value < 1:
        return Converted(value)
    return Converted(problem=messages.INVALID_PREDICTION_INTERVALS(given=value))


def export_formats(value: Any) -> Converted:
    """Return nothing for a list of formats: Spark's own is always written."""
    unknown = [name for name in value if name not in _FORMATS] if isinstance(value, list) else value
    if unknown or not isinstance(value, list):
        return Converted(problem=messages.UNKNOWN_EXPORT_FORMATS(given=unknown))
    warnings = []
    if not value:
        warnings.append(messages.NO_EXPORT_FORMAT())
    if "pickle" in value:
        warnings.append(messages.PICKLE_FORMAT())
    if unwritten := [name for name in value if name in ("onnx", "pmml")]:
        warnings.append(messages.UNWRITTEN_FORMATS(formats=unwritten))
    return Converted(warnings=tuple(warnings))


def normalize(value: Any) -> Converted:
    """Return nothing for a switch of the scaler, which always runs."""
    if not isinstance(value, bool):
        return Converted(problem=messages.INVALID_NORMALIZE(given=value))
    return Converted() if value else Converted(warnings=(messages.UNNORMALIZED(),))


def alpha(value: Any) -> Converted:
    """Return the strength of a penalty, which is not the same number for a ridge."""
    return Converted(value, warnings=() if value == 0 else (messages.ALPHA(given=value),))


def max_features(value: Any) -> Converted:
    """Return the features tried at a split as MLlib names them."""
    if value == "auto":
        return Converted("all", warnings=(messages.AUTO_MAX_FEATURES(),))
    return replace_null("all")(value)


def loss(value: Any) -> Converted:
    """Return MLlib's name of a loss function."""
    return Converted(_LOSSES.get(value, value) if isinstance(value, str) else value)


def max_depth(value: Any) -> Converted:
    """Return the depth of a tree, which MLlib limits."""
    if value is None:
        return Converted(DEEPEST, warnings=(messages.NO_DEPTH_LIMIT(depth=DEEPEST),))
    return Converted(value)


def replace_null(replacement: Any) -> Conversion:
    """Return the conversion that replaces null."""
    return lambda value: Converted(replacement if value is None else value)
