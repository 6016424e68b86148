"""Messages about the scikit-learn-style configuration: keys with a different effect, and unsupported keys."""

from traffic_assets.dagster_hdfs.message import Message

# Any key

CONFLICT = Message(
    code="sklearn-config.conflict",
    problem="Conflicting values ({given!r} here, {value!r} in {other}); both set {setting}",
    fix="keep one",
    example={
        "given": 7,
        "other": "models.random_forest.hyperparameters.random_state",
        "value": 42,
        "setting": "training.seed",
    },
)
NOT_AN_OBJECT = Message(
    code="sklearn-config.not-an-object",
    problem="Not an object ({given!r})",
    expected="an object with {allowed}",
    example={"given": 5, "allowed": ["enabled", "folds", "shuffle", "random_state"]},
)
UNKNOWN_KEY = Message(
    code="sklearn-config.unknown-key",
    problem="Not a key of a scikit-learn-style configuration ({key}: {given!r})",
    expected="one of {allowed}",
    fix="remove the key, or rename it",
    example={"key": "fold", "given": 5, "allowed": ["enabled", "folds", "shuffle", "random_state"]},
)
DUPLICATE_MODEL = Message(
    code="sklearn-config.duplicate-model",
    problem="Two sections configure the same model ({model})",
    fix="keep one",
    example={"model": "gradient_boosted_trees"},
)
DUPLICATE_HYPERPARAMETER = Message(
    code="sklearn-config.duplicate-hyperparameter",
    problem="{name} is set twice (here: {given!r})",
    fix="keep one",
    example={"name": "numTrees", "given": 10},
)
DUPLICATE_MEMBER = Message(
    code="sklearn-config.duplicate-member",
    problem="The member {name} is set twice (here: {given!r})",
    fix="keep one",
    example={"name": "gradient_boosted_trees", "given": {}},
)
UNLISTED_MODELS = Message(
    code="sklearn-config.unlisted-models",
    problem="Models that the file does not list are off ({models}), because {key} is a key of a scikit-learn-style "
    "configuration",
    fix="list these models too, or set models.<model>.enabled",
    example={"models": ["linear_regression"], "key": "training.primary_metric"},
)

# data

INVALID_FEATURE_COLUMNS = Message(
    code="sklearn-config.invalid-feature-columns",
    problem="Not a valid choice of features ({given!r})",
    expected='["auto_detect"] for all features, or the names of the features to train on',
    example={"given": ["auto_detect", "hour_sin"]},
)
INVALID_TIME_COLUMN = Message(
    code="sklearn-config.invalid-time-column",
    problem="Not the name of a column ({given!r})",
    expected="text",
    example={"given": 3},
)

# training

DISABLED_CROSS_VALIDATION = Message(
    code="sklearn-config.disabled-cross-validation",
    problem="Cross-validation cannot be turned off ({given!r}), because it chooses the best model",
    expected="true",
    fix="remove the key, or set folds to 2, the minimum",
    example={"given": False},
)
UNSHUFFLED_FOLDS = Message(
    code="sklearn-config.unshuffled-folds",
    problem="Folds without shuffling are configured differently here ({given!r})",
    expected="true",
    fix="set training.fold_kind to expanding or sliding for folds in the order of time",
    example={"given": False},
)

# evaluation

UNKNOWN_METRICS = Message(
    code="sklearn-config.unknown-metrics",
    problem="Unknown metrics ({given!r})",
    expected="a list of {known}, or of metrics that an installed package adds",
    fix="correct or remove these names, or install the package that adds the metric",
    example={"given": ["auc"], "known": ["rmse", "mae", "mape", "r2", "bias", "p95"]},
)
ALL_METRICS = Message(
    code="sklearn-config.all-metrics",
    problem="The list has no effect ({given}), because all metrics are computed in one pass ({known})",
    fix="remove the key",
    example={"known": ["rmse", "mae", "mape", "r2", "bias", "p95"], "given": ["rmse"]},
)
INVALID_PREDICTION_INTERVALS = Message(
    code="sklearn-config.invalid-prediction-intervals",
    problem="Not a valid setting for prediction intervals ({given!r})",
    expected="true (intervals that cover 90% of the rows), false, or a share above 0 and below 1",
    example={"given": "yes"},
)
PLOTS_OFF = Message(
    code="sklearn-config.plots-off",
    problem="Figures are part of every evaluation and cannot be turned off ({given!r})",
    expected="true",
    fix="remove the key",
    example={"given": False},
)
COMPARISON_OFF = Message(
    code="sklearn-config.comparison-off",
    problem="The model comparison cannot be turned off ({given!r})",
    expected="true",
    fix="leave model_comparison out of the materialization",
    example={"given": False},
)

# persistence

SAVING_OFF = Message(
    code="sklearn-config.saving-off",
    problem="Saving models cannot be turned off ({given!r})",
    expected="true",
    fix="materialize the evaluations without the registry entries",
    example={"given": False},
)
UNKNOWN_VERSIONING = Message(
    code="sklearn-config.unknown-versioning",
    problem="Not a supported versioning strategy ({given!r})",
    expected="semantic, because versions are v1.0.0, v1.1.0 and so on",
    fix="remove the key",
    example={"given": "timestamp"},
)
UNKNOWN_EXPORT_FORMATS = Message(
    code="sklearn-config.unknown-export-formats",
    problem="Unknown export formats ({given!r})",
    expected='["spark"], the format that is written',
    fix="correct or remove these names",
    example={"given": ["h5"]},
)
NO_EXPORT_FORMAT = Message(
    code="sklearn-config.no-export-format",
    problem="Every version contains the model in Spark's own format, although no export format is listed",
    fix="remove the key",
)
PICKLE_FORMAT = Message(
    code="sklearn-config.pickle-format",
    problem="A pickle runs code when it is loaded; the model is stored in Spark's own format instead",
    fix="remove pickle from the list",
)
UNWRITTEN_FORMATS = Message(
    code="sklearn-config.unwritten-formats",
    problem="These formats are not written yet ({formats}); every version contains the model in Spark's own format",
    fix="remove them from the list",
    example={"formats": ["onnx", "pmml"]},
)

# Hyperparameters

NO_VALUES = Message(
    code="sklearn-config.no-values",
    problem="The grid has no values for {name}, which is not a hyperparameter here",
    fix="remove it",
    example={"name": "criterion"},
)
SEED_IN_GRID = Message(
    code="sklearn-config.seed-in-grid",
    problem="A seed is not a hyperparameter to search ({given!r})",
    fix="set training.seed, which applies to all models",
    example={"given": [1, 2]},
)
INVALID_NORMALIZE = Message(
    code="sklearn-config.invalid-normalize",
    problem="Not a valid value of normalize ({given!r})",
    expected="true or false",
    example={"given": "l2"},
)
UNNORMALIZED = Message(
    code="sklearn-config.unnormalized",
    problem="Features are scaled before every fit (training.preprocessing.scaler), although normalize is false. "
    "This changes the predictions only with a penalty (alpha, l1_ratio)",
    fix="remove the key, or set it to true",
)
ALPHA = Message(
    code="sklearn-config.alpha",
    problem="Penalty alpha ({given}) becomes regParam. It is relative to half the mean squared error, as in Lasso and "
    "ElasticNet. Ridge's alpha is relative to the sum of squared errors. MLlib also divides the L2 term by the "
    "target's standard deviation",
    fix="for a ridge, multiply alpha by that standard deviation and divide it by the number of rows",
    example={"given": 0.3},
)
AUTO_MAX_FEATURES = Message(
    code="sklearn-config.auto-max-features",
    problem="The value auto of max_features becomes all features, as in scikit-learn's regressors. In MLlib's forests, "
    "auto is a third of them",
    fix="set featureSubsetStrategy to auto for MLlib's meaning",
)
NO_DEPTH_LIMIT = Message(
    code="sklearn-config.no-depth-limit",
    problem="A depth of null becomes {depth}, the maximum depth of a tree in Spark MLlib",
    fix="set {depth}, or a smaller depth",
    example={"depth": 30},
)


def _define_fixed(name: str, actual: str, fix: str, example: object) -> tuple[Message, Message]:
    """Return the messages of a scikit-learn hyperparameter that has one possible value here.

    Args:
        name: scikit-learn's name, which is the code too.
        actual: Behaviour of this project, a clause.
        fix: Setting to use instead.
        example: A value that is refused.
    """
    code = f"sklearn-config.{name.lower().replace('_', '-')}"
    return (
        Message(f"{code}-has-no-effect", problem=f"The hyperparameter {name} has no effect: {actual}", fix=fix),
        Message(
            f"{code}-not-available",
            problem=f"The hyperparameter {name} cannot be set here ({{given!r}}): {actual}",
            fix=fix,
            example={"given": example},
        ),
    )


N_JOBS, N_JOBS_REFUSED = _define_fixed(
    "n_jobs", "Spark decides how many tasks run in parallel", "remove it, and set spark.master, such as local[4]", 4
)
MIN_SAMPLES_SPLIT, MIN_SAMPLES_SPLIT_REFUSED = _define_fixed(
    "min_samples_split",
    "MLlib limits the number of rows in child nodes",
    "remove it, and set minInstancesPerNode (min_samples_leaf)",
    4,
)
MAX_LEAF_NODES, MAX_LEAF_NODES_REFUSED = _define_fixed(
    "max_leaf_nodes", "MLlib limits the depth", "remove it, and set maxDepth (max_depth)", 8
)
WARM_START, WARM_START_REFUSED = _define_fixed(
    "warm_start",
    "one fit already covers the smaller models of a grid (training.search.share_fits)",
    "remove it",
    True,
)
POSITIVE, POSITIVE_REFUSED = _define_fixed("positive", "MLlib has no such constraint", "remove it", True)
COPY_X, COPY_X_REFUSED = _define_fixed("copy_X", "Spark never changes its input", "remove it", False)
CRITERION, CRITERION_REFUSED = _define_fixed(
    "criterion", "MLlib's regression trees split by variance", "remove it", "absolute_error"
)
BOOTSTRAP, BOOTSTRAP_REFUSED = _define_fixed(
    "bootstrap", "every tree is grown on rows drawn with replacement", "remove it", False
)
N_ITER_NO_CHANGE, N_ITER_NO_CHANGE_REFUSED = _define_fixed(
    "n_iter_no_change",
    "other settings control early stopping",
    "remove it, and set earlyStopping to true and validationTol",
    5,
)
VALIDATION_FRACTION_REFUSED = Message(
    code="sklearn-config.validation-fraction-not-available",
    problem="The hyperparameter validation_fraction cannot be set here ({given!r}): early stopping uses half of the "
    "validation split",
    fix="remove it, and set training.split.validation",
    example={"given": 0.2},
)
