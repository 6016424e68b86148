"""The attributes that an `Algorithm` had before its capability objects: plugins may use them until 1.0.

Old keywords are converted to the current ones, and old attributes can be read, both with a DeprecationWarning. A
subclass that overrides an old attribute raises a TypeError, because nothing would read it.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

from traffic_assets.deprecation import warn_renamed
from traffic_assets.messages import algorithms as messages
from traffic_assets.ml.capabilities import EarlyStopping, OwnThreads, Requirements

A = TypeVar("A")


def _never(_: Any) -> bool:
    return False


def _without_indicator(_: Any, column: str) -> Any:
    raise ValueError(messages.NO_VALIDATION_INDICATOR(column=column))


@dataclass(frozen=True)
class _Part:
    """One attribute of a capability object that was an attribute of the algorithm.

    Attributes:
        field: Field of the algorithm that contains the object.
        kind: Class of the object.
        attribute: Name of the attribute in the object.
        default: Value if the algorithm has no such object.
    """

    field: str
    kind: type
    attribute: str
    default: Any = None


_RENAMED = {
    "sharing": "shared_fit",
    "suited": "configure_for_rows",
    "scale_free": "scale_invariant",
    "reads_once": "single_pass",
    "quick": "surrogate",
}
_PARTS = {
    "stops_early": _Part("early_stopping", EarlyStopping, "applies", _never),
    "stop_on": _Part("early_stopping", EarlyStopping, "with_validation_indicator"),
    "all_cores": _Part("own_threads", OwnThreads, "applies", _never),
    "fold_task": _Part("own_threads", OwnThreads, "fold_task"),
    "package": _Part("requirements", Requirements, "package"),
    "extra": _Part("requirements", Requirements, "extra"),
}
_OLD_ORDER = (
    "sharing", "stops_early", "stop_on", "suited", "scale_free", "reads_once", "all_cores", "fold_task", "exports",
    "package", "quick", "extra", "members",
)  # fmt: skip
"""The optional attributes in the order of the old positional arguments."""

_REQUIRED = 9


def accept_old_attributes(algorithm: type[A]) -> type[A]:
    """Make a class accept and return the old attributes; a class decorator."""
    generated = algorithm.__init__

    @wraps(generated)
    def init(self: Any, *positional: Any, **named: Any) -> None:
        optional = positional[_REQUIRED:]
        if len(optional) > len(_OLD_ORDER):
            raise TypeError(
                f"{len(positional)} attributes by position. Expected at most {_REQUIRED + len(_OLD_ORDER)}."
            )
        by_position = dict(zip(_OLD_ORDER, optional, strict=False))
        generated(self, *positional[:_REQUIRED], **_use_current_names(by_position | named))

    def init_subclass(cls: type) -> None:
        overridden = {*vars(cls), *inspect.get_annotations(cls)}
        if old := sorted({*_RENAMED, *_PARTS} & overridden):
            names = "; ".join(f"{cls.__name__}.{name}. Expected {_current_name(name)}" for name in old)
            raise TypeError(f"Nothing reads {names}.")

    algorithm.__init__ = init  # type: ignore[method-assign]
    algorithm.__init_subclass__ = classmethod(init_subclass)  # type: ignore[assignment]
    for name in {*_RENAMED, *_PARTS} - set(vars(algorithm)):
        setattr(algorithm, name, property(_reader(name)))
    return algorithm


def _current_name(old: str) -> str:
    part = _PARTS.get(old)
    return f"{part.field}.{part.attribute}" if part else _RENAMED[old]


def _use_current_names(named: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords with current names; an old one replaces that part of a current one, as `replace` does."""
    result = {name: value for name, value in named.items() if name not in _RENAMED and name not in _PARTS}
    parts: dict[str, dict[str, Any]] = {}
    for old in [name for name in named if name not in result]:
        warn_renamed(f"Algorithm({old}=...)", _current_name(old), stacklevel=4)
        if old in _RENAMED:
            result[_RENAMED[old]] = named[old]
        else:
            part = _PARTS[old]
            value = part.default if named[old] is None else named[old]
            parts.setdefault(part.field, {})[part.attribute] = value
    for field, changes in parts.items():
        kinds = [part for part in _PARTS.values() if part.field == field]
        before = result.get(field)
        values = {part.attribute: part.default if before is None else getattr(before, part.attribute) for part in kinds}
        values |= changes
        if field == "early_stopping" and values["with_validation_indicator"] is None:
            values["with_validation_indicator"] = _without_indicator
        missing = field == "requirements" and values["package"] is None
        result[field] = None if missing else kinds[0].kind(**values)
    return result


def _reader(old: str) -> Any:
    def read(self: Any) -> Any:
        warn_renamed(f"Algorithm.{old}", _current_name(old))
        if old in _RENAMED:
            return getattr(self, _RENAMED[old])
        part = _PARTS[old]
        whole = getattr(self, part.field)
        return part.default if whole is None else getattr(whole, part.attribute)

    return read
