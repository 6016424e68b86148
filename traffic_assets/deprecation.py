"""Old import paths that the README and `docs/extending.md` showed before 1.0: they keep working, with a warning.

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
        homes: dotted path of the new module, by name.
    """

    def getattr_(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        message = f"{module}.{name} has moved to {homes[name]}; the old import works until 1.0."
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        return getattr(importlib.import_module(homes[name]), name)

    return getattr_
