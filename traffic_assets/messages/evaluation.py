"""Messages about the evaluation: thresholds, intervals, residuals, importances and significance tests."""

from traffic_assets.dagster_hdfs.message import Message

NO_CROSS_VALIDATION = Message(
    code="evaluation.no-cross-validation",
    problem="Thresholds for cross-validation are set ({thresholds}), but the model has no cross-validation",
    fix="materialize the cv_report of this model, or set these thresholds to null",
    example={"thresholds": ["cv_r2_mean_min", "cv_r2_std_max"]},
)
INVALID_COVERAGE = Message(
    code="evaluation.invalid-coverage",
    problem="{coverage:number} is not a valid coverage",
    expected="a number between 0 and 1, exclusive",
    fix="correct evaluation.diagnostics.interval_coverage",
    example={"coverage": 1.0},
)
TOO_FEW_CALIBRATION_ROWS = Message(
    code="evaluation.too-few-calibration-rows",
    problem="There are too few rows ({rows}) to calibrate {coverage:percent} prediction intervals",
    expected="at least {needed} rows",
    fix="increase the validation share, or set a smaller evaluation.diagnostics.interval_coverage",
    example={"rows": 8, "coverage": 0.9, "needed": 9},
)
NO_TEST_ROWS = Message(
    code="evaluation.no-test-rows",
    problem="There are no test rows to measure the coverage of the prediction interval on",
    expected="at least one row in the test split",
    fix="train on more rows, or increase the test share",
)
TOO_FEW_HOURS = Message(
    code="evaluation.too-few-hours",
    problem="The test rows cover too few hours ({hours}) for a confidence interval",
    expected="at least {needed} hours",
    fix="train on a window of more days, or set evaluation.diagnostics.confidence_level to null",
    example={"hours": 7, "needed": 8},
)
NO_RESIDUALS = Message(
    code="evaluation.no-residuals",
    problem="There are no residuals, because the split has no rows",
    expected="at least one row in the test split",
    fix="train on more rows, or set evaluation.diagnostics.residuals to false",
)
OTHER_PREPROCESSOR = Message(
    code="evaluation.other-preprocessor",
    problem="The model has {weights} weights, but the preprocessor's vector has {slots} slots",
    expected="the preprocessor that the model was fitted on",
    fix="re-run the full train job for this week",
    example={"weights": 20, "slots": 21},
)
DIFFERENT_FOLDS = Message(
    code="evaluation.different-folds",
    problem="The models have losses on {first} and {second} folds",
    expected="losses on the same folds, at least 2",
    fix="re-run the full train job for this week",
    example={"first": 5, "second": 3},
)
DIFFERENT_INSTANTS = Message(
    code="evaluation.different-instants",
    problem="The models have losses at {first} and {second} instants of the temporal holdout",
    expected="losses at the same instants, at least {needed}",
    fix="re-run the full train job for this week",
    example={"first": 806, "second": 790, "needed": 20},
)
TOO_SHORT_HOLDOUT = Message(
    code="evaluation.too-short-holdout",
    problem="The temporal holdout spans {hours:number} hours, which is too short for autocorrelated losses",
    expected="at least {needed} hours",
    fix="train on a window of more days",
    example={"hours": 23.5, "needed": 24},
)
