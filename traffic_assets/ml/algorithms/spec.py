"""The old place of `Algorithm`; see `traffic_assets.deprecation`."""

# ruff: noqa: F401
from typing import TYPE_CHECKING

from traffic_assets.deprecation import moved_names

if TYPE_CHECKING:
    from traffic_assets.ml.algorithm import ROW, Algorithm, Export, Fill, Task
    from traffic_assets.ml.algorithm import SharedFit as Sharing
else:
    __getattr__ = moved_names(
        __name__,
        dict.fromkeys(("ROW", "Algorithm", "Export", "Fill", "Task"), "traffic_assets.ml.algorithm")
        | {"Sharing": "traffic_assets.ml.algorithm:SharedFit"},
    )
