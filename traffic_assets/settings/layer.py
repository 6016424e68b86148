"""One layer of the settings: a file, the environment or overrides, before the layers are merged and validated."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from traffic_assets.dagster_hdfs.message import CodedText

Path = tuple[str, ...]
"""Path of a setting, such as ("training", "folds")."""


@dataclass
class Layer:
    """One layer of the settings, under their current names.

    Attributes:
        content: Nested mapping of sections and keys.
        warnings: Messages about keys whose effect differs from what their name suggests.
        problems: Messages about keys that cannot be used.
        origins: Path under which a value was set (in a file or the environment), by its current path, if they differ.
        sklearn_key: Path of the first key of a scikit-learn-style configuration, if there is one.
        listed_models: Models that a scikit-learn-style configuration lists; the others are off.
        has_feature_table: True if a key names columns of the input, which then is a ready-made feature table.
    """

    content: dict[str, Any]
    warnings: list[CodedText] = field(default_factory=list)
    problems: list[CodedText] = field(default_factory=list)
    origins: dict[Path, Path] = field(default_factory=dict)
    sklearn_key: Path | None = None
    listed_models: frozenset[str] | None = None
    has_feature_table: bool = False


def at_path(path: Path, text: CodedText) -> CodedText:
    """Return a message with the path of its setting in front, and among its values."""
    dotted = ".".join(path)
    return text.with_prefix(f"{dotted}: ", path=dotted)


def merge(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """Return `top` merged over `base`: mappings are merged key by key, any other value replaces the one in `base`."""
    result = dict(base)
    for key, value in top.items():
        if isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = merge(result[key], value)
        else:
            result[key] = value
    return result


def merge_layers(base: Layer, top: Layer) -> Layer:
    """Return one layer over another.

    Each layer already has the current names, so a setting under two names is merged as one.
    """
    models = top.content.get("models")
    named = frozenset(models) if isinstance(models, Mapping) else frozenset[str]()
    kept = {path: origin for path, origin in base.origins.items() if not _contains(top.content, path)}
    return Layer(
        merge(base.content, top.content),
        warnings=base.warnings + top.warnings,
        problems=base.problems + top.problems,
        origins=kept | top.origins,
        sklearn_key=top.sklearn_key if base.listed_models is None else base.sklearn_key,
        listed_models=top.listed_models if base.listed_models is None else base.listed_models | named,
        has_feature_table=top.has_feature_table or base.has_feature_table,
    )


def find_origin(path: Path, origins: Mapping[Path, Path]) -> Path:
    """Return the path under which a value was set, by the longest part of its path that has an origin."""
    for length in range(len(path), 0, -1):
        if path[:length] in origins:
            return origins[path[:length]] + path[length:]
    return path


def _contains(content: Any, path: Path) -> bool:
    for key in path:
        if not isinstance(content, Mapping) or key not in content:
            return False
        content = content[key]
    return True
