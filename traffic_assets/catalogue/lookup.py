"""Built-in features and those of installed packages, and the selection of features to train on.

Packages are looked up in functions and not at import, because a package that adds a feature imports this module.
"""

from collections.abc import Iterable

from traffic_assets.catalogue.column import Column
from traffic_assets.catalogue.extension import Feature
from traffic_assets.catalogue.features import FEATURES
from traffic_assets.catalogue.readings import READING_COLUMNS
from traffic_assets.catalogue.targets import TARGETS
from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.messages import features as messages
from traffic_assets.settings.keys import did_you_mean
from traffic_assets.settings.plugins import FEATURE_GROUP, select_usable
from traffic_assets.settings.target import DEFAULT_TARGET


def installed_features() -> tuple[Feature, ...]:
    """Return the features of installed packages, by name."""
    return tuple(select_usable(FEATURE_GROUP).values())


def all_features() -> tuple[Column, ...]:
    """Return every feature of the catalogue: the built-in ones, then those of installed packages."""
    return (*FEATURES, *(feature.column for feature in installed_features()))


def feature_table_columns() -> tuple[Column, ...]:
    """Return the columns of the feature table: keys, features and targets."""
    return (*READING_COLUMNS[:2], *all_features(), *TARGETS.values())


def column_versions() -> dict[str, int]:
    """Return the content version of each column of the feature table, by name."""
    return {column.name: column.version for column in feature_table_columns()}


def leaky_features(target: str = DEFAULT_TARGET) -> tuple[str, ...]:
    """Return the names of the features that, at horizon 0, are functions of a target."""
    return tuple(column.name for column in all_features() if column.is_leaky(target))


def describe_unknown_features(setting: str, names: Iterable[str]) -> CodedText | None:
    """Return the message for the names of a setting that are not features, or None.

    Args:
        setting: Path of the setting.
        names: Names that it contains.
    """
    known = [column.name for column in all_features()]
    unknown = sorted(set(names).difference(known))
    if not unknown:
        return None
    hints = [f"{name}{did_you_mean(name, known)}" for name in unknown]
    return messages.UNKNOWN_FEATURES(setting=setting, names=hints, allowed=known)


def _require_known(setting: str, names: Iterable[str]) -> None:
    if text := describe_unknown_features(setting, names):
        raise ValueError(text)


def feature_columns(
    exclude: Iterable[str] = (), target: str = DEFAULT_TARGET, only: Iterable[str] | None = None
) -> tuple[Column, ...]:
    """Select the features to train on.

    Leaky features are kept for the default target unless they are excluded by name. They are dropped for any other
    target.

    Args:
        exclude: Names of features to drop.
        target: Predicted variable.
        only: Names of features to keep; None for all.

    Raises:
        ValueError: If a name is not a feature, or no feature is left.
    """
    excluded = set(exclude)
    _require_known("training.exclude_features", excluded)
    if target != DEFAULT_TARGET:
        excluded |= {column.name for column in all_features() if column.is_leaky(target)}
    if only is not None:
        _require_known("training.features", only)
        excluded |= {column.name for column in all_features()}.difference(only)
    left = tuple(column for column in all_features() if column.name not in excluded)
    if not left:
        if target == DEFAULT_TARGET:
            raise ValueError(messages.ALL_EXCLUDED(target=target))
        raise ValueError(messages.ALL_LEAKY_OR_EXCLUDED(target=target, leaky=leaky_features(target)))
    return left
