"""Messages about the settings: profiles, the environment, every section, and settings that have no effect.

The path of a setting precedes its message (`settings/layer.py`), so no template repeats it.
"""

from traffic_assets.dagster_hdfs.message import Message

# Profiles, files and the environment

INVALID_SETTINGS = Message(
    code="settings.invalid",
    problem="The settings are not valid (source: {source}; problems: {count})",
    fix="correct every setting listed below",
    example={"source": "local, environment", "count": 2},
)
_PROFILES = "one of {profiles}, or the path of a JSON file"
_UNKNOWN = {"profile": "lokal", "profiles": ["cluster", "local", "seed_literal"]}
UNKNOWN_PROFILE = Message(
    code="settings.unknown-profile",
    problem="The profile in TRAFFIC_PROFILE does not exist ({profile})",
    expected=_PROFILES,
    fix="set TRAFFIC_PROFILE to one of these",
    example=_UNKNOWN,
)
UNKNOWN_PROFILE_ARGUMENT = Message(
    code="settings.unknown-profile-argument",
    problem="The profile does not exist ({profile})",
    expected=_PROFILES,
    fix="pass one of these instead",
    example=_UNKNOWN,
)
UNKNOWN_BASE_PROFILE = Message(
    code="settings.unknown-base-profile",
    problem="{file} extends a profile that does not exist ({profile})",
    expected=f"{_PROFILES}, absolute or relative to this file",
    fix="correct `extends` in {file}",
    example={**_UNKNOWN, "file": "mine.json"},
)
PROFILE_CIRCLE = Message(
    code="settings.profile-circle",
    problem="Profiles extend each other in a cycle ({circle})",
    fix="remove one `extends`",
    example={"circle": "one.json -> two.json -> one.json"},
)
INVALID_JSON = Message(
    code="settings.invalid-json",
    problem="{file} is not valid JSON ({reason})",
    fix="correct the file",
    example={"file": "mine.json", "reason": "Expecting ',' delimiter: line 3 column 5"},
)
NOT_AN_OBJECT = Message(
    code="settings.not-an-object",
    problem="{file} does not contain a JSON object ({given})",
    expected="a JSON object with sections",
    fix="write all settings as one object",
    example={"file": "mine.json", "given": "list"},
)
DUPLICATE_KEY = Message(
    code="settings.duplicate-key",
    problem="The key occurs more than once in its JSON object ({key})",
    fix="keep one",
    example={"key": "folds"},
)
UNKNOWN_VARIABLE = Message(
    code="settings.unknown-variable",
    problem="No setting has this name ({key})",
    expected="one of {allowed} after {prefix}",
    fix="unset the variable, or rename it",
    example={"key": "XYZ", "prefix": "TRAFFIC_TRAINING__", "allowed": ["TARGETS", "FOLDS", "SEED"]},
)
MISSPELLED_VARIABLE = Message(
    code="settings.misspelled-variable",
    problem="No setting has this name ({key})",
    expected="one of {allowed} after {prefix}",
    fix="rename the variable, for example to {suggestion}",
    example={
        "key": "SEEDS",
        "prefix": "TRAFFIC_TRAINING__",
        "allowed": ["TARGETS", "FOLDS", "SEED"],
        "suggestion": "TRAFFIC_TRAINING__SEED",
    },
)
BOTH_NAMES = Message(
    code="settings.both-names",
    problem="{old} is the old name of {new}, and both are set",
    expected="one of them",
    fix="move its values to {new}",
    example={"old": "evaluation.targets", "new": "evaluation.thresholds"},
)

# Keys and values of any section

UNKNOWN_KEY = Message(
    code="settings.unknown-key",
    problem="Not a setting ({key})",
    expected="one of {allowed}",
    fix="remove the key, or rename it",
    example={"key": "xyz", "allowed": ["folds", "seed"]},
)
MISSPELLED_KEY = Message(
    code="settings.misspelled-key",
    problem="Not a setting ({key})",
    expected="one of {allowed}",
    fix="rename the key, for example to {suggestion}",
    example={"key": "fold", "allowed": ["folds", "seed"], "suggestion": "folds"},
)
UNUSABLE_PLUGIN = Message(
    code="settings.unusable-plugin",
    problem="{plugin} cannot be used: {reason}",
    fix="repair or uninstall that package, or remove this setting",
    example={
        "plugin": "acme of acme-models 2.1 (entry point acme = acme_models:ACME in traffic_assets.algorithms)",
        "reason": "The plugin cannot be imported (ImportError: no engine here)",
    },
)
NOT_A_SECTION = Message(
    code="settings.not-a-section",
    problem="Not an object ({given!r})",
    expected="an object with {allowed}",
    example={"given": "on", "allowed": ["enabled", "hyperparameters", "tune", "grid"]},
)
OUT_OF_RANGE = Message(
    code="settings.out-of-range",
    problem="Out of range ({given!r})",
    expected="{limit}",
    example={"given": 1, "limit": "a number of at least 2"},
)
INVALID_CHOICE = Message(
    code="settings.invalid-choice",
    problem="Not an allowed value ({given!r})",
    expected="{allowed}",
    example={"given": "accuracy", "allowed": "'rmse', 'mae', 'mape' or 'r2'"},
)
INVALID_FORMAT = Message(
    code="settings.invalid-format",
    problem="Not in the expected format ({given!r})",
    expected="{format} (pattern {pattern})",
    example={
        "given": "lots",
        "format": "a number with the unit k, m or g, such as 4g",
        "pattern": r"^\d+[kmgKMG]$",
    },
)
INVALID_LENGTH = Message(
    code="settings.invalid-length",
    problem="Wrong length ({given!r})",
    expected="{limit}",
    example={"given": [], "limit": "at least 1 item"},
)
INVALID_TYPE = Message(
    code="settings.invalid-type",
    problem="Not of the expected type ({given!r})",
    expected="{type}",
    example={"given": "many", "type": "a valid integer"},
)
MISSING_VALUE = Message(
    code="settings.missing-value",
    problem="A required setting is missing ({key})",
    fix="add it",
    example={"key": "low"},
)
REFUSED_VALUE = Message(
    code="settings.refused-value",
    problem="The value is refused ({given!r}): {reason}",
    fix="set another value",
    example={"given": 3, "reason": "an odd depth is not supported"},
)

# Folders and URIs

CREDENTIALS_IN_URI = Message(
    code="settings.credentials-in-uri",
    problem="A user or password in a URI would be written to logs ({uri})",
    expected="a URI without credentials",
    fix="use Hadoop's credentials",
    example={"uri": "s3a://***@bucket/traffic"},
)
EMPTY_URI = Message(
    code="settings.empty-uri",
    problem="The value is empty ({uri!r})",
    expected="a folder or a URI",
    fix="set one, or remove the key",
    example={"uri": ""},
)

# data

INVALID_TIMESTAMP_PATTERN = Message(
    code="settings.invalid-timestamp-pattern",
    problem="Readings cannot be parsed with the timestamp pattern {pattern!r} ({reason})",
    expected="a pattern of Spark's to_timestamp, such as yyyy-MM-dd HH:mm:ss",
    fix="correct the pattern; ISO 8601 needs none",
    example={"pattern": "YYYY-MM-dd HH:mm", "reason": "YYYY is not supported"},
)
UNKNOWN_ALIAS = Message(
    code="settings.unknown-alias",
    problem="{column!r} is not a column of the catalogue",
    expected="one of {allowed}",
    fix="name one of these, or remove the alias",
    example={"column": "fluss", "allowed": ["sensor_id", "timestamp", "speed", "flow"]},
)
MISSPELLED_ALIAS = Message(
    code="settings.misspelled-alias",
    problem="{column!r} is not a column of the catalogue",
    expected="one of {allowed}",
    fix="did you mean {suggestion}? Correct the alias",
    example={"column": "spede", "allowed": ["sensor_id", "timestamp", "speed"], "suggestion": "speed"},
)
REVERSED_ALIAS = Message(
    code="settings.reversed-alias",
    problem="The alias of {alias!r} is reversed: {column!r} is not a column of the catalogue",
    expected="the column of the file first, then that of the catalogue",
    fix='write {{"{column}": "{alias}"}}',
    example={"alias": "speed", "column": "velocity"},
)
INTERVAL_NOT_IN_HOUR = Message(
    code="settings.interval-not-in-hour",
    problem="An hour has no whole number of intervals of {minutes} minutes",
    expected="one of {allowed}",
    fix="set data.interval_minutes to the interval of the readings",
    example={"minutes": 7, "allowed": [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60]},
)
NO_ATOMIC_RENAME = Message(
    code="settings.no-atomic-rename",
    problem="{scheme} is an object store without an atomic rename ({uri}); a reader could see half of a publish",
    expected="a local folder, hdfs, viewfs or another file system with an atomic rename",
    fix="choose such a URI, or install a storage backend for {scheme} (docs/extending.md)",
    example={"scheme": "s3a", "uri": "s3a://bucket/traffic"},
)
UNKNOWN_STORAGE = Message(
    code="settings.unknown-storage",
    problem="{scheme} is not known to have an atomic rename ({uri}); a reader could see half of a publish",
    expected="a folder, or a URI with one of the schemes {schemes}",
    fix="choose such a URI, or install a storage backend for {scheme} (docs/extending.md)",
    example={"scheme": "swift", "uri": "swift://container.service/traffic", "schemes": ["file", "hdfs", "viewfs"]},
)
NEEDS_HIERARCHICAL_NAMESPACE = Message(
    code="settings.needs-hierarchical-namespace",
    problem="{uri} has an atomic rename only if the storage account has a hierarchical namespace",
    fix="check that it is enabled for the account; without it, choose another storage",
    example={"uri": "abfss://container@account.dfs.core.windows.net/traffic"},
)
UNKNOWN_TIME_ZONE = Message(
    code="settings.unknown-time-zone",
    problem="Not a time zone of the IANA database ({zone!r})",
    expected="a name such as America/Los_Angeles",
    example={"zone": "Mars/Base"},
)
DAY_OUT_OF_RANGE = Message(
    code="settings.day-out-of-range",
    problem="Not a possible day of a partition ({day})",
    expected="{first} to {last}",
    example={"day": "9999-12-31", "first": "1900-01-01", "last": "2999-12-31"},
)
DAYS_OUT_OF_ORDER = Message(
    code="settings.days-out-of-order",
    problem="The last day ({last_day}) is before the first day ({first_day})",
    expected="last_day on or after first_day",
    fix="correct first_day or last_day",
    example={"first_day": "2026-01-05", "last_day": "2026-01-04"},
)
INVALID_RUSH_HOURS = Message(
    code="settings.invalid-rush-hours",
    problem="Not a valid span of rush hours ({start:number} to {end:number})",
    expected="pairs [from, to] with from < to",
    example={"start": 9.0, "end": 8.0},
)
FILLED_FEATURE_TABLE = Message(
    code="settings.filled-feature-table",
    problem="Fills (data.fill) apply to readings, but data.kind is features",
    expected="a ready-made feature table without fill",
    fix="turn off data.fill.forward_fill and data.fill.interpolation, or set data.kind to readings",
)

# training

SHARES_NOT_ONE = Message(
    code="settings.shares-not-one",
    problem="The shares train + validation + test add up to {total:number}",
    expected="shares that add up to 1",
    fix="change one of the shares",
    example={"total": 1.1},
)
INVALID_FORMULA = Message(
    code="settings.invalid-formula",
    problem="Not a valid formula ({formula!r})",
    expected="a product a*b, a ratio a/b, or a power a^2 or a^3 of numeric features",
    example={"formula": "a-b"},
)
SQUARE_AS_PRODUCT = Message(
    code="settings.square-as-product",
    problem="Both factors of the product are the same feature ({formula})",
    fix="write {feature}^2",
    example={"formula": "a*a", "feature": "a"},
)
CONSTANT_RATIO = Message(
    code="settings.constant-ratio",
    problem="The ratio of a feature to itself is always 1 ({formula})",
    fix="remove the formula",
    example={"formula": "a/a"},
)
DUPLICATE_FORMULAS = Message(
    code="settings.duplicate-formulas",
    problem="The same formula occurs more than once ({formulas})",
    fix="keep one of each",
    example={"formulas": ["a*b"]},
)
SCREENED_STRATEGY = Message(
    code="settings.screened-strategy",
    problem="Screening ({screen}) cannot be combined with strategy {strategy!r}, which chooses points as it proceeds",
    expected="screening of a grid or random draws",
    fix="set strategy to grid or random, or set screen to null",
    example={"screen": 5, "strategy": "tpe"},
)
DUPLICATE_TARGETS = Message(
    code="settings.duplicate-targets",
    problem="The same target occurs more than once ({given}; these are {targets})",
    fix="name each target once",
    example={"given": ["flow", "volume_5min"], "targets": ["flow", "flow"]},
)
TOO_MANY_DAYS = Message(
    code="settings.too-many-days",
    problem="The number of required days (minimum_days {minimum_days}) exceeds the {window_days} days of the window",
    fix="lower minimum_days, or raise window_weeks",
    example={"minimum_days": 15, "window_days": 14},
)

# evaluation

BAND_OUT_OF_ORDER = Message(
    code="settings.band-out-of-order",
    problem="Lower bound {low:number} is above upper bound {high:number}",
    expected="low <= high",
    fix="correct one of the bounds",
    example={"low": 2.0, "high": 1.5},
)
INVALID_LEARNING_CURVE = Message(
    code="settings.invalid-learning-curve",
    problem="The shares are not a learning curve ({shares})",
    expected="at least two shares, each greater than the one before",
    example={"shares": [0.5, 0.5]},
)
DUPLICATE_TARGET_THRESHOLDS = Message(
    code="settings.duplicate-target-thresholds",
    problem="The same target occurs under two names ({given}; these are {targets})",
    fix="use one name for each target, in every file and in the environment",
    example={"given": ["flow", "traffic_volume"], "targets": ["flow"]},
)
MISPLACED_THRESHOLDS = Message(
    code="settings.misplaced-thresholds",
    problem="Thresholds of the default target are in evaluation.other_thresholds ({target})",
    fix="move them to evaluation.thresholds",
    example={"target": "speed"},
)
UNKNOWN_MODEL_THRESHOLDS = Message(
    code="settings.unknown-model-thresholds",
    problem="Unknown models in evaluation.other_thresholds.{target} ({unknown})",
    expected="one of {models}",
    fix="correct or remove these names",
    example={"target": "flow", "unknown": ["forest"], "models": ["linear_regression", "random_forest"]},
)

# persistence

INVALID_REGISTRY_FOLDER = Message(
    code="settings.invalid-registry-folder",
    problem="Not a valid folder for the registry ({folder!r})",
    expected="a folder below persistence.base_uri, such as models (in a scikit-learn-style configuration, base_uri is "
    "hdfs_model_path)",
    example={"folder": "../elsewhere"},
)
RESERVED_REGISTRY_FOLDER = Message(
    code="settings.reserved-registry-folder",
    problem="Versions would be stored among assets ({folder!r})",
    expected="a folder outside {reserved}",
    example={"folder": "training", "reserved": ["raw", "processed", "training"]},
)

# spark

NOT_SPARK_SETTINGS = Message(
    code="settings.not-spark-settings",
    problem="Keys in spark.config are not Spark settings ({keys})",
    expected="names that begin with 'spark.'",
    fix="correct or remove these keys",
    example={"keys": ["sql.shuffle.partitions"]},
)
RESERVED_SPARK_SETTINGS = Message(
    code="settings.reserved-spark-settings",
    problem="Keys in spark.config have settings of their own ({keys})",
    fix="set {settings}",
    example={"keys": ["spark.driver.memory"], "settings": ["spark.driver_memory"]},
)
SECRET_IN_SPARK_CONFIG = Message(
    code="settings.secret-in-spark-config",
    problem="Secrets are in spark.config ({keys}), where the Dagster UI and `traffic-assets settings` would show them",
    fix="put them in the files of HADOOP_CONF_DIR, or in a Hadoop credential provider named by "
    "spark.hadoop.hadoop.security.credential.provider.path",
    example={"keys": ["spark.hadoop.fs.s3a.secret.key"]},
)

# models

DEPLOYMENT_IS_A_TARGET = Message(
    code="settings.deployment-is-a-target",
    problem="The name of a target, which begins asset keys too ({deployment!r})",
    expected="a name that is none of {targets}",
    example={"deployment": "flow", "targets": ["speed", "flow"]},
)
NO_MODEL_ENABLED = Message(
    code="settings.no-model-enabled",
    problem="Every model is disabled",
    expected="at least one enabled model",
    fix="set models.<model>.enabled to true",
)
RANGE_OUT_OF_ORDER = Message(
    code="settings.range-out-of-order",
    problem="Lower bound {low:number} is not below upper bound {high:number}",
    expected="low < high",
    fix="correct one of the bounds",
    example={"low": 1.0, "high": 0.5},
)
LOGARITHMIC_RANGE_AT_ZERO = Message(
    code="settings.logarithmic-range-at-zero",
    problem="A logarithmic range begins at low {low:number}",
    expected="low above 0",
    example={"low": 0.0},
)
UNKNOWN_HYPERPARAMETER = Message(
    code="settings.unknown-hyperparameter",
    problem="Not a hyperparameter ({name})",
    expected="one of {allowed}",
    fix="remove the key, or rename it",
    example={"name": "depth", "allowed": ["numTrees", "maxDepth"]},
)
MISSPELLED_HYPERPARAMETER = Message(
    code="settings.misspelled-hyperparameter",
    problem="Not a hyperparameter ({name})",
    expected="one of {allowed}",
    fix="rename the key, for example to {suggestion}",
    example={"name": "n_estimator", "allowed": ["numTrees", "maxDepth"], "suggestion": "numTrees"},
)
EMPTY_GRID_VALUES = Message(
    code="settings.empty-grid-values",
    problem="The grid has no values for {name}",
    expected="at least one value",
    fix="add a value, or remove the key",
    example={"name": "maxDepth"},
)
RANGE_IN_GRID_SEARCH = Message(
    code="settings.range-in-grid-search",
    problem="The search strategy 'grid' tries every value, but the grid contains ranges ({settings})",
    fix="replace each range by a list, or set training.search.strategy to random, tpe or halving",
    example={"settings": ["models.linear_regression.grid.regParam"]},
)
CONTRADICTED_PENALTY = Message(
    code="settings.contradicted-penalty",
    problem="Penalty {penalty!r} contradicts {section}: regParam is {reg_param:number} and elasticNetParam is "
    "{elastic_net_param:number}",
    expected="{rule}",
    fix="remove these values, or remove the penalty",
    example={
        "penalty": "lasso",
        "section": "hyperparameters",
        "reg_param": 0.01,
        "elastic_net_param": 0.3,
        "rule": "regParam above 0 and elasticNetParam 1",
    },
)
INVALID_GAMMA = Message(
    code="settings.invalid-gamma",
    problem="Not a valid kernel coefficient ({gamma!r})",
    expected="scale, auto or a number above 0",
    example={"gamma": "wide"},
)
TOO_FEW_MEMBERS = Message(
    code="settings.too-few-members",
    problem="The ensemble has too few members ({count})",
    expected="at least 2 of {allowed}",
    fix="add members, or disable the ensemble",
    example={"count": 1, "allowed": ["linear_regression", "random_forest", "svr"]},
)
UNKNOWN_MEMBER = Message(
    code="settings.unknown-member",
    problem="Not an algorithm that an ensemble can combine ({name})",
    expected="one of {allowed}",
    fix="correct the name, or remove it",
    example={"name": "stack", "allowed": ["linear_regression", "random_forest", "svr"]},
)
WEIGHTS_WITHOUT_WEIGHTED = Message(
    code="settings.weights-without-weighted",
    problem="Weights are set, but the method {method!r} computes its own",
    fix="remove weights, or set method to weighted",
    example={"method": "stacking"},
)
WEIGHTS_OF_OTHER_MEMBERS = Message(
    code="settings.weights-of-other-members",
    problem="Weights are set for {weights}, but the members are {members}",
    expected="one weight for each member",
    fix="add the missing weights, and remove the others",
    example={"weights": ["svr"], "members": ["svr", "xgboost"]},
)
ZERO_WEIGHTS = Message(
    code="settings.zero-weights",
    problem="Every weight is 0 ({members})",
    expected="at least one weight above 0",
    fix="raise one of the weights, or remove all of them",
    example={"members": ["svr", "xgboost"]},
)

# Settings that have no effect

EMPTY_SEARCH = Message(
    code="settings.empty-search",
    problem="The model {model} is tuned, but its grid is empty, so there is nothing to search",
    fix="set models.{model}.grid",
    example={"model": "linear_regression"},
)
UNUSED_TIME_LIMIT = Message(
    code="settings.unused-time-limit",
    problem="The limit of {minutes:number} minutes has no effect: it applies to searches, and no model is tuned",
    fix="set models.<model>.tune to true",
    example={"minutes": 120.0},
)
PARALLEL_ON_ONE_CORE = Message(
    code="settings.parallel-on-one-core",
    problem="Parallel training has no effect: spark.master {master} has one core",
    fix="set spark.master to more cores, such as local[4]",
    example={"master": "local[1]"},
)
EXECUTORS_OF_LOCAL_SESSION = Message(
    code="settings.executors-of-local-session",
    problem="Executor settings have no effect ({keys}), because spark.master {master} has no executors",
    fix="set spark.driver_memory, or a master with executors",
    example={"keys": ["spark.executor.memory"], "master": "local[*]"},
)
