"""Messages about metrics."""

from traffic_assets.dagster_hdfs.message import Message

NO_ROWS = Message(
    code="metrics.no-rows",
    problem="There are no rows to evaluate",
    expected="at least one row in the split",
    fix="train on more days, or increase the split's share in training.split",
)
PREDICTIONS_NOT_FINITE = Message(
    code="metrics.predictions-not-finite",
    problem="Some predictions are null, NaN or infinite ({number} of {rows})",
    expected="finite numbers",
    fix="fit the model again with other hyperparameters, such as a lower learning rate or more regularization",
    example={"number": 12, "rows": 90_000},
)
OBSERVATIONS_NOT_FINITE = Message(
    code="metrics.observations-not-finite",
    problem="Some observed values of {target} are null, NaN or infinite ({number} of {rows})",
    expected="finite numbers",
    fix="remove these rows before the evaluation",
    example={"number": 12, "rows": 90_000, "target": "speed"},
)
UNUSABLE = Message(
    code="metrics.unusable",
    problem="Metric {metric!r} of an installed package cannot be computed ({error}: {reason})",
    expected="an aggregate of the observed and the predicted column",
    fix="correct the metric, or uninstall its package, which `traffic-assets plugins` lists",
    example={"metric": "far", "error": "ZeroDivisionError", "reason": "division by zero"},
)
INVALID_DIRECTION = Message(
    code="metrics.invalid-direction",
    problem="Metric {metric!r} has better={better!r}",
    expected="low or high",
    fix="correct `better` in the metric's package",
    example={"metric": "far", "better": "more"},
)
