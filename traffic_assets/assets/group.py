"""The contribution of an asset module to the code location.

`groups.py` lists the contributions; jobs, storage locations and retention are derived from them. The names of resources
are here too, because resources are built from the groups.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import dagster as dg

from traffic_assets.settings import Settings

DAILY_FRAMES, FRAMES, MODELS, DOCUMENTS = "daily_frames", "frames", "models", "documents"
IO_MANAGERS = ("io_manager", DAILY_FRAMES, FRAMES, MODELS, DOCUMENTS)
"""Keys of the IO managers; the first is that of assets without `io_manager_key`."""
DAY_GUARD, WEEK_GUARD = "day_guard", "week_guard"
Guard = dg.ResourceParam[object]
"""Type of an asset's parameter `day_guard` or `week_guard` (`guards.py`)."""
HEARTBEAT = "heartbeat"
"""Resource that keeps the heartbeat of a run. `build_defs` adds it to every asset and check; guards require it too."""
DATE = "date"
REGISTRY = "model_registry"
"""Key of the registry among the locations."""
MODEL_TAG, TARGET_TAG = "model", "target"
"""Tags of assets in the Dagster UI: name of the model, and predicted variable."""

Job = Literal["features", "train"]
FEATURES: Job = "features"
TRAIN: Job = "train"


@dataclass(frozen=True)
class AssetGroup:
    """The contribution of one asset module.

    Attributes:
        name: Group in the Dagster UI; several modules may share one.
        job: Job that materializes the assets.
        build: Function that returns the assets for some settings.
        pruned: True if retention removes replaced generations of the group's datasets; False keeps them forever.
        locations: Folder below the base URI by asset key, below one of `settings.persistence.OWN_FOLDERS`. A dataset
            without an entry is stored in `training/<asset key>`.
        remedies: Function that returns, for some settings, what to do about damaged partitions: a template by asset key
            (`dagster_hdfs.generation`). A dataset without an entry is materialized again.
    """

    name: str
    job: Job
    build: Callable[[Settings], list[dg.AssetsDefinition]]
    pruned: bool
    locations: Mapping[str, str] = field(default_factory=dict)
    remedies: Callable[[Settings], dict[str, str]] = lambda _: {}
