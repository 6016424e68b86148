"""The users' earlier JSON configuration, in our terms: scikit-learn's names, ratios, switches.

Every key of it acts, is told to be the same as what happens anyhow, or is refused with the nearest thing that works;
none is dropped without a word. What our own keys mean is in the file of each section; keys that are ours already stay
as they are.
"""

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from traffic_assets.settings.plugins import (
    ALGORITHM_GROUP,
    DESCRIBING,
    METRIC_GROUP,
    METRIC_NAMES,
    settings_class,
    usable,
)

Path = tuple[str, ...]
NO_DEPTH_LIMIT = 30
"""What stands for scikit-learn's `max_depth: null`: the deepest that MLlib grows."""

MODEL_NAMES = {
    "gradient_boosting": "gradient_boosted_trees",
    "gbt": "gradient_boosted_trees",
    "support_vector_regression": "svr",
}
_TREES = {
    "max_depth": "maxDepth",
    "min_samples_leaf": "minInstancesPerNode",
    "max_features": "featureSubsetStrategy",
}
HYPERPARAMETER_NAMES: dict[str, dict[str, str]] = {
    "linear_regression": {"fit_intercept": "fitIntercept", "max_iter": "maxIter", "alpha": "regParam"}
    | {"l1_ratio": "elasticNetParam"},
    "random_forest": _TREES | {"n_estimators": "numTrees", "max_samples": "subsamplingRate"},
    "gradient_boosted_trees": _TREES
    | {"n_estimators": "maxIter", "learning_rate": "stepSize", "subsample": "subsamplingRate"}
    | {"loss": "lossType"},
}
"""By model: scikit-learn's name -> ours. XGBoost's and the support vectors' names are the same in both."""

_NULLS = {"maxDepth": NO_DEPTH_LIMIT, "featureSubsetStrategy": "all", "subsamplingRate": 1.0}
_LOSSES = {"squared_error": "squared", "ls": "squared", "absolute_error": "absolute", "lad": "absolute"}
_ALPHA = (
    "is regParam, which weighs against half the mean squared error, as in Lasso and ElasticNet; MLlib divides the part "
    "on squares by the target's standard deviation, and Ridge's alpha weighs against a sum: for a ridge give alpha "
    "times that deviation, divided by the number of rows"
)
_AUTO = (
    "auto is all features, as scikit-learn's regressors had it; MLlib's own auto, a third of them in a forest, is "
    "featureSubsetStrategy: auto"
)
Fixed = tuple[tuple[Any, ...], str]
"""The values that come to what happens anyhow, and what to say of them and of any other."""

_FIXED: dict[str, Fixed] = {
    "n_jobs": ((None,), "Spark decides what runs at once; set spark.master, such as local[4]"),
    "min_samples_split": ((2,), "MLlib asks for rows in the children: minInstancesPerNode (min_samples_leaf)"),
    "max_leaf_nodes": ((None,), "MLlib limits the levels: maxDepth (max_depth)"),
    "warm_start": ((False,), "one fit already answers for the smaller ones (training.search.share_fits)"),
    "positive": ((False,), "MLlib has no such limit; leave it out"),
    "copy_X": ((True,), "Spark never changes its input; leave it out"),
}
_CRITERION: Fixed = (
    ("squared_error", "friedman_mse", "mse"),
    "MLlib's regression trees split by the variance; leave it out",
)
_FIXED_OF: dict[str, dict[str, Fixed]] = {
    "random_forest": {
        "criterion": _CRITERION,
        "bootstrap": ((True,), "every tree is grown on rows drawn with replacement; leave it out"),
    },
    "gradient_boosted_trees": {
        "criterion": _CRITERION,
        "n_iter_no_change": ((None,), "boosting ends early by earlyStopping true, with validationTol"),
        "validation_fraction": ((), "rows that end a fit are half of the validation split: training.split.validation"),
    },
}
"""Of every model, and of some: scikit-learn's names of what nobody can choose here under them."""

_FOREIGN = {
    "data": {
        "train_ratio", "val_ratio", "test_ratio", "feature_columns", "target_columns", "time_column",
    },
    "training": {"primary_metric", "cross_validation"},
    "evaluation": {
        "metrics", "generate_plots", "prediction_intervals", "residual_analysis", "model_comparison",
    },
    "persistence": {
        "save_models", "versioning_strategy", "model_registry_path", "hdfs_model_path", "export_formats",
    },
}  # fmt: skip
_FORMATS = ("spark", "pickle", "onnx", "pmml")
_LINEAR, _ENSEMBLE = "linear_regression", "ensemble"


@dataclass
class Translation:
    """A configuration in our terms.

    Attributes:
        content: the nested mapping that `schema.py` knows.
        told: what means something a little different here, a sentence each.
        refused: what has no meaning here: path, what was given, and what works.
        origins: our path -> the users', where they differ, for the messages of later checks.
        foreign: the first key in the users' terms, if there is any.
        lists: the models that the file lists, if there is such a key: the others do not run.
        ready_made: whether it names columns of the source, which then holds a feature table.
    """

    content: dict[str, Any]
    told: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    origins: dict[Path, Path] = field(default_factory=dict)
    foreign: Path | None = None
    lists: frozenset[str] | None = None
    ready_made: bool = False

    def set(self, ours: Path, value: Any, theirs: Path) -> None:
        """Put a value at our path; refused where another value stands there already."""
        at: Any = self.content
        for key in ours[:-1]:
            at = at.setdefault(key, {})
            if not isinstance(at, dict):
                return  # no section at all, as the validation will say
        if ours[-1] in at and at[ours[-1]] != value:
            given = ".".join(self.origins.get(ours, ours))
            self.refuse(theirs, value, f"{given} says {at[ours[-1]]!r}; both mean {'.'.join(ours)}, keep one")
            return
        at[ours[-1]] = value
        self.origins[ours] = theirs

    def met(self, theirs: Path) -> None:
        """A key in the users' terms; the first makes the file one of theirs."""
        self.foreign = self.foreign or theirs

    def tell(self, path: Path, what: str) -> None:
        """A key that acts otherwise than its name may promise."""
        self.told.append(f"{'.'.join(path)}: {what}")

    def refuse(self, path: Path, given: Any, what: str) -> None:
        """A key that cannot act."""
        self.refused.append(f"{'.'.join(path)}: given {given!r}; {what}")


def translate(content: Mapping[str, Any]) -> Translation:
    """A configuration with its foreign keys turned into ours; without any it comes back as it is."""
    found = Translation(copy.deepcopy(dict(content)))
    for section, keys in _FOREIGN.items():
        given = found.content.get(section)
        if isinstance(given, dict):
            for key in [k for k in given if k in keys]:
                found.met((section, key))
                _KEYS[section, key](found, given.pop(key))
    models = found.content.get("models")
    if isinstance(models, dict):
        _models(found, models)
        found.lists = frozenset(models) if found.foreign else None
    return found


def completed(content: Mapping[str, Any], files: Translation) -> dict[str, Any]:
    """What the users' files leave unsaid, once all layers of the settings are merged.

    Args:
        content: of all layers, in our terms.
        files: what their files say.
    """
    if files.ready_made and isinstance(data := content.get("data"), Mapping):
        content = {**content, "data": {"kind": "features", **data}}
    models, lists = content.get("models"), files.lists
    if lists is None or not isinstance(models, Mapping):
        return dict(content)
    models = {**models, **{name: _over({"enabled": False}, models.get(name)) for name in _unlisted(models, lists)}}
    linear = models.get(_LINEAR)
    if not {_LINEAR, _ENSEMBLE}.isdisjoint(lists) and isinstance(linear, Mapping) and not _has_penalty(linear):
        models[_LINEAR] = {**linear, "hyperparameters": _over({"regParam": 0.0}, linear.get("hyperparameters"))}
    return {**content, "models": models}


def switched_off(content: Mapping[str, Any], files: Translation) -> list[str]:
    """What to tell of models that are off for no other reason than that the users' files list others.

    Args:
        content: of all layers, in our terms.
        files: what their files say.
    """
    models = content.get("models")
    if files.lists is None or files.foreign is None or not isinstance(models, Mapping):
        return []
    off = ", ".join(_unlisted(models, files.lists))
    why = f"{'.'.join(files.foreign)} is a key of the earlier configuration, whose files list the models that run"
    return [f"models: not listed, so off: {off}; {why}; list them too, or set their enabled"] if off else []


def _unlisted(models: Mapping[str, Any], lists: Iterable[str]) -> list[str]:
    """Models that would run, of which neither the lists nor a switch says anything."""
    switched = {name for name, model in models.items() if isinstance(model, Mapping) and "enabled" in model}
    defaults = settings_class()().models.named()
    return [n for n, model in defaults.items() if model.enabled and n not in lists and n not in switched]


def _over(default: dict[str, Any], given: Any) -> Any:
    """What is given, over a default; what is no mapping stays, for the validation to refuse."""
    return {**default, **given} if isinstance(given, Mapping) else default if given is None else given


def _has_penalty(linear: Mapping[str, Any]) -> bool:
    """Whether settings of the linear regression name a penalty; scikit-learn's LinearRegression has none."""
    sections = [linear.get(name) for name in ("hyperparameters", "grid")]
    named = {name for section in sections if isinstance(section, Mapping) for name in section}
    return bool(linear.get("penalty")) or not named.isdisjoint(("regParam", "elasticNetParam"))


def _ratio(ours: str, theirs: str) -> Callable[[Translation, Any], None]:
    return lambda found, value: found.set(("training", "split", ours), value, ("data", theirs))


def _feature_columns(found: Translation, value: Any) -> None:
    found.ready_made = True
    at = ("data", "feature_columns")
    if value is None or (isinstance(value, list) and "auto_detect" in value and len(value) > 1):
        found.refuse(at, value, "give ['auto_detect'] alone for all of them, or the names of those to train on")
    elif value != ["auto_detect"]:
        found.set(("training", "features"), value, at)


def _target_columns(found: Translation, value: Any) -> None:
    found.ready_made = True
    found.set(("training", "targets"), value, ("data", "target_columns"))


def _time_column(found: Translation, value: Any) -> None:
    if not isinstance(value, str):
        found.refuse(("data", "time_column"), value, "give the name of a column")
    elif value != "timestamp":
        found.set(("data", "aliases", value), "timestamp", ("data", "time_column"))


def _primary_metric(found: Translation, value: Any) -> None:
    found.set(("evaluation", "primary_metric"), value, ("training", "primary_metric"))


def _cross_validation(found: Translation, value: Any) -> None:
    at = ("training", "cross_validation")
    if not isinstance(value, Mapping):
        found.refuse(at, value, "give an object with folds, shuffle and random_state")
        return
    for key, given in value.items():
        if key == "folds":
            found.set(("training", "folds"), given, (*at, key))
        elif key == "random_state":
            _seed(found, given, (*at, key))
        elif key == "shuffle":
            if given is True:
                found.set(("training", "fold_kind"), "random", (*at, key))
            else:
                found.refuse(
                    (*at, key), given, "folds in the order of time are training.fold_kind expanding or sliding"
                )
        elif key == "enabled":
            if given is not True:
                found.refuse((*at, key), given, "the best model is chosen by cross-validation; the least is folds: 2")
        else:
            found.refuse((*at, key), given, "allowed here: enabled, folds, shuffle, random_state")


def _seed(found: Translation, value: Any, theirs: Path) -> None:
    found.set(("training", "seed"), value, theirs)


def _metrics(found: Translation, value: Any) -> None:
    at = ("evaluation", "metrics")
    known = (*METRIC_NAMES, *DESCRIBING, *usable(METRIC_GROUP))
    if not isinstance(value, list) or (unknown := [m for m in value if m not in known]):
        given = value if not isinstance(value, list) else unknown
        found.refuse(at, given, f"the metrics are {', '.join(known)}, and another package may add more")
    elif not set(METRIC_NAMES) <= set(value):
        found.tell(at, f"all of {', '.join(known)} are computed, in the same pass")


def _intervals(found: Translation, value: Any) -> None:
    at, ours = ("evaluation", "prediction_intervals"), ("evaluation", "diagnostics", "interval_coverage")
    if isinstance(value, bool):
        found.set(ours, 0.9 if value else None, at)
    elif isinstance(value, int | float) and 0 < value < 1:
        found.set(ours, value, at)
    else:
        found.refuse(
            at, value, "give true (intervals that hold 0.9 of the rows), false, or that share, above 0, below 1"
        )


def _residuals(found: Translation, value: Any) -> None:
    for ours in ("residuals", "slices"):
        found.set(("evaluation", "diagnostics", ours), value, ("evaluation", "residual_analysis"))


def _always(section: str, key: str, instead: str) -> Callable[[Translation, Any], None]:
    """A switch of something that always happens."""

    def switch(found: Translation, value: Any) -> None:
        if value is not True:
            found.refuse((section, key), value, instead)

    return switch


def _versioning(found: Translation, value: Any) -> None:
    if value != "semantic":
        found.refuse(("persistence", "versioning_strategy"), value, "versions are semantic: v1.0.0, v1.1.0, ...")


def _registry_path(found: Translation, value: Any) -> None:
    found.set(("persistence", "registry_folder"), value, ("persistence", "model_registry_path"))


def _model_path(found: Translation, value: Any) -> None:
    found.set(("persistence", "base_uri"), value, ("persistence", "hdfs_model_path"))


def _export_formats(found: Translation, value: Any) -> None:
    at = ("persistence", "export_formats")
    if not isinstance(value, list) or (unknown := [f for f in value if f not in _FORMATS]):
        given = value if not isinstance(value, list) else unknown
        found.refuse(at, given, "the format that is written is spark; give ['spark']")
        return
    if not value:
        found.tell(at, "every version holds the model in Spark's own format all the same")
    if "pickle" in value:
        found.tell(at, "a pickle runs code when it is loaded: the model is stored in Spark's own format instead")
    if others := [f for f in value if f in ("onnx", "pmml")]:
        found.tell(at, f"{' and '.join(others)}: not written yet; every version holds the model in Spark's own format")


_KEYS: dict[tuple[str, str], Callable[[Translation, Any], None]] = {
    ("data", "train_ratio"): _ratio("train", "train_ratio"),
    ("data", "val_ratio"): _ratio("validation", "val_ratio"),
    ("data", "test_ratio"): _ratio("test", "test_ratio"),
    ("data", "feature_columns"): _feature_columns,
    ("data", "target_columns"): _target_columns,
    ("data", "time_column"): _time_column,
    ("training", "primary_metric"): _primary_metric,
    ("training", "cross_validation"): _cross_validation,
    ("evaluation", "metrics"): _metrics,
    ("evaluation", "generate_plots"): _always(
        "evaluation", "generate_plots", "the pictures are part of every evaluation; leave it out"
    ),
    ("evaluation", "prediction_intervals"): _intervals,
    ("evaluation", "residual_analysis"): _residuals,
    ("evaluation", "model_comparison"): _always(
        "evaluation", "model_comparison", "to go without it, materialize the models and not model_comparison"
    ),
    ("persistence", "save_models"): _always(
        "persistence", "save_models", "to keep no model, materialize the evaluations and no registry entry"
    ),
    ("persistence", "versioning_strategy"): _versioning,
    ("persistence", "model_registry_path"): _registry_path,
    ("persistence", "hdfs_model_path"): _model_path,
    ("persistence", "export_formats"): _export_formats,
}


def _models(found: Translation, models: dict[str, Any]) -> None:
    """Translate the models' sections."""
    added = usable(ALGORITHM_GROUP)
    for theirs in list(models):
        given = models[theirs]
        name = theirs if theirs in added else MODEL_NAMES.get(theirs, theirs)
        if name != theirs:
            if name in models:
                found.refuse(("models", theirs), "...", f"models.{name} means the same; keep one")
                continue
            models[name] = models.pop(theirs)
            found.origins["models", name] = ("models", theirs)
            found.met(("models", theirs))
        if isinstance(given, Mapping):
            # what the hyperparameters of another package's algorithm mean, it says itself
            sections = () if name in added else ("hyperparameters", "grid")
            models[name] = _model(found, name, ("models", theirs), given, sections)


def _model(
    found: Translation, name: str, at: Path, given: Mapping[str, Any], sections: Iterable[str]
) -> dict[str, Any]:
    model = dict(given)
    for theirs, ours in (("hyperparameter_tuning", "tune"), ("hyperparameter_grid", "grid")):
        if theirs in model:
            value = model.pop(theirs)
            if ours in model and model[ours] != value:
                path = ".".join((*at, ours))
                found.refuse((*at, theirs), value, f"{path} says {model[ours]!r}; both mean the same, keep one")
                continue
            model[ours] = value
            found.origins["models", name, ours] = (*at, theirs)
            found.met((*at, theirs))
    for ours in sections:
        if isinstance(values := model.get(ours), Mapping):
            theirs = "hyperparameter_grid" if "hyperparameter_grid" in given and ours == "grid" else ours
            here = ("models", name, ours)
            model[ours] = _hyperparameters(found, name, (*at, theirs), values, here)
    return model


def _hyperparameters(found: Translation, name: str, at: Path, values: Mapping[str, Any], here: Path) -> dict[str, Any]:
    """The hyperparameters of a model, or their values in a grid, in our terms.

    Args:
        found: what is told and refused on the way.
        name: of the model.
        at: the path under which they are given.
        values: what is given.
        here: our path of them; right in a grid each is a list of values to try.
    """
    grid, fixed = here[-1] == "grid", _FIXED | _FIXED_OF.get(name, {})
    names, result = HYPERPARAMETER_NAMES.get(name, {}), dict[str, Any]()
    for theirs, value in values.items():
        ours, path = names.get(theirs, theirs), (*at, theirs)
        if theirs == "random_state":
            if "grid" in here:
                found.refuse(path, value, "a seed is not searched; training.seed is the one for all")
            else:
                _seed(found, value, path)
        elif theirs == "normalize" and name == "linear_regression":
            if not all(isinstance(each, bool) for each in (value if grid and isinstance(value, list) else [value])):
                found.refuse(path, value, "give true or false, or leave it out")
            elif value is not True:
                found.tell(
                    path,
                    "features are scaled before every fit (training.preprocessing.scaler); without a penalty the "
                    "predictions are the same, with one (alpha, l1_ratio) they are not",
                )
        elif theirs in fixed:
            same, what = fixed[theirs]
            if any(each not in same for each in (value if grid and isinstance(value, list) else [value])):
                found.refuse(path, value, what)
            else:
                found.tell(path, what)
        elif name == _ENSEMBLE and theirs in ("members", "weights"):
            result[theirs] = _by_member(found, path, value, (*here, theirs))
        elif ours in result:
            found.refuse(path, value, f"{ours} is given twice; keep one")
        else:
            if name in HYPERPARAMETER_NAMES:
                value = _in_our_words(found, path, ours, value)
            result[ours] = value
            if ours != theirs:
                found.origins[*here, ours] = path
        if theirs not in result:
            found.met(path)
    return result


def _by_member(found: Translation, at: Path, given: Any, here: Path) -> Any:
    """What an ensemble is given for each member, its hyperparameters or its weight; of a grid, a list of such."""
    if isinstance(given, list):
        return [_by_member(found, (*at, str(i)), each, (*here, str(i))) for i, each in enumerate(given)]
    if not isinstance(given, Mapping):
        return given
    result: dict[str, Any] = {}
    for theirs, value in given.items():
        name = MODEL_NAMES.get(str(theirs), str(theirs))
        if name in result:
            found.refuse((*at, theirs), value, f"{name} is given twice; keep one")
            continue
        result[name] = value
        if isinstance(value, Mapping):
            result[name] = _hyperparameters(found, name, (*at, theirs), value, (*here, name))
        if name != theirs:
            found.met((*at, theirs))
    return result


def _in_our_words(found: Translation, path: Path, ours: str, value: Any) -> Any:
    """The value, or the values of a grid, in our words; told where scikit-learn's mean something else."""
    values = value if isinstance(value, list) else [value]
    if path[-1] == "alpha" and any(each != 0 for each in values):
        found.tell(path, _ALPHA)
    if path[-1] == "max_features" and "auto" in values:
        found.tell(path, _AUTO)
        values = ["all" if each == "auto" else each for each in values]
    if path[-1] == "loss":
        values = [_LOSSES.get(each, each) if isinstance(each, str) else each for each in values]
    if ours in _NULLS:
        if ours == "maxDepth" and None in values:
            found.tell(path, f"null is {NO_DEPTH_LIMIT}, the deepest that Spark MLlib grows a tree")
        values = [_NULLS[ours] if each is None else each for each in values]
    return values if isinstance(value, list) else values[0]
