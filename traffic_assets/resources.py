"""The resources, configured from settings; what they are is in `dagster_hdfs`.

`LOCATIONS` is the one table of where assets are kept below the base URI.
"""

from typing import Any

import dagster as dg

from traffic_assets.dagster_hdfs.io_managers.documents import JsonIOManager
from traffic_assets.dagster_hdfs.io_managers.frames import DataFrameIOManager
from traffic_assets.dagster_hdfs.io_managers.models import SparkModelIOManager
from traffic_assets.dagster_hdfs.resources import HdfsResource, SparkResource
from traffic_assets.settings import Settings

DAILY_FRAMES, FRAMES, MODELS, DOCUMENTS = "daily_frames", "frames", "models", "documents"
DAY_GUARD, WEEK_GUARD = "day_guard", "week_guard"
Guard = dg.ResourceParam[object]
"""Type of an asset's parameter `day_guard` or `week_guard`; what they do is in `guards.py`."""
DATE = "date"
SPLITS_LOCATION = "training/splits"
LOCATIONS = {
    "sensor_table": "processed/sensors",
    "sensor_readings": "processed/readings",
    "feature_table": "processed/ml-features",
    **dict.fromkeys(("train_split", "validation_split", "test_split"), SPLITS_LOCATION),
}
TRAINING_FOLDER = "training"
REGISTRY = "model_registry"
"""Key of the registry among the locations."""


def build_resources(settings: Settings) -> dict[str, Any]:
    """The resources by key."""
    spark = SparkResource(
        app_name=settings.spark.app_name,
        master=settings.spark.master,
        driver_memory=settings.spark.driver_memory,
        config=settings.spark.config,
        class_data_archive=settings.spark.class_data_archive,
    )
    hdfs = HdfsResource(
        spark=spark,
        base_uri=settings.persistence.base_uri,
        default_folder=TRAINING_FOLDER,
        locations={**LOCATIONS, REGISTRY: settings.persistence.registry_folder},
        browse_url=settings.persistence.browse_url,
    )
    documents = JsonIOManager(hdfs=hdfs)
    return {
        # the default of Dagster would pickle; an asset that names no manager gets this one
        "io_manager": documents,
        "spark": spark,
        "hdfs": hdfs,
        DAILY_FRAMES: DataFrameIOManager(hdfs=hdfs, partition_column=DATE),
        FRAMES: DataFrameIOManager(hdfs=hdfs),
        MODELS: SparkModelIOManager(hdfs=hdfs),
        DOCUMENTS: documents,
    }
