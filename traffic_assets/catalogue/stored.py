"""Catalogue of the columns that only stored tables have: neither readings nor features."""

from traffic_assets.catalogue.column import Column
from traffic_assets.catalogue.readings import MAX_SPEED_MPH

STORED_COLUMNS = (
    Column("date", "description", "string", description="local day of the network, YYYY-MM-DD"),
    Column(
        "free_flow_speed",
        "description",
        "double",
        "mph",
        0,
        MAX_SPEED_MPH,
        description="speed of the sensor without congestion",
    ),
)
"""Columns that only stored tables have."""
