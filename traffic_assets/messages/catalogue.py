"""The catalogue of all messages, by code."""

import importlib
import pkgutil
from types import ModuleType

import traffic_assets.dagster_hdfs
import traffic_assets.messages
from traffic_assets.dagster_hdfs.message import Message


def catalogue() -> dict[str, Message]:
    """Return every message by code, sorted.

    Raises:
        AssertionError: If two messages have the same code.
    """
    by_code: dict[str, Message] = {}
    for module in _modules():
        for message in vars(module).values():
            if not isinstance(message, Message):
                continue
            if by_code.setdefault(message.code, message) is not message:
                raise AssertionError(f"{module.__name__}: the code {message.code} is used by two messages.")
    return dict(sorted(by_code.items()))


def _modules() -> list[ModuleType]:
    names = [
        f"{traffic_assets.messages.__name__}.{module.name}"
        for module in pkgutil.iter_modules(traffic_assets.messages.__path__)
    ]
    names.append("traffic_assets.dagster_hdfs.messages")
    return [importlib.import_module(name) for name in names if not name.endswith(".catalogue")]
