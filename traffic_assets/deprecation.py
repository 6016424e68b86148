"""Old names that keep working until 1.0, with a DeprecationWarning: import paths, classes, methods and attributes.

A module that moved leaves a stub at its old place, which calls `moved_names`. Not here: old keys of settings
files, which are aliases in `settings/`.
"""

import importlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from traffic_assets.messages.deprecation import MOVED, RENAMED


def moved_names(module: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a module whose names moved.

    Args:
        module: Dotted path of the old module.
        homes: Dotted path of the new module, by name; `module:name` if the name changed too.
    """

    def getattr_(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        home, _, new_name = homes[name].partition(":")
        new = f"{home}.{new_name}" if new_name else home
        warnings.warn(MOVED(old=f"{module}.{name}", new=new), DeprecationWarning, stacklevel=2)
        return getattr(importlib.import_module(home), new_name or name)

    return getattr_


def warn_renamed(old: str, new: str, stacklevel: int = 3) -> None:
    """Warn that a class, method, attribute or argument has a new name.

    Args:
        old: Name that was used.
        new: Name to use.
        stacklevel: Frame that the warning names, counted from here; 3 is the caller of the caller.
    """
    warnings.warn(RENAMED(old=old, new=new), DeprecationWarning, stacklevel=stacklevel)
