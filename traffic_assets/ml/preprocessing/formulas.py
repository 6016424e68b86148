"""Features made from the catalogue's, row by row: products, ratios and powers, each named by its formula.

A formula is `a*b`, `a/b`, `a^2` or `a^3`. Its value is one SQL expression over the row's own columns, so that a fitted
pipeline needs nothing else to make it. A ratio to 0 or to nothing is missing. Where they are made in the pipeline is
said in `preprocessing.py`. No pyspark here: formulas are checked while the code location loads.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from traffic_assets.catalogue.column import Column
from traffic_assets.catalogue.lookup import leaky_features

_OPERATORS = {"*": "times", "/": "per", "^": "power"}
_PARTS = re.compile(r"(\w+)([*/^])(\w+)")


@dataclass(frozen=True)
class CreatedFeature:
    """One created feature.

    Attributes:
        name: its formula, which is also the name of its slot.
        sources: the features that it is made from.
        sql: its value, over the columns of the row.
        column: the column that the pipeline gives it.
    """

    name: str
    sources: tuple[str, ...]
    sql: str
    column: str


def parse_formula(formula: str) -> CreatedFeature:
    """What a formula makes.

    Raises:
        ValueError: where it is none.
    """
    parts = _PARTS.fullmatch(formula)
    if parts is None:
        raise ValueError(f"{formula!r} is no formula: give a*b, a/b, a^2 or a^3")
    first, operator, second = parts.groups()
    column = f"created_{first}_{_OPERATORS[operator]}_{second}"
    if operator == "^":
        return CreatedFeature(formula, (first,), " * ".join([f"`{first}`"] * int(second)), column)
    sql = f"`{first}` * `{second}`" if operator == "*" else f"`{first}` / nullif(`{second}`, 0)"
    return CreatedFeature(formula, (first, second), sql, column)


def is_leaky(feature: str, target: str) -> bool:
    """Whether a feature of the catalogue, or one that a formula makes, is at horizon 0 a function of the target."""
    sources = (feature,) if set(feature).isdisjoint("*/^") else parse_formula(feature).sources
    return not set(sources).isdisjoint(leaky_features(target))


def require_sources(
    formulas: Iterable[str],
    columns: Sequence[Column],
    excluded: Iterable[str] = (),
    only: Iterable[str] | None = None,
) -> None:
    """Refuse formulas of what is no numeric feature, or is not to be trained on.

    Args:
        formulas: of `training.preprocessing.create`.
        columns: the catalogue's features.
        excluded: features that the settings exclude; what is made from them would bring them back.
        only: the features that the settings name, where they name some.

    Raises:
        ValueError: naming every formula that cannot be made, and why.
    """
    roles, left_out = {column.name: column.role for column in columns}, set(excluded)
    numeric = [column.name for column in columns if column.role == "numeric"]
    named = set(roles) if only is None else set(only)
    wrong = []
    for feature in map(parse_formula, formulas):
        for source in feature.sources:
            if source not in roles:
                wrong.append(f"{feature.name}: no such feature: {source}")
            elif roles[source] != "numeric":
                wrong.append(f"{feature.name}: {source} is {roles[source]}, it has no product, ratio or power")
            elif source in left_out:
                wrong.append(f"{feature.name}: {source} is in training.exclude_features")
            elif source not in named:
                wrong.append(f"{feature.name}: {source} is not in training.features")
    if wrong:
        raise ValueError(
            f"training.preprocessing.create: {'; '.join(wrong)}. The numeric features: {', '.join(numeric)}"
        )


def without_source(formulas: Iterable[str], columns: Iterable[Column]) -> dict[str, list[str]]:
    """The formulas that cannot be made from some columns: what each of them lacks.

    Args:
        formulas: that `require_sources` lets through.
        columns: what a target is learned from, without the features that are made from the target itself.
    """
    there = {column.name for column in columns}
    lacking = {f.name: [source for source in f.sources if source not in there] for f in map(parse_formula, formulas)}
    return {formula: sources for formula, sources in lacking.items() if sources}
