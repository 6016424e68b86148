"""Messages about the assets: days, splits, preprocessors and registry entries."""

from traffic_assets.dagster_hdfs.message import Message

RERUN_TRAIN = "re-run the full train job for this week"
ADD_SENSORS = (
    "if data.sensors_source is set, add the sensors to its table; then run `{command}`, which extends sensor_table too"
)
ADD_READINGS = (
    "add the missing readings, or set data.interval_minutes to their interval, then run `{command}`. If the day is as "
    "complete as it can be, lower data.minimum_completeness"
)
_COMMAND = {"command": "traffic-assets features 2026-01-05 2026-01-05"}

EMPTY_DAY = Message(
    code="assets.empty-day",
    problem="{day} has no rows; it is published empty and counts as missing",
    fix="add the readings of this day, then run `{command}`",
    example={"day": "2026-01-05", **_COMMAND},
)
QUARANTINED_ROWS = Message(
    code="assets.quarantined-rows",
    problem="Some rows on {day} are in quarantine ({rows}):{reasons:lines}",
    fix="inspect them in the partition's folder _quarantine, and correct the source if they matter",
    example={"rows": 12, "day": "2026-01-05", "reasons": {"speed: outside 0..120 mph": 12}},
)
ROWS_WITHOUT_DAY = Message(
    code="assets.rows-without-day",
    problem="Some quarantined rows have an unreadable timestamp ({rows}). They may belong to any day of the source, so "
    "they do not count against {day}",
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
    problem="Some readings on {day} are from sensors that are not in the sensor table ({rows}). Their position and "
    "highway features are null",
    fix=ADD_SENSORS,
    example={"rows": 40, "day": "2026-01-05", **_COMMAND},
)
INCOMPLETE_DAY = Message(
    code="assets.incomplete-day",
    problem="{day} is incomplete and does not count for training: its rows are {completeness} of {sensors} sensors x "
    "{intervals} intervals",
    expected="at least {minimum} (data.minimum_completeness)",
    fix=ADD_READINGS,
    example={
        "day": "2026-01-05",
        "completeness": "0.3472%",
        "sensors": 1,
        "intervals": 288,
        "minimum": "50%",
        **_COMMAND,
    },
)
INCOMPLETE_DAYS_LEFT_OUT = Message(
    code="assets.incomplete-days-left-out",
    problem="Some days of the window are incomplete and left out ({days})",
    expected="at least {minimum} (data.minimum_completeness)",
    fix="add the missing readings and run {commands}, or lower data.minimum_completeness",
    example={
        "days": {"2026-01-06": "0.3472%"},
        "minimum": "50%",
        "commands": ["traffic-assets features 2026-01-06 2026-01-06"],
    },
)
_DAYS = "Week {week} has {available} of the {required} days that it needs"
_FEWER = "or allow fewer days with training.minimum_days or less complete ones with data.minimum_completeness"
_NOT_THERE = "not materialized: {missing}; empty: {empty}; less complete than {minimum}: {incomplete}"
_WEEK = {"week": "2026-01-05", "required": 14}
_ABSENT = {
    "missing": ["2026-01-05"],
    "empty": ["2026-01-06"],
    "incomplete": {"2026-01-07": "0.3472%"},
    "minimum": "50%",
}
DAYS_MISSING = Message(
    code="assets.days-missing",
    problem=f"{_DAYS} ({_NOT_THERE})",
    fix=f"add the missing readings and run {{commands}}, {_FEWER}",
    example=_WEEK | _ABSENT | {"available": 11, "commands": ["traffic-assets features 2026-01-05 2026-01-07"]},
)
DAYS_BEFORE_DATA = Message(
    code="assets.days-before-data",
    problem=f"{_DAYS} (before data.first_day {{first_day}}: {{before}}; {_NOT_THERE})",
    fix=f"choose week {{first_week}} or a later one, set an earlier data.first_day, {_FEWER}",
    example=_WEEK
    | _ABSENT
    | {
        "available": 5,
        "first_day": "2026-01-05",
        "before": "2025-12-29 to 2026-01-04",
        "first_week": "2026-01-12",
    },
)
DAYS_AFTER_DATA = Message(
    code="assets.days-after-data",
    problem=f"{_DAYS} (after data.last_day {{last_day}}: {{after}}; {_NOT_THERE})",
    fix=f"choose an earlier week, set a later data.last_day, {_FEWER}",
    example=_WEEK
    | _ABSENT
    | {"week": "2026-01-12", "available": 8, "last_day": "2026-01-14", "after": "2026-01-15 to 2026-01-18"},
)
DAYS_BEYOND_DATA = Message(
    code="assets.days-beyond-data",
    problem=f"{_DAYS} (before data.first_day {{first_day}}: {{before}}; after data.last_day {{last_day}}: {{after}}; "
    f"{_NOT_THERE})",
    fix=f"set an earlier data.first_day and a later data.last_day, {_FEWER}",
    example=_WEEK
    | _ABSENT
    | {
        "available": 1,
        "first_day": "2026-01-05",
        "before": "2025-12-29 to 2026-01-04",
        "last_day": "2026-01-07",
        "after": "2026-01-08 to 2026-01-11",
    },
)
VALUES_LOST = Message(
    code="assets.values-lost",
    problem="Values of {column} became unknown for {count} sensors ({sensors}). They depend on a changed setting, and "
    "the files do not have them any more",
    fix="add files of these sensors to the source, then run the features job again, or undo the change of the setting",
    example={"column": "free_flow_speed", "count": 2, "sensors": ["1108", "1109"]},
)
LAYOUTS_DIFFER = Message(
    code="assets.layouts-differ",
    problem="The days of the window come from different sensor tables ({layouts}; the newest is {newest}). Their "
    "bounding boxes, centres, clusters, positions or highway codes differ, so the features are not fully comparable",
    fix="run {commands} to rebuild {older}",
    example={
        "layouts": ["a1: 2026-01-05", "b2: 2026-01-06"],
        "newest": "b2",
        "older": ["2026-01-05"],
        "commands": ["traffic-assets features 2026-01-05 2026-01-05"],
    },
)
SOURCES_DIFFER = Message(
    code="assets.sources-differ",
    problem="The files of the days were in different places:{places:lines}",
    fix="make sure that they are readings of the same network",
    example={"places": {"data.source raw/readings": "2026-01-05 to 2026-01-07", "data.source raw/new": "2026-01-08"}},
)
SETTINGS_NOT_RECORDED = Message(
    code="assets.settings-not-recorded",
    problem="Earlier code built {days} and did not record the settings, so they are not compared with the other days",
    fix="run {commands} to rebuild them",
    example={"days": ["2026-01-05"], "commands": ["traffic-assets features 2026-01-05 2026-01-05"]},
)
MIXED_SETTINGS = Message(
    code="assets.mixed-settings",
    problem="The days of the window were built with different settings or code, so their rows are not comparable:"
    "{differences:lines}",
    fix="run {commands} to rebuild the days that differ from the current settings, or set training.mixed_settings to "
    "warn",
    example={
        "differences": {"data.free_flow_speed": "65.0 on 2026-01-05; 40.0 on 2026-01-06 to 2026-01-11"},
        "commands": ["traffic-assets features 2026-01-05 2026-01-05"],
    },
)
MIXED_COLUMNS = Message(
    code="assets.mixed-columns",
    problem="The files of some days of the window lack columns that other days have, so most of their values would be "
    "imputed:{differences:lines}",
    fix="add the columns to the files and run {commands}, list the columns in training.exclude_features, or set "
    "training.mixed_settings to warn",
    example={
        "differences": {"content version of flow_rate": "absent on 2026-01-05; 1 on 2026-01-06 to 2026-01-11"},
        "commands": ["traffic-assets features 2026-01-05 2026-01-05"],
    },
)
DIFFERENT_SPLITS = Message(
    code="assets.different-splits",
    problem="The inputs come from different splits ({splits})",
    fix=RERUN_TRAIN,
    example={"splits": {"train_split": "3f2a", "fitted_preprocessor": "9c1b"}},
)
DIFFERENT_REQUESTS = Message(
    code="assets.different-requests",
    problem="Parts of this step were made with different settings:{differences:lines}",
    expected="the same settings for all parts of a model",
    fix="materialize {again} again, or run `{command}`",
    example={
        "differences": {
            "models.linear_regression.hyperparameters.regParam": "0.5 in linear_regression_diagnostics; 0.0 in "
            "linear_regression_temporal_verdict"
        },
        "again": ["linear_regression_temporal_verdict"],
        "command": "traffic-assets train 2026-01-05",
    },
)
UNRECORDED_SETTINGS = Message(
    code="assets.unrecorded-settings",
    problem="Some inputs were stored by an earlier version that did not record these settings, so they are not "
    "compared:{inputs:lines}",
    fix="run `{command}` to record them",
    example={"inputs": {"linear_regression_model": "all settings"}, "command": "traffic-assets train 2026-01-05"},
)
NO_SCALER = Message(
    code="assets.no-scaler",
    problem="{preprocessor} of this week has no scaler, but {title} needs scaled vectors. No enabled model needed them "
    "when it was fitted",
    fix=RERUN_TRAIN,
    example={"preprocessor": "fitted_preprocessor", "title": "Linear regression"},
)
FORMULA_FROM_TARGET = Message(
    code="assets.formula-from-target",
    problem="The formula {formula} in training.preprocessing.create is not used for the target {target}, because it "
    "uses features that are computed from the target ({sources})",
    fix="remove the formula from training.preprocessing.create if no other target needs it",
    example={"formula": "flow_rate*hour_sin", "target": "flow", "sources": ["flow_rate"]},
)
FEATURES_WITHOUT_VALUES = Message(
    code="assets.features-without-values",
    problem="Some features have no value in the train rows and are left out ({features})",
    fix="add the columns to the source, or list the features in training.exclude_features",
    example={"features": ["flow_rate"]},
)
NOT_REGISTERED = Message(
    code="assets.not-registered",
    problem="{lane} is not registered, because it misses its thresholds:{missed:lines}",
    fix="train it again, or change evaluation.{setting}",
    example={"lane": "svr", "missed": ["RMSE on test is 6.2 mph; the limit is 5 mph."], "setting": "thresholds.svr"},
)
TRAINED_AGAIN = Message(
    code="assets.trained-again",
    problem="{model} for {week} was trained again after {evaluation}",
    fix=f"materialize {{evaluation}} again, or {RERUN_TRAIN}",
    example={"model": "svr_model", "week": "2026-01-05", "evaluation": "svr_evaluation"},
)
