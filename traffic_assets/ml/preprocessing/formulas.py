"""Features created from the catalogue's, row by row: products, ratios and powers, each named by its formula.

A formula is `a*b`, `a/b`, `a^2` or `a^3`. Its value is one SQL expression over the row's own columns, so a fitted
pipeline computes it without further data. A ratio is missing if its divisor is 0 or missing. `pipeline.py` has the
stage that computes them. Formulas are checked while the code location loads, so pyspark is not imported here.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from traffic_assets.catalogue.column import Column
from traffic_assets.catalogue.lookup import leaky_features
from traffic_assets.messages import preprocessing as messages

_OPERATORS = {"*": "times", "/": "per", "^": "power"}
_PARTS = re.compile(r"(\w+)([*/^])(\w+)")


@dataclass(frozen=True)
class CreatedFeature:
    """One created feature.

    Attributes:
        name: The formula, which is also the name of the slot.
        sources: Features that it is computed from.
        sql: SQL expression of its value, over the columns of the row.
        column: Its column in the pipeline.
    """

    name: str
    sources: tuple[str, ...]
    sql: str
    column: str


def parse_formula(formula: str) -> CreatedFeature:
    """Return the feature that a formula creates.

    Raises:
        ValueError: If the formula is not valid.
    """
    parts = _PARTS.fullmatch(formula)
    if parts is None:
        raise ValueError(messages.INVALID_FORMULA(formula=formula))
    first, operator, second = parts.groups()
    column = f"created_{first}_{_OPERATORS[operator]}_{second}"
    if operator == "^":
        return CreatedFeature(formula, (first,), " * ".join([f"`{first}`"] * int(second)), column)
    sql = f"`{first}` * `{second}`" if operator == "*" else f"`{first}` / nullif(`{second}`, 0)"
    return CreatedFeature(formula, (first, second), sql, column)


def is_leaky(feature: str, target: str) -> bool:
    """Return True if a catalogue feature, or a created one, is a function of the target at horizon 0."""
    sources = (feature,) if set(feature).isdisjoint("*/^") else parse_formula(feature).sources
    return not set(sources).isdisjoint(leaky_features(target))


def require_sources(
    formulas: Iterable[str],
    columns: Sequence[Column],
    excluded: Iterable[str] = (),
    only: Iterable[str] | None = None,
) -> None:
    """Raise if a formula uses a feature that is not numeric or not trained on.

    Args:
        formulas: Formulas of `training.preprocessing.create`.
        columns: The catalogue's features.
        excluded: Features that the settings exclude; no created feature may use them.
        only: Features that `training.features` lists; None if it is not set.

    Raises:
        ValueError: If a formula cannot be computed; the message lists each of them with its reason.
    """
    roles, left_out = {column.name: column.role for column in columns}, set(excluded)
    numeric = [column.name for column in columns if column.role == "numeric"]
    named = set(roles) if only is None else set(only)
    reasons = []
    for feature in map(parse_formula, formulas):
        for source in feature.sources:
            if source not in roles:
                reasons.append(f"{feature.name}: no such feature: {source}")
            elif roles[source] != "numeric":
                reasons.append(f"{feature.name}: {source} is {roles[source]}")
            elif source in left_out:
                reasons.append(f"{feature.name}: {source} is in training.exclude_features")
            elif source not in named:
                reasons.append(f"{feature.name}: {source} is not in training.features")
    if reasons:
        raise ValueError(messages.UNUSABLE_FORMULAS(reasons=reasons, numeric=numeric))


def without_source(formulas: Iterable[str], columns: Iterable[Column]) -> dict[str, list[str]]:
    """Return the missing sources of each formula that cannot be computed from these columns.

    Args:
        formulas: Formulas that `require_sources` accepts.
        columns: Columns to train on for a target, without the features that are computed from the target itself.
    """
    names = {column.name for column in columns}
    missing = {f.name: [source for source in f.sources if source not in names] for f in map(parse_formula, formulas)}
    return {formula: sources for formula, sources in missing.items() if sources}
