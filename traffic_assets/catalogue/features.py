"""The catalogue of features: the one source for names, units, ranges, and when a value is available.

Schema validation, the UI's column schema, the docs, the preprocessor and the leakage report read it. How a feature is
computed lives in `features/engineering.py` (per reading) and `features/sensors.py` (per sensor).
"""

from collections.abc import Iterable

from traffic_assets.catalogue.column import Column
from traffic_assets.catalogue.readings import MAX_SPEED_MPH, READING_COLUMNS
from traffic_assets.catalogue.targets import TARGETS
from traffic_assets.settings.mistakes import did_you_mean
from traffic_assets.settings.target import DEFAULT_TARGET

_POSITION = ("latitude", "longitude")
NUMERIC_FEATURES = (
    Column("hour_sin", "numeric", "double", "", -1, 1, "always", ("timestamp",), "sin of 2π h / 24, h local"),
    Column("hour_cos", "numeric", "double", "", -1, 1, "always", ("timestamp",), "cos of 2π h / 24, h local"),
    Column(
        "time_since_midnight",
        "numeric",
        "double",
        "min",
        0,
        1440,
        "always",
        ("timestamp",),
        "local minutes since midnight",
    ),
    Column(
        "lat_normalized",
        "numeric",
        "double",
        "",
        0,
        1,
        "always",
        _POSITION,
        "latitude over the bounding box of the sensors",
    ),
    Column(
        "lon_normalized",
        "numeric",
        "double",
        "",
        0,
        1,
        "always",
        _POSITION,
        "longitude over the bounding box of the sensors",
    ),
    Column(
        "distance_from_center",
        "numeric",
        "double",
        "km",
        0,
        20_040,
        "always",
        _POSITION,
        "great-circle distance to the network's centre",
    ),
    Column(
        "traffic_efficiency",
        "numeric",
        "double",
        "",
        0,
        1.5,
        "with the target",
        ("speed",),
        "speed over free-flow speed, clipped",
    ),
    Column(
        "occupancy_ratio",
        "numeric",
        "double",
        "",
        0,
        1,
        "with the reading",
        ("occupancy",),
        "share of the interval in which the detector is covered",
    ),
    Column(
        "flow_rate",
        "numeric",
        "double",
        "veh/h/lane",
        0,
        20_000,
        "with the reading",
        ("flow",),
        "vehicles per hour and lane (one lane where the lanes are not known)",
    ),
    Column(
        "speed_variance",
        "numeric",
        "double",
        "mph²",
        0,
        None,
        "before",
        ("speed",),
        "population variance of the speeds in the 30 minutes before the reading",
    ),
    *(
        Column(
            f"speed_lag_{k}",
            "numeric",
            "double",
            "mph",
            0,
            MAX_SPEED_MPH,
            "before",
            ("speed",),
            f"speed {k} interval{'s' if k > 1 else ''} earlier, by time",
        )
        for k in (1, 2, 3)
    ),
    *(
        Column(
            f"speed_ma_{m}min",
            "numeric",
            "double",
            "mph",
            0,
            MAX_SPEED_MPH,
            "before",
            ("speed",),
            f"mean speed in the {m} minutes before the reading",
        )
        for m in (15, 30, 60)
    ),
)
CATEGORICAL_FEATURES = (
    Column("highway_encoded", "categorical", "int", "", 0, None, "always", ("highway",), "code of the highway"),
    Column("is_weekend", "categorical", "int", "", 0, 1, "always", ("timestamp",), "local Saturday or Sunday"),
    Column(
        "is_rush_hour", "categorical", "int", "", 0, 1, "always", ("timestamp",), "local weekday within the rush hours"
    ),
    Column("sensor_cluster", "categorical", "int", "", 0, None, "always", _POSITION, "k-means on position"),
    Column(
        "congestion_level",
        "categorical",
        "int",
        "",
        0,
        3,
        "with the target",
        ("speed",),
        "0 free (efficiency at least 0.8), 1 moderate (0.6), 2 heavy (0.4), 3 severe",
    ),
)
FEATURES = NUMERIC_FEATURES + CATEGORICAL_FEATURES
FEATURE_TABLE_COLUMNS = (*READING_COLUMNS[:2], *FEATURES, *TARGETS.values())
FEATURE_NAMES = tuple(column.name for column in FEATURES)


def answer_features(target: str = DEFAULT_TARGET) -> tuple[str, ...]:
    """The features that, at horizon 0, are functions of a target."""
    return tuple(column.name for column in FEATURES if column.holds_answer(target))


def _require_known(setting: str, names: Iterable[str]) -> None:
    if unknown := sorted(set(names) - set(FEATURE_NAMES)):
        given = ", ".join(f"{name}{did_you_mean(name, FEATURE_NAMES)}" for name in unknown)
        raise ValueError(f"{setting}: no such feature: {given}; the features are {', '.join(FEATURE_NAMES)}")


def feature_columns(
    exclude: Iterable[str] = (), target: str = DEFAULT_TARGET, only: Iterable[str] | None = None
) -> tuple[Column, ...]:
    """The features of the catalogue, or those named alone, without those excluded.

    The users' plan trains the speed on columns that contain it, so for the speed they stay unless they are named;
    for any other target they are left out.

    Raises:
        ValueError: where a name is no feature, or none is left.
    """
    excluded = set(exclude)
    _require_known("training.exclude_features", excluded)
    if target != DEFAULT_TARGET:
        excluded |= {column.name for column in FEATURES if column.holds_answer(target)}
    if only is not None:
        _require_known("training.features", only)
        excluded |= set(FEATURE_NAMES) - set(only)
    left = tuple(column for column in FEATURES if column.name not in excluded)
    if not left:
        made = ", ".join(column.name for column in FEATURES if column.holds_answer(target))
        other = f" that is not made from the {target} itself, as {made} is" if target != DEFAULT_TARGET else ""
        raise ValueError(
            f"training.features and training.exclude_features: for the {target} every feature is excluded; leave at "
            f"least one{other}"
        )
    return left
