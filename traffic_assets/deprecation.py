"""Old names that keep working until 1.0, with a DeprecationWarning: import paths, classes, methods and attributes.

A module that moved keeps a file of one line at its old place, which calls `moved_names`. Not here: old keys of settings
files, which are aliases in `settings/`.
"""

import importlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any


def moved_names(module: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a module whose names moved.

    Args:
        module: dotted path of the old module.
        homes: dotted path of the new module, by name; `module:name` if the name changed too.
    """

    def getattr_(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        home, _, renamed = homes[name].partition(":")
        to = f"{home}.{renamed}" if renamed else home
        message = f"{module}.{name} has moved to {to}; the old import works until 1.0."
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        return getattr(importlib.import_module(home), renamed or name)

    return getattr_


def warn_renamed(old: str, new: str, stacklevel: int = 3) -> None:
    """Warn that a class, method, attribute or argument has a new name.

    Args:
        old: the name that was used.
        new: the name to use.
        stacklevel: the frame to blame, counted from here; 3 is the caller of the caller.
    """
    message = f"{old} is now {new}; the old name works until 1.0."
    warnings.warn(message, DeprecationWarning, stacklevel=stacklevel)
