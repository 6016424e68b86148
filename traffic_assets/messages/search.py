"""Messages about the search for hyperparameters."""

from traffic_assets.dagster_hdfs.message import Message

UNKNOWN_METRIC = Message(
    code="search.unknown-metric",
    problem="{metric!r} is not a known metric",
    expected="one of {metrics}",
    fix="set evaluation.primary_metric to one of them, or install the metric's package",
    example={"metric": "accuracy", "metrics": ["rmse", "mae", "mape", "r2"]},
)
NO_HYPERPARAMETERS = Message(
    code="search.no-hyperparameters",
    problem="The search has no hyperparameters to try",
    expected="at least one set of hyperparameters",
    fix="set models.<model>.grid, or set models.<model>.tune to false",
)
NO_SURROGATE = Message(
    code="search.no-surrogate",
    problem="{algorithm} has no surrogate to screen trials with",
    fix="set training.search.screen to null",
    example={"algorithm": "linear_regression"},
)
TOO_FEW_ROWS_TO_SCREEN = Message(
    code="search.too-few-rows-to-screen",
    problem="The sample for screening has too few rows ({rows})",
    expected="rows in its train and in its test part",
    fix="train on more rows, or set training.search.screen to null",
    example={"rows": 1},
)
MISSING_OPTUNA = Message(
    code="search.missing-optuna",
    problem="The search strategy 'tpe' needs Optuna, which is not installed",
    fix="run `{command}`, or set another training.search.strategy",
    example={"command": "pip install 'traffic-assets[tpe]'"},
)
