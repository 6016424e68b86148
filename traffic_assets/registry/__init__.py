"""The model registry: immutable versions of each lane, and the pointer to the newest.

It uses only the parts of `dagster_hdfs` that do not import Dagster, so a service or a notebook can use it.
"""

from traffic_assets.registry.metadata import VersionMetadata
from traffic_assets.registry.reading import RegistryReader
from traffic_assets.registry.store import ModelRegistry
from traffic_assets.registry.versions import RegistryError

__all__ = ["ModelRegistry", "RegistryError", "RegistryReader", "VersionMetadata"]
