"""Descriptions of columns as the UI shows them."""

from traffic_assets.catalogue.descriptions import column_descriptions
from traffic_assets.catalogue.lookup import feature_table_columns
from traffic_assets.catalogue.sensors import SENSOR_COLUMNS


def test_every_column_of_the_catalogue_is_described_with_its_unit() -> None:
    described = column_descriptions()
    for column in (*feature_table_columns(), *SENSOR_COLUMNS):
        assert described[column.name]
        assert column.unit in described[column.name]
