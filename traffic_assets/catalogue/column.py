"""Description of a column: its role, type, unit, range, and availability."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["key", "numeric", "categorical", "target", "measurement", "description"]
Availability = Literal["always", "before", "with the reading", "with the target"]


@dataclass(frozen=True)
class Column:
    """Column of a table with readings, sensors, features or targets.

    Attributes:
        name: Name in the table.
        role: Use of the column: key, feature, target, measurement or description.
        spark_type: Simple name of its Spark SQL type.
        unit: Unit of its values, empty for codes and shares.
        low: Lower bound of its values, inclusive.
        high: Upper bound of its values, inclusive.
        available_at: Time at which its value is available, relative to the time at which the target is observed.
        source: Columns of a reading or a sensor that it is computed from.
        description: Definition in one line.
        version: Content version: raise it in a change of the type, unit or formula. A test compares the digest of a
            small output of each built-in feature.
    """

    name: str
    role: Role
    spark_type: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    available_at: Availability = "always"
    source: tuple[str, ...] = ()
    description: str = ""
    version: int = 1

    def is_leaky(self, target: str = "speed") -> bool:
        """Return whether the feature, at horizon 0, is computed from the value to predict."""
        simultaneous = self.available_at in ("with the reading", "with the target")
        return simultaneous and target in self.source and self.role in ("numeric", "categorical")
