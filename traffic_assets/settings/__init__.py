"""The settings of a deployment, as one validated object.

Each section of a settings file is in the file of its name, the settings of each model are in `models`, and `schema.py`
combines them. `loading.py` reads a profile and the environment. `commands.py` builds the commands that messages
advise, with the profile. Nothing here imports the rest of the package except
messages, so that every other package can depend on the settings.
"""

from traffic_assets.settings.loading import SettingsError, load_settings, profile_names
from traffic_assets.settings.schema import Settings

__all__ = ["Settings", "SettingsError", "load_settings", "profile_names"]
