"""Catalogue of built-in features: their names, units, ranges, and availability.

Validation, the UI's column schema, the docs, the preprocessor and the leakage report read it. Not here: computing
features (`features/engineering.py` for each reading, `features/sensors.py` for each sensor).
"""

from traffic_assets.catalogue.column import Column
from traffic_assets.catalogue.readings import MAX_SPEED_MPH

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
        "vehicles per hour and lane (one lane if the number of lanes is unknown)",
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
            f"speed {distance} earlier, matched by timestamp",
        )
        for k, distance in ((1, "one interval"), (2, "two intervals"), (3, "three intervals"))
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
