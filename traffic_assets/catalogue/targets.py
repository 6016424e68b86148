"""Variables that a lane can predict, with units and ranges."""

from traffic_assets.catalogue.column import Column
from traffic_assets.catalogue.readings import MAX_SPEED_MPH

TARGETS = {
    column.name: column
    for column in (
        Column(
            "speed", "target", "double", "mph", 0, MAX_SPEED_MPH, "with the target", ("speed",), "mean of the interval"
        ),
        Column(
            "flow", "target", "double", "veh/interval", 0, 20_000, "with the target", ("flow",), "vehicles, all lanes"
        ),
    )
}
"""Targets by name; `training.targets` selects among them."""
