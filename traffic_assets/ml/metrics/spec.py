"""The declaration of another package's metric: its name, which values are better, and an aggregate of two columns.

`metrics.py` has the built-in metrics and computes both kinds. Settings read the declarations, so pyspark is not
imported here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from traffic_assets.messages import metrics as messages
from traffic_assets.settings.plugins import METRIC_GROUP, Extension

if TYPE_CHECKING:
    from pyspark.sql import Column


@dataclass(frozen=True)
class Metric(Extension):
    """A metric that is computed in addition to the built-in ones, in the same pass over the rows.

    Attributes:
        unit: Unit of its value; empty if it has none.
        better: The better values: low or high.
        aggregate: Function that returns an aggregate of the observed and the predicted column; null if the value is
            undefined.
    """

    group: ClassVar[str] = METRIC_GROUP
    unit: str
    better: Literal["low", "high"]
    aggregate: Callable[["Column", "Column"], "Column"]

    def __post_init__(self) -> None:
        if self.better not in ("low", "high"):
            raise ValueError(messages.INVALID_DIRECTION(metric=self.name, better=self.better))

    @property
    def label(self) -> str:
        """The title with the unit."""
        return f"{self.title}, {self.unit}" if self.unit else self.title
