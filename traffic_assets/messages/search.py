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
TIME_LIMIT = Message(
    code="search.time-limit",
    problem="The search was stopped after its {minutes:number} minutes of training.max_training_time_minutes. Trials "
    "evaluated on every fold: {complete}, on some folds: {partial}. The best of them was chosen",
    fix="set a longer training.max_training_time_minutes, or search fewer trials",
    example={"minutes": 30.0, "complete": 4, "partial": 1},
)
EMPTY_GRID = Message(
    code="search.empty-grid",
    problem="The search has no hyperparameters to try, because models.{algorithm}.grid is empty",
    fix="set models.{algorithm}.grid, or set models.{algorithm}.tune to false",
    example={"algorithm": "random_forest"},
)
UNUSED_SCREENING = Message(
    code="search.unused-screening",
    problem="Screening has no effect on {title}, which has no surrogate",
    fix="if no other model is screened, set training.search.screen to null",
    example={"title": "Linear regression"},
)
PARALLEL_WITH_ALL_CORES = Message(
    code="search.parallel-with-all-cores",
    problem="Parallel training has no effect, because one fit of {title} takes all cores",
    fix="if no other model is fitted in parallel, set training.parallel_training to false",
    example={"title": "XGBoost"},
)
PARALLEL_ON_ONE_CORE = Message(
    code="search.parallel-on-one-core",
    problem="Parallel training has no effect, because Spark has one core",
    fix="give Spark more cores, or set training.parallel_training to false",
)
UNDEFINED_METRIC = Message(
    code="search.undefined-metric",
    problem="The metric {metric!r} is undefined for every trial in at least one fold, so the first trial is chosen",
    expected="a metric that ranks the trials",
    fix="set evaluation.primary_metric to rmse or mae",
    example={"metric": "r2"},
)
