"""Descriptions of the columns of stored tables, as the Dagster UI shows them."""

from traffic_assets.catalogue.column import Column
from traffic_assets.catalogue.lookup import all_features
from traffic_assets.catalogue.readings import MAX_SPEED_MPH, READING_COLUMNS
from traffic_assets.catalogue.sensors import SENSOR_COLUMNS
from traffic_assets.catalogue.targets import TARGETS

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


def column_descriptions() -> dict[str, str]:
    """Return the description of each column by name, with its unit.

    >>> column_descriptions()["speed_lag_1"]
    'speed one interval earlier, matched by timestamp (mph)'
    """
    columns = (*STORED_COLUMNS, *TARGETS.values(), *SENSOR_COLUMNS, *READING_COLUMNS, *all_features())
    return {column.name: _described(column) for column in columns if column.description}


def _described(column: Column) -> str:
    return f"{column.description} ({column.unit})" if column.unit else column.description
