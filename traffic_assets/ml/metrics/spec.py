"""What a metric of another package is: a name, which way is better, and an aggregate of two columns.

The built-in metrics, and where both kinds are computed, are in `metrics.py`. Specs are needed when the settings are
read, so pyspark is not imported here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from traffic_assets.settings.plugins import METRIC_GROUP, Extension

if TYPE_CHECKING:
    from pyspark.sql import Column


@dataclass(frozen=True)
class Metric(Extension):
    """A metric that is computed beside the built-in ones, in the same pass over the rows.

    Attributes:
        unit: of its value; empty where it has none.
        better: which values are better.
        aggregate: makes one number of many rows: an aggregate column of the observed and the predicted column. Null
            stands for a value that cannot be told.
    """

    group: ClassVar[str] = METRIC_GROUP
    unit: str
    better: Literal["low", "high"]
    aggregate: Callable[["Column", "Column"], "Column"]

    def __post_init__(self) -> None:
        if self.better not in ("low", "high"):
            raise ValueError(f"{self.name}: better is {self.better!r}; low and high are allowed")

    @property
    def label(self) -> str:
        """Its title with its unit."""
        return f"{self.title}, {self.unit}" if self.unit else self.title
