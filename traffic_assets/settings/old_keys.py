"""Keys of the settings that were renamed: old files and environments keep working.

Each layer is translated into the current names before the layers are merged. An error is reported under the key
that was used.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from traffic_assets.messages import settings as messages
from traffic_assets.settings.keys import find_model, get_old_names
from traffic_assets.settings.layer import Layer, Path, at_path


def use_current_names(layer: Layer, model: type[BaseModel]) -> Layer:
    """Rename the old keys of a layer in place, and return it.

    A key under both names becomes a problem of the layer.

    Args:
        layer: One layer of the settings, with current or old keys.
        model: Class of the settings.
    """
    layer.content = _rename_keys(layer, layer.content, model, ())
    return layer


def _rename_keys(layer: Layer, content: Mapping[str, Any], model: type[BaseModel], at: Path) -> dict[str, Any]:
    """Return a section with the current names of its keys and of those below it."""
    old_names, result = get_old_names(model), dict[str, Any]()
    for key, value in content.items():
        name = old_names.get(key, key)
        if name != key:
            if name in content:
                old, new = _format_origins(layer, (*at, key)), _format_origins(layer, (*at, name))
                layer.problems.append(at_path((old,), messages.BOTH_NAMES(old=old, new=new)))
                continue
            _move_origins(layer, (*at, key), (*at, name))
        field = model.model_fields.get(name)
        below = find_model(field.annotation) if field else None
        nested = below is not None and isinstance(value, Mapping)
        result[name] = _rename_keys(layer, value, below, (*at, name)) if nested and below else value
    return result


def _format_origins(layer: Layer, path: Path) -> str:
    """Return the names under which the values at a path were set, such as environment variables."""
    below = [".".join(origin) for current, origin in layer.origins.items() if current[: len(path)] == path]
    return ", ".join(below) or ".".join(path)


def _move_origins(layer: Layer, old: Path, new: Path) -> None:
    moved = {new + path[len(old) :]: origin for path, origin in layer.origins.items() if path[: len(old)] == old}
    kept = {path: origin for path, origin in layer.origins.items() if path[: len(old)] != old}
    layer.origins = {new: old} | kept | moved
