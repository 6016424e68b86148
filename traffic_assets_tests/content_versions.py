"""Digests of small fixed outputs, stored with their content versions in `content_versions.json`.

A change of the code that changes a digest must raise the version, because partitions of both versions would be mixed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

STORED = Path(__file__).with_suffix(".json")
Versions = Mapping[str, Mapping[str, Any]]
"""Version and digest by name of a dataset or column."""


def digest(rows: DataFrame, columns: Sequence[str], order: Sequence[str], facts: Sequence[str] = ()) -> str:
    """Return a digest of the values of some columns, to 9 decimals, and of facts about them."""
    values = [[_plain(row[c]) for c in columns] for row in rows.orderBy(*order).select(*columns, *order).collect()]
    types = [field.dataType.simpleString() for field in rows.select(*columns).schema.fields]
    return hashlib.sha256(json.dumps([list(columns), types, list(facts), values]).encode()).hexdigest()[:16]


def find_problems(stored: Versions, current: Versions) -> list[str]:
    """Return what is wrong with the current versions, a line for each name."""
    problems = []
    for name, now in sorted(current.items()):
        before = stored.get(name)
        if before is None:
            problems.append(f"{name}: not stored yet")
        elif now["digest"] != before["digest"] and now["version"] <= before["version"]:
            problems.append(f"{name}: the output changed, and the version is still {now['version']}; raise it")
        elif dict(now) != dict(before):
            problems.append(f"{name}: version {now['version']} is not stored yet")
    return problems + [f"{name}: not in the code any more" for name in sorted(stored.keys() - current.keys())]


def may_be_stored(problems: Sequence[str]) -> bool:
    """Return whether an update may store the current versions: not while an output changed without its version."""
    return not any(problem.endswith("raise it") for problem in problems)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 9)
    return value if value is None or isinstance(value, int | str) else str(value)
