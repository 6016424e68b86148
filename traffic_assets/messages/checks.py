"""Messages about asset checks that fail or warn."""

from traffic_assets.dagster_hdfs.message import Message
from traffic_assets.messages.assets import ADD_READINGS, ADD_SENSORS

_COMMAND = {"command": "traffic-assets features 2026-01-05 2026-01-05"}

NOT_MATERIALIZED = Message(
    code="checks.not-materialized",
    problem="{asset} is not materialized for {week}",
    fix="run the train job for this week",
    example={"asset": "train_split", "week": "2026-01-05"},
)
NOT_PUBLISHED = Message(
    code="checks.not-published",
    problem="{asset} has no published data ({day})",
    fix="run `{command}`",
    example={"asset": "sensor_readings", "day": "2026-01-05", **_COMMAND},
)
TABLE_NOT_PUBLISHED = Message(
    code="checks.table-not-published",
    problem="{asset} has no published data",
    fix="run the features job",
    example={"asset": "sensor_table"},
)
NO_ROWS = Message(
    code="checks.no-rows",
    problem="{asset} has no rows on {day}",
    fix="add the readings of this day, then run `{command}`",
    example={"asset": "sensor_readings", "day": "2026-01-05", **_COMMAND},
)
INCOMPLETE = Message(
    code="checks.incomplete",
    problem="{asset} has too few rows on {day} ({rows}): {completeness} of {sensors} sensors x {intervals} intervals",
    expected="at least {minimum} (data.minimum_completeness)",
    fix=ADD_READINGS,
    example={
        "asset": "sensor_readings",
        "day": "2026-01-05",
        "rows": 1,
        "completeness": "0.3472%",
        "sensors": 1,
        "intervals": 288,
        "minimum": "50%",
        **_COMMAND,
    },
)
FEW_SENSORS = Message(
    code="checks.few-sensors",
    problem="Few sensors have a reading on {day} in {asset} ({sensors} of {known} known)",
    expected="at least {minimum} (data.minimum_completeness)",
    fix="add the readings of the other sensors; nobody has to act if they were taken down",
    example={"asset": "feature_table", "day": "2026-01-05", "sensors": 3, "known": 12, "minimum": "50%"},
)
MANY_QUARANTINED = Message(
    code="checks.many-quarantined",
    problem="{share} of the rows of {asset} on {day} are in quarantine, {quarantined} of {rows} ({reasons})",
    expected="at most {limit:percent}",
    fix="inspect them in the partition's folder _quarantine, and correct the source",
    example={
        "asset": "sensor_readings",
        "day": "2026-01-05",
        "share": "2%",
        "quarantined": 2,
        "rows": 100,
        "reasons": {"speed: NaN": 2},
        "limit": 0.01,
    },
)
UNKNOWN_SENSORS = Message(
    code="checks.unknown-sensors",
    problem="Some rows of {asset} on {day} are from sensors that are not in the sensor table ({rows})",
    fix=ADD_SENSORS,
    example={"asset": "feature_table", "day": "2026-01-05", "rows": 40, **_COMMAND},
)
MISSING_COLUMNS = Message(
    code="checks.missing-columns",
    problem="{asset} lacks columns on {day} ({columns})",
    fix="add the columns to the source, or map others to them in data.aliases, then run `{command}`",
    example={"asset": "sensor_readings", "day": "2026-01-05", "columns": ["occupancy"], **_COMMAND},
)
NO_SENSORS = Message(
    code="checks.no-sensors",
    problem="The sensor table has no sensors",
    fix="correct the readings or data.sensors_source, then materialize sensor_table again",
)
MISSING_DESCRIPTIONS = Message(
    code="checks.missing-descriptions",
    problem="No sensor has a value of some columns ({columns})",
    fix="add the columns to the readings or to data.sensors_source, then materialize sensor_table again",
    example={"columns": ["lanes"]},
)
ROW_SHARES = Message(
    code="checks.row-shares",
    problem="The splits do not have their configured shares of the rows ({shares})",
    expected="{expected}, with a tolerance of {tolerance}",
    fix="re-run the full train job for this week; if the window has few rows, add days",
    example={
        "shares": {"train": 0.7, "validation": 0.1, "test": 0.2},
        "expected": {"train": 0.8, "validation": 0.0, "test": 0.2},
        "tolerance": {"train": 0.01, "validation": 0.01, "test": 0.01},
    },
)
SENSOR_SHARES = Message(
    code="checks.sensor-shares",
    problem="The splits do not have their configured shares of the sensors ({sensors})",
    expected="{expected}, each with a tolerance of one sensor, and at least one sensor in each split",
    fix="re-run the full train job for this week; if there are fewer than three sensors, use another "
    "training.split.kind",
    example={
        "sensors": {"train": 4, "validation": 1, "test": 0},
        "expected": {"train": 3, "validation": 1, "test": 1},
    },
)
SHARED_KEYS = Message(
    code="checks.shared-keys",
    problem="Rows or sensors are in more than one split, or in the wrong one ({counts})",
    expected="each key only in its own split, and each sensor too if training.split.kind is sensor",
    fix="re-run the full train job for this week",
    example={"counts": {"shared_keys": 3, "misplaced": 0}},
)
INCOMPLETE_VECTOR = Message(
    code="checks.incomplete-vector",
    problem="The vectors of the train rows contain nulls, NaN or infinities ({slots})",
    expected="a finite number in every slot",
    fix="exclude the features with training.exclude_features, or impute them with training.preprocessing.missing",
    example={"slots": {"speed_lag_1": 3}},
)
NOT_STANDARDIZED = Message(
    code="checks.not-standardized",
    problem="Varying columns of the train rows are not standardized (mean off by {mean:.2g}, standard deviation by "
    "{deviation:.2g})",
    expected="mean 0 and standard deviation 1 within {tolerance:number}",
    fix="re-run the full train job for this week, or choose another training.preprocessing.scaler",
    example={"mean": 0.1, "deviation": 0.0, "tolerance": 1e-6},
)
MISSED_THRESHOLDS = Message(
    code="checks.missed-thresholds",
    problem="{lane} misses its thresholds:{missed:lines}",
    fix="train it again, or change evaluation.{setting}",
    example={"lane": "svr", "missed": ["RMSE on test is 6.2 mph; the limit is 5 mph."], "setting": "thresholds.svr"},
)
SLOW_TRAINING = Message(
    code="checks.slow-training",
    problem="The final fit took {minutes:.6g} minutes",
    expected="at most {limit:number} minutes",
    fix="give Spark more cores, or raise evaluation.max_training_minutes",
    example={"minutes": 12.0, "limit": 10.0},
)
TOP_FEATURE = Message(
    code="checks.top-feature",
    problem="The most important feature is {feature} with an importance of {importance:.6g}",
    expected="{expected} with an importance of {low:number} to {high:number}",
    fix="inspect the importances of the evaluation, or change evaluation.top_feature and "
    "evaluation.top_feature_importance",
    example={
        "feature": "speed_lag_1",
        "importance": 0.5,
        "expected": "traffic_efficiency",
        "low": 0.7,
        "high": 0.9,
    },
)
MODEL_SIZE = Message(
    code="checks.model-size",
    problem="The stored model is {megabytes:.6g} MB in size",
    expected="{low:number} to {high:number} MB",
    fix="change the number or depth of the trees, or evaluation.model_size_mb",
    example={"megabytes": 60.0, "low": 13.95, "high": 41.85},
)
OUTDATED = Message(
    code="checks.outdated",
    problem="Some partitions of {asset} were built with other settings or code than the current ones ({partitions}):"
    "{settings:lines}",
    fix="run {commands} to rebuild them",
    example={
        "asset": "feature_table",
        "partitions": "2026-01-05 to 2026-01-07",
        "settings": {"data.free_flow_speed": "65.0, now 40.0"},
        "commands": ["traffic-assets features 2026-01-05 2026-01-07"],
    },
)
OUTDATED_TABLE = Message(
    code="checks.outdated-table",
    problem="{asset} was built with other settings or code than the current ones:{settings:lines}",
    fix="materialize {asset} again (the features job does it)",
    example={"asset": "sensor_table", "settings": {"data.speed_unit": "mph, now km/h"}},
)
