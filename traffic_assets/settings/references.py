"""Names in the settings that other packages define, such as columns.

`RULES` lists the functions that check them, by entry point, because this package does not import the others.
"""

from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint

from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.settings.schema import Settings

Rule = Callable[[Settings], Iterator[CodedText]]

RULES = ("traffic_assets.catalogue.references:find_unknown_columns",)
"""Functions that yield a message for each name that does not exist."""


def find_unknown_names(settings: Settings) -> list[CodedText]:
    """Return a message for each name in the settings that does not exist."""
    rules: list[Rule] = [EntryPoint("", rule, "").load() for rule in RULES]
    return [problem for rule in rules for problem in rule(settings)]
