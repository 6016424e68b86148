"""Types of hyperparameters that several models share."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from traffic_assets.settings.formats import SUBSET_STRATEGY
from traffic_assets.settings.section import LARGEST_INTEGER


def number_as_text(value: Any) -> Any:
    """Return a number as text, and any other value unchanged."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


SubsetStrategy = Annotated[
    str,
    BeforeValidator(number_as_text),
    Field(
        pattern=SUBSET_STRATEGY,
        description="Features tried at each split: `auto`, `all`, `onethird`, `sqrt`, `log2`, a share or a number.",
    ),
]
Trees = Annotated[int, Field(ge=1, le=10_000, description="Number of trees.")]
Depth = Annotated[int, Field(ge=1, le=30, description="Maximum depth of a tree.")]
Bins = Annotated[int, Field(ge=2, le=65_536, description="Maximum number of candidate thresholds per feature.")]
Rows = Annotated[int, Field(ge=1, le=LARGEST_INTEGER, description="Minimum number of rows in a child node.")]
Share = Annotated[float, Field(gt=0, le=1)]
