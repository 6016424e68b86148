"""Descriptions of the columns of stored tables, as the Dagster UI shows them."""

from traffic_assets.catalogue.column import Column
from traffic_assets.catalogue.lookup import all_features
from traffic_assets.catalogue.readings import READING_COLUMNS
from traffic_assets.catalogue.sensors import SENSOR_COLUMNS
from traffic_assets.catalogue.stored import STORED_COLUMNS
from traffic_assets.catalogue.targets import TARGETS


def column_descriptions() -> dict[str, str]:
    """Return the description of each column by name, with its unit.

    >>> column_descriptions()["speed_lag_1"]
    'speed one interval earlier, matched by timestamp (mph)'
    """
    columns = (*STORED_COLUMNS, *TARGETS.values(), *SENSOR_COLUMNS, *READING_COLUMNS, *all_features())
    return {column.name: _describe(column) for column in columns if column.description}


def _describe(column: Column) -> str:
    return f"{column.description} ({column.unit})" if column.unit else column.description
