"""Tables of the scikit-learn-style configuration: key, current path and conversion of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from traffic_assets.messages import sklearn_config as messages
from traffic_assets.settings.layer import Path
from traffic_assets.settings.sklearn_config import conversions
from traffic_assets.settings.sklearn_config.conversions import (
    Conversion,
    accept_fixed,
    keep_value,
    refuse,
    replace_null,
    require_value,
)


@dataclass(frozen=True)
class Rule:
    """Rule for a key of a section.

    Attributes:
        key: Path of the key in a scikit-learn-style configuration.
        current: Current paths that get the converted value; none if the key requests fixed behaviour.
        convert: Conversion of the value.
    """

    key: Path
    current: tuple[Path, ...] = ()
    convert: Conversion = keep_value


@dataclass(frozen=True)
class HyperparameterRule:
    """Rule for a hyperparameter of a model and its values in a grid.

    Attributes:
        current: Current name; the path of a setting outside the model; or None for one that cannot be chosen here.
        convert: Conversion of the value, or of each value in a grid.
    """

    current: str | Path | None
    convert: Conversion = keep_value


def section_rules(metrics: Sequence[str]) -> dict[Path, Rule]:
    """Return the rules of the sections other than `models`, by path.

    Args:
        metrics: Names of all metrics, including those of installed packages.
    """
    split, diagnostics, folds = ("training", "split"), ("evaluation", "diagnostics"), ("training", "cross_validation")
    rules = [
        Rule(("data", "train_ratio"), ((*split, "train"),)),
        Rule(("data", "val_ratio"), ((*split, "validation"),)),
        Rule(("data", "test_ratio"), ((*split, "test"),)),
        Rule(("data", "feature_columns"), (("training", "features"),), conversions.feature_columns),
        Rule(("data", "target_columns"), (("training", "targets"),)),
        Rule(("data", "time_column"), (("data", "aliases"),), conversions.time_column),
        Rule(("training", "primary_metric"), (("evaluation", "primary_metric"),)),
        Rule((*folds, "enabled"), (), require_value(True, messages.DISABLED_CROSS_VALIDATION)),
        Rule((*folds, "folds"), (("training", "folds"),)),
        Rule((*folds, "shuffle"), (("training", "fold_kind"),), conversions.shuffle),
        Rule((*folds, "random_state"), (SEED,)),
        Rule(("evaluation", "metrics"), (), conversions.metrics(metrics)),
        Rule(("evaluation", "generate_plots"), (), require_value(True, messages.PLOTS_OFF)),
        Rule(
            ("evaluation", "prediction_intervals"),
            ((*diagnostics, "interval_coverage"),),
            conversions.prediction_intervals,
        ),
        Rule(("evaluation", "residual_analysis"), ((*diagnostics, "residuals"), (*diagnostics, "slices"))),
        Rule(("evaluation", "model_comparison"), (), require_value(True, messages.COMPARISON_OFF)),
        Rule(("persistence", "save_models"), (), require_value(True, messages.SAVING_OFF)),
        Rule(("persistence", "versioning_strategy"), (), require_value("semantic", messages.UNKNOWN_VERSIONING)),
        Rule(("persistence", "model_registry_path"), (("persistence", "registry_folder"),)),
        Rule(("persistence", "hdfs_model_path"), (("persistence", "base_uri"),)),
        Rule(("persistence", "export_formats"), (), conversions.export_formats),
    ]
    return {rule.key: rule for rule in rules}


SEED: Path = ("training", "seed")

FEATURE_TABLE_KEYS = {("data", "feature_columns"), ("data", "target_columns")}
"""Keys that name columns of the input, which then is a ready-made feature table."""

MODEL_NAMES = {
    "gradient_boosting": "gradient_boosted_trees",
    "gbt": "gradient_boosted_trees",
    "support_vector_regression": "svr",
}
"""Current name of each model that has a different name here."""

MODEL_KEYS = {"hyperparameter_tuning": "tune", "hyperparameter_grid": "grid"}
"""Current name of each key of a model that has a different name here."""

_EVERY_MODEL = {
    "random_state": HyperparameterRule(SEED),
    "n_jobs": HyperparameterRule(None, accept_fixed((None,), messages.N_JOBS, messages.N_JOBS_REFUSED)),
    "min_samples_split": HyperparameterRule(
        None, accept_fixed((2,), messages.MIN_SAMPLES_SPLIT, messages.MIN_SAMPLES_SPLIT_REFUSED)
    ),
    "max_leaf_nodes": HyperparameterRule(
        None, accept_fixed((None,), messages.MAX_LEAF_NODES, messages.MAX_LEAF_NODES_REFUSED)
    ),
    "warm_start": HyperparameterRule(None, accept_fixed((False,), messages.WARM_START, messages.WARM_START_REFUSED)),
    "positive": HyperparameterRule(None, accept_fixed((False,), messages.POSITIVE, messages.POSITIVE_REFUSED)),
    "copy_X": HyperparameterRule(None, accept_fixed((True,), messages.COPY_X, messages.COPY_X_REFUSED)),
}
_TREES = {
    "max_depth": HyperparameterRule("maxDepth", conversions.max_depth),
    "maxDepth": HyperparameterRule("maxDepth", conversions.max_depth),
    "min_samples_leaf": HyperparameterRule("minInstancesPerNode"),
    "max_features": HyperparameterRule("featureSubsetStrategy", conversions.max_features),
    "featureSubsetStrategy": HyperparameterRule("featureSubsetStrategy", replace_null("all")),
    "subsamplingRate": HyperparameterRule("subsamplingRate", replace_null(1.0)),
    "criterion": HyperparameterRule(
        None,
        accept_fixed(("squared_error", "friedman_mse", "mse"), messages.CRITERION, messages.CRITERION_REFUSED),
    ),
}
_BY_MODEL: Mapping[str, Mapping[str, HyperparameterRule]] = {
    "linear_regression": {
        "fit_intercept": HyperparameterRule("fitIntercept"),
        "max_iter": HyperparameterRule("maxIter"),
        "alpha": HyperparameterRule("regParam", conversions.alpha),
        "l1_ratio": HyperparameterRule("elasticNetParam"),
        "normalize": HyperparameterRule(None, conversions.normalize),
    },
    "random_forest": {
        **_TREES,
        "n_estimators": HyperparameterRule("numTrees"),
        "max_samples": HyperparameterRule("subsamplingRate", replace_null(1.0)),
        "bootstrap": HyperparameterRule(None, accept_fixed((True,), messages.BOOTSTRAP, messages.BOOTSTRAP_REFUSED)),
    },
    "gradient_boosted_trees": {
        **_TREES,
        "n_estimators": HyperparameterRule("maxIter"),
        "learning_rate": HyperparameterRule("stepSize"),
        "subsample": HyperparameterRule("subsamplingRate", replace_null(1.0)),
        "loss": HyperparameterRule("lossType", conversions.loss),
        "n_iter_no_change": HyperparameterRule(
            None, accept_fixed((None,), messages.N_ITER_NO_CHANGE, messages.N_ITER_NO_CHANGE_REFUSED)
        ),
        "validation_fraction": HyperparameterRule(None, refuse(messages.VALIDATION_FRACTION_REFUSED)),
    },
}


def hyperparameter_rules(model: str) -> dict[str, HyperparameterRule]:
    """Return the rules of a model's hyperparameters by scikit-learn's name.

    Hyperparameters without a rule have the same name and meaning here.
    """
    return {**_EVERY_MODEL, **_BY_MODEL.get(model, {})}


def names_at(path: Path) -> dict[str, str]:
    """Return the current name of each key that a scikit-learn-style configuration has at a path.

    A key that is now in another section has its full path as current name, a key without a current one its own name.
    """
    if path == ("models",):
        return dict(MODEL_NAMES)
    if path[:1] == ("models",) and len(path) == 2:
        return dict(MODEL_KEYS)
    if path[:1] == ("models",):
        model = path[-1] if "members" in path else path[1]
        rules = hyperparameter_rules(MODEL_NAMES.get(model, model))
        return {name: _join_path(rule.current) or name for name, rule in rules.items()}
    names = {}
    for rule in section_rules(()).values():
        if rule.key[: len(path)] == path and len(rule.key) > len(path) > 0:
            key = rule.key[len(path)]
            current = rule.current[0] if rule.current and len(rule.key) == len(path) + 1 else (*path, key)
            names[key] = current[-1] if current[:-1] == path else ".".join(current)
    return names


def _join_path(path: str | Path | None) -> str | None:
    return ".".join(path) if isinstance(path, tuple) else path
