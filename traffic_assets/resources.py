"""The resources of the code location, configured from settings; their classes are in `dagster_hdfs`.

The asset groups declare where their assets are stored.
"""

from collections.abc import Sequence
from typing import Any

from traffic_assets.assets.group import DAILY_FRAMES, DATE, DOCUMENTS, FRAMES, MODELS, REGISTRY
from traffic_assets.assets.groups import GROUPS, build_assets, pruned_keys
from traffic_assets.catalogue.descriptions import column_descriptions
from traffic_assets.dagster_hdfs.io_managers.documents import JsonIOManager
from traffic_assets.dagster_hdfs.io_managers.frames import DataFrameIOManager
from traffic_assets.dagster_hdfs.io_managers.models import SparkModelIOManager
from traffic_assets.dagster_hdfs.resources import HdfsResource, SparkResource
from traffic_assets.settings import Settings
from traffic_assets.settings.persistence import TRAINING

LOCATIONS = {key: folder for group in GROUPS for key, folder in group.locations.items()}
"""Folder below the base URI by asset key, as the asset groups declare it."""


def build_resources(settings: Settings, pruned: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the resources by key.

    Args:
        settings: Settings of the deployment.
        pruned: Asset keys whose replaced generations retention removes; None derives them from the asset groups.
    """
    if pruned is None:
        pruned = pruned_keys(build_assets(settings))
    spark = SparkResource(
        app_name=settings.spark.app_name,
        master=settings.spark.master,
        driver_memory=settings.spark.driver_memory,
        config=settings.spark.config,
        class_data_archive=settings.spark.class_data_archive,
        history_url=settings.spark.history_url,
    )
    hdfs = HdfsResource(
        spark=spark,
        base_uri=settings.persistence.base_uri,
        default_folder=TRAINING,
        locations={**LOCATIONS, REGISTRY: settings.persistence.registry_folder},
        pruned_datasets=list(pruned),
        key_prefix=settings.deployment,
        browse_url=settings.persistence.browse_url,
        column_descriptions=column_descriptions(),
        remedies={key: remedy for group in GROUPS for key, remedy in group.remedies(settings).items()},
    )
    documents = JsonIOManager(hdfs=hdfs)
    return {
        # for assets without `io_manager_key`; Dagster's own default would pickle
        "io_manager": documents,
        "spark": spark,
        "hdfs": hdfs,
        DAILY_FRAMES: DataFrameIOManager(hdfs=hdfs, partition_column=DATE),
        FRAMES: DataFrameIOManager(hdfs=hdfs),
        MODELS: SparkModelIOManager(hdfs=hdfs),
        DOCUMENTS: documents,
    }
