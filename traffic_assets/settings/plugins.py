"""What installed packages add: algorithms, metrics and features by their entry points, and the settings with them.

`docs/extending.md` shows such a package. Nothing is looked up at import, since a plugin imports this package itself.
What an algorithm or a metric does lives in `ml`, a feature in `catalogue/extension.py`; storage backends are found in
`dagster_hdfs/backends.py`.
"""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar, Literal, get_args

from pydantic import ValidationError

from traffic_assets.settings.evaluation import EvaluationSettings, ThresholdsByModel
from traffic_assets.settings.gate import GateThresholds
from traffic_assets.settings.models.base import ModelSettings
from traffic_assets.settings.schema import ModelsSettings, Settings
from traffic_assets.settings.section import subsection, with_fields

ALGORITHM_GROUP, METRIC_GROUP = "traffic_assets.algorithms", "traffic_assets.metrics"
FEATURE_GROUP = "traffic_assets.features"
KINDS = {ALGORITHM_GROUP: "Algorithm", METRIC_GROUP: "Metric", FEATURE_GROUP: "Feature"}
"""What an entry point of each group gives."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")
METRIC_NAMES: tuple[str, ...] = get_args(EvaluationSettings.model_fields["primary_metric"].annotation)
DESCRIBING = ("bias", "p95")
"""Metrics that are told and choose nothing."""

TAKEN_METRIC_NAMES = (*METRIC_NAMES, *DESCRIBING, "rows", "extra")
"""Names that no metric of a plugin can have: those of `ml.metrics.Metrics`."""


class PluginWarning(UserWarning):
    """A plugin is installed and cannot be used."""


@dataclass(frozen=True)
class Extension:
    """What an entry point gives; `Algorithm` and `Metric` in `ml` are such.

    Attributes:
        group: entry point group that it belongs in.
        name: in settings, asset keys, paths and metadata; its entry point is called the same.
        title: its name for people.
    """

    group: ClassVar[str] = ""
    name: str
    title: str

    @classmethod
    def taken_names(cls) -> tuple[str, ...]:
        """Return the names that no extension of this kind can have."""
        return ()


@dataclass(frozen=True)
class Plugin:
    """One entry point of an installed package.

    Attributes:
        group: of entry points.
        name: of the entry point.
        source: what it points at, as `module:object`.
        distribution: name of the package.
        version: of the package.
        extension: what it gives, if that can be used.
        problem: else, why not.
    """

    group: str
    name: str
    source: str
    distribution: str
    version: str
    extension: Extension | None
    problem: str | None

    @property
    def package(self) -> str:
        """The package with its version."""
        return f"{self.distribution} {self.version}"

    def __str__(self) -> str:
        return f"{self.name} of {self.package} (entry point {self.name} = {self.source} in {self.group})"


@cache
def plugins(group: str) -> tuple[Plugin, ...]:
    """What installed packages offer in a group, usable or not, by name; imported once a process."""
    points = sorted(entry_points(group=group), key=lambda point: (point.name, _package(point)))
    return tuple(_plugin(point, [_package(p) for p in points if p.name == point.name]) for point in points)


def usable(group: str) -> dict[str, Any]:
    """The extensions of a group that can be used, by name."""
    return {plugin.name: plugin.extension for plugin in plugins(group) if plugin.extension is not None}


def unusable_at(path: Sequence[str]) -> Plugin | None:
    """The plugin that a path of the settings names and that cannot be used."""
    for section in (("models",), ("evaluation", "thresholds"), ("evaluation", "targets")):
        if tuple(path[: len(section)]) == section and len(path) > len(section):
            return _unusable(ALGORITHM_GROUP, path[len(section)])
    return _unusable(METRIC_GROUP, path[2]) if tuple(path[:2]) == ("evaluation", "primary_metric") else None


@cache
def settings_class() -> type[Settings]:
    """The settings with the sections of every usable plugin; warns once of each that is not.

    An algorithm gets a section in `models` and one in `evaluation.thresholds` with its own thresholds as
    defaults; a metric may be the primary one.
    """
    for plugin in (plugin for group in KINDS for plugin in plugins(group)):
        if plugin.problem:
            warnings.warn(f"left out: {plugin}: {plugin.problem}", PluginWarning, stacklevel=2)
    algorithms, metrics = usable(ALGORITHM_GROUP), usable(METRIC_GROUP)
    if not algorithms and not metrics:
        return Settings
    models = with_fields({name: subsection(a.settings) for name, a in algorithms.items()})(ModelsSettings)
    gates = {name: (GateThresholds, a.settings.default_thresholds()) for name, a in algorithms.items()}
    primary = EvaluationSettings.model_fields["primary_metric"].default
    evaluation = with_fields(
        {
            "thresholds": subsection(with_fields(gates)(ThresholdsByModel)),
            "primary_metric": (Literal[(*METRIC_NAMES, *metrics)], primary),
        }
    )(EvaluationSettings)
    return with_fields({"models": subsection(models), "evaluation": subsection(evaluation)})(Settings)


def _package(point: EntryPoint) -> tuple[str, str]:
    """Name and version of the package that an entry point is of."""
    return (point.dist.name, point.dist.version) if point.dist else ("an unknown package", "")


def _plugin(point: EntryPoint, packages: Sequence[tuple[str, str]]) -> Plugin:
    extension, problem = None, None
    if len(packages) > 1:
        problem = f"{' and '.join(name for name, _ in packages)} give the same name: uninstall all but one"
    else:
        try:
            loaded = point.load()
            problem = _problem(point, loaded)
            extension = None if problem else loaded
        except Exception as error:  # whatever somebody's module raises at import
            problem = f"it cannot be imported: {type(error).__name__}: {error}"
    return Plugin(point.group, point.name, point.value, *_package(point), extension, problem)


def _problem(point: EntryPoint, loaded: Any) -> str | None:
    kind, name = KINDS[point.group], point.name
    if not isinstance(loaded, Extension) or loaded.group != point.group:
        given = f"the class {loaded.__name__}" if isinstance(loaded, type) else f"of type {type(loaded).__name__}"
        return f"the entry point gives no {kind}; what it gives is {given}"
    if loaded.name != name:
        return f"the {kind} is named {loaded.name!r}, its entry point {name!r}: give both one name"
    taken = {ALGORITHM_GROUP: ModelsSettings.model_fields, METRIC_GROUP: TAKEN_METRIC_NAMES}.get(
        point.group, loaded.taken_names()
    )
    if name in taken:
        return f"{name!r} is built in: choose a name other than {', '.join(taken)}"
    if not _NAME.fullmatch(name) or hasattr(ModelsSettings, name) or name == "profile":
        return f"{name!r} cannot be a name: use lower-case letters, digits and _, and no name of a pydantic method"
    return _problem_of_settings(loaded) if point.group == ALGORITHM_GROUP else None


def _problem_of_settings(algorithm: Any) -> str | None:
    section = algorithm.settings
    if not isinstance(section, type) or not issubclass(section, ModelSettings):
        return f"its settings are {section!r}; a subclass of ModelSettings is needed"
    try:
        section.model_validate({})
        section.default_thresholds()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or section.__name__
        return f"its settings have no valid defaults: {where}: {first['msg']}"
    except TypeError as error:
        return f"its gate cannot be read: {error}"
    return None


def _unusable(group: str, name: str) -> Plugin | None:
    if name in (*ModelsSettings.model_fields, *METRIC_NAMES):
        return None  # ours, whatever else took its name
    return next((p for p in plugins(group) if p.name == name and p.problem), None)
