"""Loop-detector readings to gated, registered Spark MLlib speed models, as Dagster assets.

Nothing is imported here: loading the package costs nothing, and `traffic_assets.definitions` is the only
module with an import-time effect.
"""

__version__ = "0.1.0"
