"""The old place of `Metric`; see `traffic_assets.deprecation`."""

from typing import TYPE_CHECKING

from traffic_assets.deprecation import moved_names

if TYPE_CHECKING:
    from traffic_assets.ml.metrics.spec import Metric as Metric
else:
    __getattr__ = moved_names(__name__, {"Metric": "traffic_assets.ml.metrics.spec"})
