"""Everything a user can set, as one validated object.

A section of a settings file is in the file of its name, those of each model are in `models`, `schema.py` holds
the whole; `loading.py` reads a profile and the environment. Nothing here imports the rest of the package: every other
layer may depend on the settings.
"""

from traffic_assets.settings.loading import SettingsError, load_settings, profile_names
from traffic_assets.settings.schema import Settings

__all__ = ["Settings", "SettingsError", "load_settings", "profile_names"]
