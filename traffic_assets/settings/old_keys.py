"""Keys of the settings that were renamed: old files and environments keep working.

Each layer is brought to the current names by itself, before the layers are merged. A mistake is reported under the key
that was given.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from traffic_assets.settings.validation import model_of, old_names_of
from traffic_assets.settings.section import both_names
from traffic_assets.settings.users_format import Path, Translation


def use_current_names(layer: Translation, model: type[BaseModel]) -> Translation:
    """Rename the old keys of a layer in place, and return it.

    A key that is given under both names is refused.

    Args:
        layer: One layer of the settings, in the terms of `model` or in older ones.
        model: The class of the settings.
    """
    layer.content = _renamed(layer, layer.content, model, ())
    return layer


def _renamed(layer: Translation, content: Mapping[str, Any], model: type[BaseModel], at: Path) -> dict[str, Any]:
    """Return a section with the current names of its keys and of those below it."""
    old_names, result = old_names_of(model), dict[str, Any]()
    for key, value in content.items():
        name = old_names.get(key, key)
        if name != key:
            if name in content:
                layer.refused.append(both_names(_given(layer, (*at, key)), _given(layer, (*at, name))))
                continue
            _move_origins(layer, (*at, key), (*at, name))
        field = model.model_fields.get(name)
        below = model_of(field.annotation) if field else None
        nested = below is not None and isinstance(value, Mapping)
        result[name] = _renamed(layer, value, below, (*at, name)) if nested and below else value
    return result


def _given(layer: Translation, path: Path) -> str:
    """Return the names under which the values at a path were given, such as variables of the environment."""
    below = [".".join(given) for ours, given in layer.origins.items() if ours[: len(path)] == path]
    return ", ".join(below) or ".".join(path)


def _move_origins(layer: Translation, old: Path, new: Path) -> None:
    moved = {new + path[len(old) :]: given for path, given in layer.origins.items() if path[: len(old)] == old}
    kept = {path: given for path, given in layer.origins.items() if path[: len(old)] != old}
    layer.origins = {new: old} | kept | moved
