"""The model registry: immutable versions of a lane, and what may point to them.

Stands on `dagster_hdfs` without Dagster, so a service or a notebook can use it.
"""

from traffic_assets.registry.metadata import VersionMetadata
from traffic_assets.registry.reading import RegistryReader
from traffic_assets.registry.store import ModelRegistry
from traffic_assets.registry.versions import RegistryError

__all__ = ["ModelRegistry", "RegistryError", "RegistryReader", "VersionMetadata"]
