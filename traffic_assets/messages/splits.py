"""Messages about splits and folds."""

from traffic_assets.dagster_hdfs.message import Message

NO_ROWS = Message(
    code="splits.no-rows",
    problem="There are no rows to split in time, because the training window is empty",
    expected="at least one row",
    fix="ingest readings of the window's days, or increase training.window_weeks",
)
EMPTY_SPLIT = Message(
    code="splits.empty-split",
    problem="The training window has too few rows for a {split} split ({rows}: {counts})",
    expected="at least one row in each split",
    fix="train on more days or sensors, or increase the split's share in training.split (carved_validation for a "
    "validation split that is carved out of train)",
    example={"split": "validation", "rows": 6, "counts": {"train": 5, "validation": 0, "test": 1}},
)
TOO_FEW_SENSORS = Message(
    code="splits.too-few-sensors",
    problem="The window has too few sensors ({sensors}): validation takes {validation}, test takes {test}, and none is "
    "left for train",
    expected="at least one sensor in each split, because training.split.kind is sensor",
    fix="use more sensors, increase training.split.train, or set training.split.kind to random or temporal",
    example={"sensors": 2, "validation": 1, "test": 1},
)
TOO_FEW_INSTANTS_FOR_FOLDS = Message(
    code="splits.too-few-instants-for-folds",
    problem="The train rows have too few instants for {folds} folds in time",
    expected="at least one instant in each of {parts} parts",
    fix="train on more days, or reduce training.folds",
    example={"folds": 5, "parts": 6},
)
TOO_FEW_SENSORS_FOR_FOLDS = Message(
    code="splits.too-few-sensors-for-folds",
    problem="The train rows have too few sensors for {folds} folds by sensor ({sensors})",
    expected="at least one sensor per fold",
    fix="train on more sensors, reduce training.folds, or set training.fold_kind to random or expanding",
    example={"folds": 5, "sensors": 4},
)
