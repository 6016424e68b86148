"""Messages about features: their names, those of installed packages, and the sensor table."""

from traffic_assets.dagster_hdfs.message import Message

UNKNOWN_FEATURES = Message(
    code="features.unknown",
    problem="{setting} contains unknown features ({names})",
    expected="names from {allowed}",
    fix="correct or remove these names in {setting}",
    example={
        "setting": "training.features",
        "names": ["hour_sine (did you mean hour_sin?)"],
        "allowed": ["hour_sin", "hour_cos", "lat_normalized"],
    },
)
ALL_EXCLUDED = Message(
    code="features.all-excluded",
    problem="Every feature is excluded for the target {target} (training.features, training.exclude_features)",
    expected="at least one feature",
    fix="remove a feature from training.exclude_features, or add one to training.features",
    example={"target": "speed"},
)
ALL_LEAKY_OR_EXCLUDED = Message(
    code="features.all-leaky-or-excluded",
    problem="Every feature is excluded for the target {target} (training.features, training.exclude_features)",
    expected="at least one feature that is not computed from the {target} itself (unlike {leaky})",
    fix="add such a feature to training.features, or remove it from training.exclude_features",
    example={"target": "flow", "leaky": ["flow_rate"]},
)
WRONG_COLUMN_NAME = Message(
    code="features.wrong-column-name",
    problem="The column of the feature {feature!r} is named {column!r}",
    expected="the feature's own name",
    fix="give Feature and Column the same name",
    example={"feature": "queue_length", "column": "queue"},
)
WRONG_ROLE = Message(
    code="features.wrong-role",
    problem="The role of the feature {feature!r} is {role!r}",
    expected="numeric or categorical",
    fix="change the role of its Column",
    example={"feature": "queue_length", "role": "target"},
)
WRONG_TYPE = Message(
    code="features.wrong-type",
    problem="The {role} feature {feature!r} has the type {type}",
    expected="one of {allowed}",
    fix="change spark_type of its Column, and cast its expression",
    example={"feature": "queue_length", "role": "numeric", "type": "string", "allowed": ("double",)},
)
NO_EXPRESSION = Message(
    code="features.no-expression",
    problem="The expression of the feature {feature!r} is not a function ({type})",
    expected="a function of the data settings that returns a Spark column",
    fix="pass the function itself",
    example={"feature": "queue_length", "type": "NoneType"},
)
WRONG_LOOKBACK = Message(
    code="features.wrong-lookback",
    problem="The feature {feature!r} has lookback_minutes={given}",
    expected="0 to {longest}",
    fix="shorten the window of its expression",
    example={"feature": "queue_length", "given": 2000, "longest": 1440},
)
NO_DAYS = Message(
    code="features.no-days",
    problem="The list of days is empty",
    expected="at least one local day",
    fix="pass one or more keys of the form YYYY-MM-DD",
)
NO_USABLE_DAY = Message(
    code="features.no-usable-day",
    problem="The sensor table cannot be built, because no day folder of {uri} is usable ({reasons})",
    expected="at least one readable day folder with a column sensor_id",
    fix="correct the files of one of these days",
    example={
        "uri": "file:///data/raw",
        "reasons": {"2026-01-05": "torn.parquet is not a Parquet file"},
    },
)
