"""The code location that Dagster loads; the only module with an import-time effect."""

from traffic_assets.build import build_defs

defs = build_defs()
