"""Messages about preprocessing."""

from traffic_assets.dagster_hdfs.message import Message

INVALID_FORMULA = Message(
    code="preprocessing.invalid-formula",
    problem="{formula!r} is not a valid formula",
    expected="a*b, a/b, a^2 or a^3 of numeric features a and b",
    fix="correct training.preprocessing.create",
    example={"formula": "flow_rate+occupancy_ratio"},
)
UNUSABLE_FORMULAS = Message(
    code="preprocessing.unusable-formulas",
    problem="Some formulas in training.preprocessing.create cannot be computed ({reasons})",
    expected="formulas of numeric features: {numeric}",
    fix="use features from this list that are not in training.exclude_features and, if training.features is set, are "
    "in it",
    example={
        "reasons": ["flow_rate/lanes: no such feature: lanes"],
        "numeric": ["flow_rate", "occupancy_ratio"],
    },
)
NO_TARGET = Message(
    code="preprocessing.no-target",
    problem="No train row has a value of {target}, because the window is empty or the detectors do not report {target}",
    expected="at least one row with a value",
    fix="ingest readings with {target} for the window's days, or remove {target} from training.targets",
    example={"target": "flow"},
)
NO_FEATURE_VALUES = Message(
    code="preprocessing.no-feature-values",
    problem="None of the features has a value in the train rows ({features})",
    expected="at least one feature with a value",
    fix="ingest readings with the columns that these features need, or add features to training.features",
    example={"features": ["flow_rate", "occupancy_ratio"]},
)
NO_ROWS_LEFT = Message(
    code="preprocessing.no-rows-left",
    problem="Every train row is dropped by training.preprocessing (missing: {missing}, outliers: {outliers}, "
    "outlier_action: {action}). Rows without a value, out of {rows}: {nulls}",
    expected="at least one row that is kept",
    fix="set training.preprocessing.missing to median or mean, set outlier_action to clip, or add features that are "
    "mostly missing to training.exclude_features",
    example={"missing": "drop", "outliers": "none", "action": "clip", "rows": 2, "nulls": {"flow_rate": 1}},
)
ONLY_IN_DROPPED_ROWS = Message(
    code="preprocessing.only-in-dropped-rows",
    problem="Some features have values only in train rows that training.preprocessing drops ({features})",
    expected="at least one value in the rows that are kept",
    fix="set training.preprocessing.outlier_action to clip, or add these features to training.exclude_features",
    example={"features": ["flow_rate"]},
)
NO_SLOTS_LEFT = Message(
    code="preprocessing.no-slots-left",
    problem="No slot has a variance above training.preprocessing.variance_threshold ({threshold:number})",
    expected="at least one slot above it",
    fix="reduce training.preprocessing.variance_threshold",
    example={"threshold": 1000.0},
)
NOT_AN_ARRAY = Message(
    code="preprocessing.not-an-array",
    problem="The preprocessor does more than impute (scaled: {scaled}, missing: {missing}, outliers: {outliers}, "
    "selection: {selection}), so its vector cannot be computed as an array",
    expected="a preprocessor without scaler, dropped rows, outlier bounds or selection",
    fix="use the preprocessor's own vector",
    example={"scaled": True, "missing": "median", "outliers": "none", "selection": "none"},
)
