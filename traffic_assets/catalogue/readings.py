"""Columns of readings, with units and ranges.

Not here: aliases of these names (`settings/data.py`), reading and validating files (`readings/`).
"""

from traffic_assets.catalogue.column import Column

MAX_SPEED_MPH = 120.0
READING_COLUMNS = (
    Column("sensor_id", "key", "string", description="the detector station"),
    Column("timestamp", "key", "timestamp", unit="UTC", description="start of the interval"),
    Column("speed", "measurement", "double", "mph", 0, MAX_SPEED_MPH, description="mean speed of the interval"),
    Column("flow", "measurement", "double", "veh/interval", 0, 20_000, description="vehicles, all lanes"),
    Column("occupancy", "measurement", "double", "", 0, 1, description="share of the interval covered"),
)
REQUIRED_READING_COLUMNS = ("sensor_id", "timestamp", "speed")
KEYS = ("sensor_id", "timestamp")
READINGS_VERSION = 1
"""Content version of `sensor_readings` and of a ready-made feature table.

Raise it in a change that reads other rows from the same files (`readings/`). A test compares the digest of a small
output, and fails if it changed and the version did not.
"""
