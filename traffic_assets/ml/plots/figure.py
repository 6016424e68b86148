"""Size, colours, labels and PNG of all figures."""

import io
from typing import TYPE_CHECKING

from traffic_assets.catalogue.targets import TARGETS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 110
LONGEST_NAME = 28
BLUE, ORANGE, GREY, RED = "#2b6cb0", "#dd6b20", "#718096", "#c53030"


def unit_label(target: str) -> str:
    """Return the unit of a target."""
    return TARGETS[target].unit


def residual_label(target: str) -> str:
    """Return the label of an axis of residuals."""
    return f"predicted − observed, {unit_label(target)}"


def plain_text(text: str) -> str:
    """Return a name from the data on one line, shortened, with `$` escaped so that it is not read as a formula."""
    line = " ".join(text.split())
    short = line if len(line) <= LONGEST_NAME else f"{line[: LONGEST_NAME - 1]}…"
    return short.replace("$", r"\$")


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure of this width and height in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def png(figure: "Figure") -> bytes:
    """Return a figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()
