"""Dagster assets that turn loop-detector readings into gated, registered Spark MLlib models of traffic speed and flow.

Nothing is imported here: loading the package costs nothing, and `traffic_assets.definitions` is the only
module with an import-time effect.
"""

__version__ = "0.1.0"
