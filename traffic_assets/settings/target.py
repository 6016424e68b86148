"""What can be predicted. Units and feature columns of a target are in the catalogue of features."""

from typing import Literal

Target = Literal["speed", "flow"]
"""What can be predicted: the targets of the catalogue."""

DEFAULT_TARGET: Target = "speed"
"""The target whose lanes have no prefix, ever."""
