"""Messages about algorithms and their fits."""

from traffic_assets.dagster_hdfs.message import Message

UNKNOWN = Message(
    code="algorithms.unknown",
    problem="Unknown algorithm {algorithm!r}",
    expected="one of {known}",
    fix="correct the name, or install the package that provides the algorithm",
    example={"algorithm": "lasso", "known": ["linear_regression", "random_forest"]},
)
NO_VALIDATION_ROWS = Message(
    code="algorithms.no-validation-rows",
    problem="Algorithm {algorithm!r} stops early, but no column marks its validation rows",
    expected="the name of a boolean column in the argument `stop`",
    fix="mark the validation rows, or turn early stopping off",
    example={"algorithm": "xgboost"},
)
NO_VALIDATION_INDICATOR = Message(
    code="algorithms.no-validation-indicator",
    problem="Column {column!r} marks the validation rows, but the algorithm has no function that passes it to the "
    "estimator",
    expected="early_stopping.with_validation_indicator",
    fix="define it in the algorithm's package (docs/extending.md)",
    example={"column": "stops_fit"},
)
NO_ROW_COLUMN = Message(
    code="algorithms.no-row-column",
    problem="The rows have no column {column!r} (columns: {columns})",
    expected="an integer that identifies each row; rows are sampled and ordered by it",
    fix="add it, for example as xxhash64(sensor_id, timestamp)",
    example={"column": "row", "columns": ["features", "speed"]},
)
NO_ROWS = Message(
    code="algorithms.no-rows",
    problem="There are no rows to fit on",
    expected="at least one row in the train split",
    fix="train on more days, or increase training.split.train",
)
ONLY_VALIDATION_ROWS = Message(
    code="algorithms.only-validation-rows",
    problem="The fold has no rows to fit on, because all its train rows are validation rows for early stopping",
    expected="at least one other train row",
    fix="train on more days, reduce training.folds, or turn early stopping off",
)
EMPTY_PART = Message(
    code="algorithms.empty-part",
    problem="Part {part} of {folds} for the ensemble's out-of-fold predictions has no rows to predict, or none to fit "
    "on",
    expected="rows in each part",
    fix="train on more rows, reduce the ensemble's folds, or set its weights",
    example={"part": 1, "folds": 3},
)
SCREENING_WITHOUT_XGBOOST = Message(
    code="algorithms.screening-without-xgboost",
    problem="The setting training.search.screen needs XGBoost, which is not installed",
    fix="run `{command}`, or set training.search.screen to null",
    example={"command": "pip install 'traffic-assets[xgboost]'"},
)
CATEGORICAL_SPLITS = Message(
    code="algorithms.categorical-splits",
    problem="The trees have categorical splits",
    expected="splits by threshold only, as on the preprocessor's vector",
    fix="set training.search.share_fits to false",
)
TOO_FEW_TREES = Message(
    code="algorithms.too-few-trees",
    problem="A cut has {trees} trees, but the fitted ensemble has {fitted}",
    expected="at most as many trees as the ensemble has",
    fix="fit an ensemble with more trees",
    example={"trees": 8, "fitted": 7},
)
