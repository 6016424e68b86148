"""Messages of the assets: days, splits, preprocessors and registry entries."""

from traffic_assets.dagster_hdfs.message import Message

RERUN_TRAIN = "re-run the full train job for this week"

EMPTY_DAY = Message(
    code="assets.empty-day",
    problem="{day} has no rows; it is published empty and counts as missing",
    fix="add the readings of this day, then run the job features for it again",
    example={"day": "2026-01-05"},
)
QUARANTINED_ROWS = Message(
    code="assets.quarantined-rows",
    problem="{rows} rows of {day} are quarantined ({reasons})",
    fix="see the rows in the folder _quarantine of the partition, and correct the source if they matter",
    example={"rows": 12, "day": "2026-01-05", "reasons": {"speed: outside 0..120 mph": 12}},
)
ROWS_WITHOUT_DAY = Message(
    code="assets.rows-without-day",
    problem="{rows} quarantined rows have a timestamp that cannot be read; they may belong to any day of the source, "
    "and do not count against {day}",
    fix="correct their timestamps in the source",
    example={"rows": 3, "day": "2026-01-05"},
)
DAY_NOT_IN_SENSOR_TABLE = Message(
    code="assets.day-not-in-sensor-table",
    problem="The sensor table leaves out the folder of {day} ({reason})",
    fix="correct the files of this day, then materialize sensor_table again",
    example={"day": "2026-01-05", "reason": "torn.parquet is not a Parquet file"},
)
UNKNOWN_SENSORS = Message(
    code="assets.unknown-sensors",
    problem="{rows} readings of {day} are from sensors that are not in the sensor table; they have no features of "
    "position and highway",
    fix="materialize sensor_table, then feature_table again",
    example={"rows": 40, "day": "2026-01-05"},
)
_DAYS = "Week {week} has {available} of the {required} days that it needs"
_FEWER = "or allow fewer days with training.minimum_days"
_NOT_THERE = "not materialized: {missing}; empty: {empty}"
_WEEK = {"week": "2026-01-05", "available": 7, "required": 14}
_ABSENT = {"missing": ["2026-01-05"], "empty": ["2026-01-06"]}
DAYS_MISSING = Message(
    code="assets.days-missing",
    problem=f"{_DAYS} ({_NOT_THERE})",
    fix=f"materialize feature_table for them (job features), {_FEWER}",
    example=_WEEK | _ABSENT,
)
DAYS_BEFORE_DATA = Message(
    code="assets.days-before-data",
    problem=f"{_DAYS} (before data.first_day {{first_day}}: {{before}}; {_NOT_THERE})",
    fix=f"choose week {{first_week}} or a later one, set an earlier data.first_day, {_FEWER}",
    example=_WEEK
    | _ABSENT
    | {"first_day": "2026-01-05", "before": "2025-12-29 to 2026-01-04", "first_week": "2026-01-12"},
)
DAYS_AFTER_DATA = Message(
    code="assets.days-after-data",
    problem=f"{_DAYS} (after data.last_day {{last_day}}: {{after}}; {_NOT_THERE})",
    fix=f"choose an earlier week, set a later data.last_day, {_FEWER}",
    example=_WEEK | _ABSENT | {"last_day": "2026-01-14", "after": "2026-01-15 to 2026-01-18"},
)
DAYS_BEYOND_DATA = Message(
    code="assets.days-beyond-data",
    problem=f"{_DAYS} (before data.first_day {{first_day}}: {{before}}; after data.last_day {{last_day}}: {{after}}; "
    f"{_NOT_THERE})",
    fix=f"set an earlier data.first_day and a later data.last_day, {_FEWER}",
    example=_WEEK
    | _ABSENT
    | {
        "first_day": "2026-01-05",
        "before": "2025-12-29 to 2026-01-04",
        "last_day": "2026-01-07",
        "after": "2026-01-08 to 2026-01-11",
    },
)
LAYOUTS_DIFFER = Message(
    code="assets.layouts-differ",
    problem="The days of the window come from sensor tables that differ in box, center, clusters, positions or codes, "
    "so their features are not fully comparable ({layouts}; the newest is {newest})",
    fix="materialize feature_table again (job features) for {older}",
    example={"layouts": ["a1: 2026-01-05", "b2: 2026-01-06"], "newest": "b2", "older": ["2026-01-05"]},
)
FILLS_DIFFER = Message(
    code="assets.fills-differ",
    problem="The gaps of {days} were not filled as data.fill is configured now ({fill})",
    fix="materialize feature_table again (job features) for these days",
    example={"days": ["2026-01-05"], "fill": '{"forward_fill": true}'},
)
DIFFERENT_SPLITS = Message(
    code="assets.different-splits",
    problem="The inputs come from different splits ({splits})",
    fix=RERUN_TRAIN,
    example={"splits": {"train_split": "3f2a", "fitted_preprocessor": "9c1b"}},
)
NO_SCALER = Message(
    code="assets.no-scaler",
    problem="{preprocessor} of this week has no scaler, but {title} needs scaled vectors; no enabled model needed them "
    "when it was fitted",
    fix=RERUN_TRAIN,
    example={"preprocessor": "fitted_preprocessor", "title": "Linear regression"},
)
FORMULA_FROM_TARGET = Message(
    code="assets.formula-from-target",
    problem="The formula {formula} of training.preprocessing.create is not used for the target {target}, because it "
    "uses features that are computed from the target ({sources})",
    fix="remove the formula from training.preprocessing.create if no other target needs it",
    example={"formula": "flow_rate*hour_sin", "target": "flow", "sources": ["flow_rate"]},
)
FEATURES_WITHOUT_VALUES = Message(
    code="assets.features-without-values",
    problem="The train rows have no value for some features, so they are left out ({features})",
    fix="add the columns to the source, or list the features in training.exclude_features",
    example={"features": ["flow_rate"]},
)
NOT_REGISTERED = Message(
    code="assets.not-registered",
    problem="{lane} is not registered, because it misses its thresholds ({missed})",
    fix="train it again, or change evaluation.{setting}",
    example={"lane": "svr", "missed": ["RMSE on test, mph: measured 6.2, expected <= 5"], "setting": "thresholds.svr"},
)
TRAINED_AGAIN = Message(
    code="assets.trained-again",
    problem="{model} of {week} was trained again after {evaluation}",
    fix=f"materialize {{evaluation}} again, or {RERUN_TRAIN}",
    example={"model": "svr_model", "week": "2026-01-05", "evaluation": "svr_evaluation"},
)
