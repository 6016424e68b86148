"""Messages about cross-validation, learning curves and the temporal holdout."""

from datetime import UTC, datetime

from traffic_assets.dagster_hdfs.message import Message

EMPTY_FOLD = Message(
    code="model-selection.empty-fold",
    problem="There are no rows to {purpose} on in {fold}",
    expected="at least one train and one test row in every fold",
    fix="train on more rows, or reduce training.folds",
    example={"purpose": "train", "fold": "fold 1 of 5"},
)
EMPTY_SHARE = Message(
    code="model-selection.empty-share",
    problem="There are no rows to fit on for a point of the learning curve (share {share:number})",
    expected="at least one row",
    fix="set larger shares in evaluation.diagnostics.learning_curve",
    example={"share": 0.001},
)
NO_EARLIER_ROWS = Message(
    code="model-selection.no-earlier-rows",
    problem="There are no rows before the start of the later part ({boundary:%Y-%m-%d %H:%M} UTC)",
    expected="rows in both parts of the temporal holdout",
    fix="train on a window of more days",
    example={"boundary": datetime(2026, 1, 5, tzinfo=UTC)},
)
NO_ROWS_IN_WINDOW = Message(
    code="model-selection.no-rows-in-window",
    problem="There are no rows to split in time",
    expected="rows in the training window",
    fix="materialize feature_table for the days of the window",
)
METRIC_NOT_EVALUATED = Message(
    code="model-selection.metric-not-evaluated",
    problem="The cross-validation does not include the metric {metric!r}",
    expected="one of {metrics}",
    fix="re-run the full train job for this week",
    example={"metric": "close_share", "metrics": ["rmse", "mae", "mape", "r2"]},
)
NO_TRIALS = Message(
    code="model-selection.no-trials",
    problem="There are no trials to choose from",
    expected="at least one evaluated trial",
    fix="configure at least one set of hyperparameters",
)
