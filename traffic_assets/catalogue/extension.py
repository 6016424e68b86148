"""Feature of an installed package: its catalogue entry, and the Spark expression that computes it.

Packages register it in the entry point group `traffic_assets.features`. Not here: built-in features (`features.py`,
computed in `features/engineering.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from traffic_assets.catalogue.column import Column
from traffic_assets.catalogue.features import FEATURES
from traffic_assets.catalogue.readings import READING_COLUMNS
from traffic_assets.catalogue.sensors import SENSOR_COLUMNS
from traffic_assets.catalogue.stored import STORED_COLUMNS
from traffic_assets.catalogue.targets import TARGETS
from traffic_assets.messages import features as messages
from traffic_assets.settings.data import DataSettings
from traffic_assets.settings.plugins import FEATURE_GROUP, Extension

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn

LONGEST_LOOKBACK_MINUTES = 24 * 60

INTERNAL_COLUMNS = (
    *("split", "row", "held_out", "is_test", "is_it", "stops_fit", "fits", "tested"),
    *("numbers", "categories", "y", "assembled", "assembled_and_target", "selected", "features", "prediction"),
    *("half_width", "own_half_width", "rank"),
)
"""Columns that training adds beside the features; a feature with one of these names would be overwritten."""

TYPES = {"numeric": ("double",), "categorical": ("int", "bigint", "string")}
"""Spark types that a feature can have, by role."""


@dataclass(frozen=True)
class Feature(Extension):
    """Feature of an installed package.

    The expression is a column over the rows of one or more local days. A row has the columns of its reading
    (`catalogue/readings.py`) and of its sensor (`catalogue/sensors.py`), and every built-in feature. A window must be
    partitioned by `sensor_id` and ordered by `timestamp`.

    Attributes:
        column: Catalogue entry with the feature's name; its role is numeric or categorical.
        expression: Function that returns the feature's expression for some data settings.
        lookback_minutes: Length of the longest window before a row, minutes; at most a day.
    """

    group: ClassVar[str] = FEATURE_GROUP
    column: Column
    expression: Callable[[DataSettings], "SparkColumn"]
    lookback_minutes: int = 0

    def __post_init__(self) -> None:
        if self.column.name != self.name:
            raise ValueError(messages.WRONG_COLUMN_NAME(feature=self.name, column=self.column.name))
        if self.column.role not in ("numeric", "categorical"):
            raise ValueError(messages.WRONG_ROLE(feature=self.name, role=self.column.role))
        allowed = TYPES[self.column.role]
        if self.column.spark_type not in allowed:
            raise ValueError(
                messages.WRONG_TYPE(
                    feature=self.name, role=self.column.role, type=self.column.spark_type, allowed=allowed
                )
            )
        if not callable(self.expression):
            raise ValueError(messages.NO_EXPRESSION(feature=self.name, type=type(self.expression).__name__))
        if not 0 <= self.lookback_minutes <= LONGEST_LOOKBACK_MINUTES:
            raise ValueError(
                messages.WRONG_LOOKBACK(
                    feature=self.name, given=self.lookback_minutes, longest=LONGEST_LOOKBACK_MINUTES
                )
            )

    @classmethod
    def taken_names(cls) -> tuple[str, ...]:
        """Return the names that a package's feature cannot have: columns of the built-in tables and of training."""
        columns = (*FEATURES, *READING_COLUMNS, *SENSOR_COLUMNS, *TARGETS.values(), *STORED_COLUMNS)
        return (*dict.fromkeys(column.name for column in columns), *INTERNAL_COLUMNS)
