"""JSON objects that remember duplicate keys; JSON allows them, and Python silently keeps the last."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any


class JsonObject(dict[str, Any]):
    """An object of a JSON document.

    Attributes:
        duplicates: Keys that occur more than once.
    """

    def __init__(self, pairs: Sequence[tuple[str, Any]] = ()) -> None:
        super().__init__(pairs)
        count = Counter(key for key, _ in pairs)
        self.duplicates = [key for key in self if count[key] > 1]


def parse_json(text: str) -> Any:
    """Return a JSON document with its objects as `JsonObject`.

    Raises:
        ValueError: If the text is not valid JSON.
        RecursionError: If it is nested too deeply.
    """
    return json.loads(text, object_pairs_hook=JsonObject)


def duplicate_keys(content: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every key that occurs more than once in its object, including objects in lists."""
    if isinstance(content, JsonObject):
        yield from ((*at, key) for key in content.duplicates)
        for key, value in content.items():
            yield from duplicate_keys(value, (*at, key))
    elif isinstance(content, list):
        for number, value in enumerate(content):
            yield from duplicate_keys(value, (*at, str(number)))
