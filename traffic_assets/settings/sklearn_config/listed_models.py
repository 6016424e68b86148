"""Models that a scikit-learn-style configuration lists: they are enabled, and the others are off."""

from collections.abc import Iterable, Mapping
from typing import Any

from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.messages import sklearn_config as messages
from traffic_assets.settings.layer import Layer, at_path
from traffic_assets.settings.plugins import settings_class

_LINEAR, _ENSEMBLE = "linear_regression", "ensemble"


def complete(content: Mapping[str, Any], files: Layer) -> dict[str, Any]:
    """Return the merged settings with the values that the files imply.

    These are the kind of the input, models that are off, and a linear regression without a penalty.

    Args:
        content: Merged settings of all layers.
        files: Layer of the files, without the environment and overrides.
    """
    if files.has_feature_table and isinstance(data := content.get("data"), Mapping):
        content = {**content, "data": {"kind": "features", **data}}
    models, listed = content.get("models"), files.listed_models
    if listed is None or not isinstance(models, Mapping):
        return dict(content)
    off = {name: _with_default({"enabled": False}, models.get(name)) for name in _find_unlisted(models, listed)}
    models = {**models, **off}
    linear = models.get(_LINEAR)
    if not {_LINEAR, _ENSEMBLE}.isdisjoint(listed) and isinstance(linear, Mapping) and not _has_penalty(linear):
        hyperparameters = _with_default({"regParam": 0.0}, linear.get("hyperparameters"))
        models[_LINEAR] = {**linear, "hyperparameters": hyperparameters}
    return {**content, "models": models}


def unlisted_warnings(content: Mapping[str, Any], files: Layer) -> list[CodedText]:
    """Return a warning about models that are off only because the files do not list them.

    Args:
        content: Merged settings of all layers.
        files: Layer of the files, without the environment and overrides.
    """
    models = content.get("models")
    if files.listed_models is None or files.sklearn_key is None or not isinstance(models, Mapping):
        return []
    unlisted = _find_unlisted(models, files.listed_models)
    text = messages.UNLISTED_MODELS(models=unlisted, key=".".join(files.sklearn_key))
    return [at_path(("models",), text)] if unlisted else []


def _find_unlisted(models: Mapping[str, Any], listed: Iterable[str]) -> list[str]:
    """Return the models that are on by default, not listed, and have no `enabled`."""
    switched = {name for name, model in models.items() if isinstance(model, Mapping) and "enabled" in model}
    defaults = settings_class()().models.get_sections()
    return [n for n, model in defaults.items() if model.enabled and n not in listed and n not in switched]


def _with_default(default: dict[str, Any], value: Any) -> Any:
    """Return a mapping merged over a default, and any other value unchanged; validation refuses it."""
    return {**default, **value} if isinstance(value, Mapping) else default if value is None else value


def _has_penalty(linear: Mapping[str, Any]) -> bool:
    """Return whether settings of the linear regression name a penalty; scikit-learn's LinearRegression has none."""
    sections = [linear.get(name) for name in ("hyperparameters", "grid")]
    named = {name for section in sections if isinstance(section, Mapping) for name in section}
    return bool(linear.get("penalty")) or not named.isdisjoint(("regParam", "elasticNetParam"))
