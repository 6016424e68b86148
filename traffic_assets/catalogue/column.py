"""The description of one column: its role, type, unit, range, and when its value is available."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["key", "numeric", "categorical", "target", "measurement", "description"]
Availability = Literal["always", "before", "with the reading", "with the target"]


@dataclass(frozen=True)
class Column:
    """One column of the tables that we define.

    Attributes:
        name: as in the users' feature tables.
        role: what it is to a model.
        spark_type: simple name of its Spark SQL type.
        unit: unit of its values, empty for codes and shares.
        low: smallest allowed value, inclusive.
        high: largest allowed value, inclusive.
        available_at: when its value is known, seen from the moment the target is observed.
        source: the columns of a reading or a sensor that it is computed from.
        description: its definition in a line.
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

    def is_leaky(self, target: str = "speed") -> bool:
        """Whether the feature, at horizon 0, is made from the very value that is to be predicted."""
        at_once = self.available_at in ("with the reading", "with the target")
        return at_once and target in self.source and self.role in ("numeric", "categorical")
