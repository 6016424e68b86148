"""Columns that describe a sensor. Not here: building the sensor table (`features/sensors.py`)."""

from traffic_assets.catalogue.column import Column

SENSOR_COLUMNS = (
    Column("sensor_id", "key", "string", description="the detector station"),
    Column("latitude", "description", "double", "degrees", -90, 90, description="position, WGS 84"),
    Column("longitude", "description", "double", "degrees", -180, 180, description="position, WGS 84"),
    Column("highway", "description", "string", description="name of the highway"),
    Column("lanes", "description", "int", "", 1, 20, description="lanes covered by the station"),
)

LAYOUT_FINGERPRINT = "geometry"
"""Field of the record with the layout fingerprint; stored data has its old name."""

SENSORS_VERSION = 1
"""Content version of `sensor_table`: raise it in a change that builds another table from the same files.

A test compares the digest of a small output, and fails if it changed and the version did not.
"""
