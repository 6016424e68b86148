"""Columns that the settings name and that do not exist; `settings/references.py` finds this module."""

from collections.abc import Iterator

from traffic_assets.catalogue.lookup import all_features, describe_unknown_features
from traffic_assets.catalogue.readings import READING_COLUMNS
from traffic_assets.catalogue.sensors import SENSOR_COLUMNS
from traffic_assets.catalogue.targets import TARGETS
from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.messages import settings as messages
from traffic_assets.settings import Settings
from traffic_assets.settings.data import DataSettings
from traffic_assets.settings.keys import suggest_name
from traffic_assets.settings.layer import at_path


def input_columns(data: DataSettings) -> list[str]:
    """Return the names of the columns that the input can have."""
    features = [*all_features(), *TARGETS.values()] if data.kind == "features" else []
    return list(dict.fromkeys(column.name for column in (*READING_COLUMNS, *SENSOR_COLUMNS, *features)))


def find_unknown_columns(settings: Settings) -> Iterator[CodedText]:
    """Yield a message for each alias to a column, and each list of features, that does not exist."""
    allowed = input_columns(settings.data)
    for alias, column in settings.data.aliases.items():
        if column in allowed:
            continue
        path = ("data", "aliases", alias)
        if alias in allowed:
            yield at_path(path, messages.REVERSED_ALIAS(alias=alias, column=column))
        elif near := suggest_name(column, allowed):
            yield at_path(path, messages.MISSPELLED_ALIAS(column=column, allowed=allowed, suggestion=near))
        else:
            yield at_path(path, messages.UNKNOWN_ALIAS(column=column, allowed=allowed))
    training = settings.training
    for setting, names in (
        ("training.features", training.features or ()),
        ("training.exclude_features", training.exclude_features),
    ):
        if text := describe_unknown_features(setting, names):
            yield text
