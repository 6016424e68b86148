"""The translation of a scikit-learn-style configuration into current settings, by the rules in `tables.py`.

Current keys stay as they are, so that a file may contain both.
"""

import copy
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.messages import sklearn_config as messages
from traffic_assets.settings.layer import Layer, Path, at_path
from traffic_assets.settings.plugins import DESCRIBING, METRIC_NAMES
from traffic_assets.settings.pydantic_errors import format_value
from traffic_assets.settings.sklearn_config.conversions import OMITTED, Conversion, Converted
from traffic_assets.settings.sklearn_config.tables import (
    FEATURE_TABLE_KEYS,
    MODEL_KEYS,
    MODEL_NAMES,
    HyperparameterRule,
    Rule,
    hyperparameter_rules,
    section_rules,
)

_ENSEMBLE = "ensemble"


def translate(
    content: Mapping[str, Any], installed_models: Collection[str] = (), installed_metrics: Sequence[str] = ()
) -> Layer:
    """Return a configuration as a layer of current settings; the input does not change.

    Args:
        content: Nested mapping of sections and keys, in scikit-learn's terms, in current ones, or in both.
        installed_models: Names of models of installed packages, whose hyperparameters are not translated.
        installed_metrics: Names of metrics of installed packages.
    """
    layer = Layer(copy.deepcopy(dict(content)))
    rules = section_rules((*METRIC_NAMES, *DESCRIBING, *installed_metrics))
    keys = {path[:2] for path in rules}
    for section in dict.fromkeys(path[0] for path in rules):
        values = layer.content.get(section)
        if not isinstance(values, dict):
            continue
        for key in [key for key in values if (section, key) in keys]:
            _note_key(layer, (section, key))
            layer.has_feature_table |= (section, key) in FEATURE_TABLE_KEYS
            _apply(layer, rules, (section, key), values.pop(key))
    models = layer.content.get("models")
    if isinstance(models, dict):
        layer.content["models"] = _models(layer, models, installed_models)
        layer.listed_models = frozenset(layer.content["models"]) if layer.sklearn_key else None
    return layer


def _apply(layer: Layer, rules: Mapping[Path, Rule], path: Path, value: Any) -> None:
    """Apply the rule of a key, or the rules of the keys below it."""
    if rule := rules.get(path):
        converted = rule.convert(value)
        _report(layer, path, converted)
        if converted.value is not OMITTED:
            for current in rule.current:
                _place(layer, (*current, *converted.below), converted.value, path)
        return
    allowed = [rule_path[len(path)] for rule_path in rules if rule_path[: len(path)] == path]
    if not isinstance(value, Mapping):
        _refuse(layer, path, messages.NOT_AN_OBJECT(given=value, allowed=allowed))
        return
    for key, below in value.items():
        if key in allowed:
            _apply(layer, rules, (*path, key), below)
        else:
            _refuse(layer, (*path, key), messages.UNKNOWN_KEY(key=key, given=below, allowed=allowed))


def _models(layer: Layer, models: Mapping[str, Any], installed: Collection[str]) -> dict[str, Any]:
    """Return the sections of the models under their current names."""
    result: dict[str, Any] = {}
    for key, section in models.items():
        name = key if key in installed else MODEL_NAMES.get(key, key)
        if name != key:
            if name in models or name in result:
                _refuse(layer, ("models", key), messages.DUPLICATE_MODEL(model=name))
                continue
            layer.origins["models", name] = ("models", key)
            _note_key(layer, ("models", key))
        if isinstance(section, Mapping):
            result[name] = _model(layer, name, ("models", key), section, translated=name not in installed)
        else:
            result[name] = section
    return result


def _model(layer: Layer, name: str, path: Path, content: Mapping[str, Any], translated: bool) -> dict[str, Any]:
    """Return the section of a model.

    Args:
        layer: Layer that gets warnings, problems and origins.
        name: Current name of the model.
        path: Path of the section in the file.
        content: Keys and values of the section.
        translated: True to translate the hyperparameters too; False if another package defines the model.
    """
    model = dict(content)
    for key, current in MODEL_KEYS.items():
        if key not in model:
            continue
        value = model.pop(key)
        if current in model and model[current] != value:
            other = ".".join((*path, current))
            text = messages.CONFLICT(given=value, other=other, value=model[current], setting=f"models.{name}.{current}")
            _refuse(layer, (*path, key), text)
            continue
        model[current] = value
        layer.origins["models", name, current] = (*path, key)
        _note_key(layer, (*path, key))
    for section in ("hyperparameters", "grid") if translated else ():
        if isinstance(values := model.get(section), Mapping):
            place = ("models", name, section)
            model[section] = _hyperparameters(layer, name, layer.origins.get(place, (*path, section)), values, place)
    return model


def _hyperparameters(layer: Layer, model: str, path: Path, values: Mapping[str, Any], place: Path) -> dict[str, Any]:
    """Return the hyperparameters of a model, or their values in a grid, under their current names.

    Args:
        layer: Layer that gets warnings, problems and origins.
        model: Current name of the model.
        path: Path of the hyperparameters in the file.
        values: Value, or values to try, by scikit-learn's or current name.
        place: Current path of the hyperparameters.
    """
    rules, result = hyperparameter_rules(model), dict[str, Any]()
    for key, value in values.items():
        rule = rules.get(key, HyperparameterRule(key))
        at = (*path, key)
        if isinstance(rule.current, tuple):
            if "grid" in place:
                _refuse(layer, at, messages.SEED_IN_GRID(given=value))
            else:
                _place(layer, rule.current, value, at)
        elif model == _ENSEMBLE and key in ("members", "weights"):
            result[key] = _by_member(layer, at, value, (*place, key))
        elif rule.current in result:
            _refuse(layer, at, messages.DUPLICATE_HYPERPARAMETER(name=rule.current, given=value))
        else:
            converted = _convert_all(rule.convert, value) if place[-1] == "grid" else rule.convert(value)
            _report(layer, at, converted)
            if rule.current is None and converted.value == []:
                layer.warnings.append(at_path(at, messages.NO_VALUES(name=key)))
            elif rule.current is not None and converted.value is not OMITTED:
                result[rule.current] = converted.value
                if rule.current != key:
                    layer.origins[*place, rule.current] = at
        if key not in result:
            _note_key(layer, at)
    return result


def _convert_all(convert: Conversion, values: Any) -> Converted:
    """Return the conversion of each value of a grid; of equal messages, the first."""
    if not isinstance(values, list):
        return convert(values)
    each = [convert(value) for value in values]
    if problem := next((one.problem for one in each if one.problem), None):
        return Converted(problem=problem)
    warnings = {text.code: text for one in reversed(each) for text in one.warnings}
    kept = [one.value for one in each if one.value is not OMITTED]
    return Converted(kept if kept or not each else OMITTED, warnings=tuple(warnings.values()))


def _by_member(layer: Layer, path: Path, values: Any, place: Path) -> Any:
    """Return an ensemble's hyperparameters or weights by current name of the member; for a grid, a list of them."""
    if isinstance(values, list):
        return [_by_member(layer, (*path, str(i)), each, (*place, str(i))) for i, each in enumerate(values)]
    if not isinstance(values, Mapping):
        return values
    result: dict[str, Any] = {}
    for key, value in values.items():
        name = MODEL_NAMES.get(str(key), str(key))
        if name in result:
            _refuse(layer, (*path, key), messages.DUPLICATE_MEMBER(name=name, given=value))
            continue
        result[name] = value
        if isinstance(value, Mapping):
            result[name] = _hyperparameters(layer, name, (*path, key), value, (*place, name))
        if name != key:
            _note_key(layer, (*path, key))
    return result


def _place(layer: Layer, path: Path, value: Any, origin: Path) -> None:
    """Put a value at its current path, or refuse it if another value is there already."""
    section: Any = layer.content
    for key in path[:-1]:
        section = section.setdefault(key, {})
        if not isinstance(section, dict):
            return  # the validation reports that this is not a section
    if path[-1] in section and section[path[-1]] != value:
        other = ".".join(layer.origins.get(path, path))
        values = {"given": format_value(value), "value": format_value(section[path[-1]])}
        text = messages.CONFLICT(other=other, setting=".".join(path), **values)
        _refuse(layer, origin, text)
        return
    section[path[-1]] = value
    layer.origins[path] = origin


def _note_key(layer: Layer, path: Path) -> None:
    """Note a key in scikit-learn's terms; the first makes the file a scikit-learn-style configuration."""
    layer.sklearn_key = layer.sklearn_key or path


def _report(layer: Layer, path: Path, converted: Converted) -> None:
    layer.warnings += [at_path(path, text) for text in converted.warnings]
    if converted.problem:
        _refuse(layer, path, converted.problem)


def _refuse(layer: Layer, path: Path, text: CodedText) -> None:
    layer.problems.append(at_path(path, text))
