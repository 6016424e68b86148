"""Plugins: algorithms, metrics and features of installed packages, by entry point, and the settings that include them.

`docs/extending.md` shows such a package. Plugins are looked up when they are needed, not at import, because a plugin
imports this package itself. Algorithms and metrics are defined in `ml`, features in `catalogue/extension.py`; storage
backends are in `dagster_hdfs/backends.py`.
"""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar, Literal, get_args

from pydantic import ValidationError

from traffic_assets.dagster_hdfs.message import CodedText, error_text
from traffic_assets.messages import plugins as messages
from traffic_assets.settings.evaluation import EvaluationSettings, ThresholdsByModel
from traffic_assets.settings.gate import GateThresholds
from traffic_assets.settings.models.base import ModelSettings
from traffic_assets.settings.schema import ModelsSettings, Settings
from traffic_assets.settings.section import subsection, with_fields

ALGORITHM_GROUP, METRIC_GROUP = "traffic_assets.algorithms", "traffic_assets.metrics"
FEATURE_GROUP = "traffic_assets.features"
KINDS = {ALGORITHM_GROUP: "Algorithm", METRIC_GROUP: "Metric", FEATURE_GROUP: "Feature"}
"""Class of the objects that the entry points of a group provide, by group."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")
METRIC_NAMES: tuple[str, ...] = get_args(EvaluationSettings.model_fields["primary_metric"].annotation)
DESCRIBING = ("bias", "p95")
"""Metrics that describe a model and are never the primary one."""

TAKEN_METRIC_NAMES = (*METRIC_NAMES, *DESCRIBING, "rows", "extra")
"""Names that a plugin's metric cannot have: the fields of `ml.metrics.Metrics`."""


class PluginWarning(UserWarning):
    """Warning about an installed plugin that cannot be used."""


@dataclass(frozen=True)
class Extension:
    """Base class of the objects that entry points provide, such as `Algorithm` and `Metric` in `ml`.

    Attributes:
        group: Entry point group.
        name: Name in settings, asset keys, paths and metadata, and of the entry point.
        title: Name for people.
    """

    group: ClassVar[str] = ""
    name: str
    title: str

    @classmethod
    def taken_names(cls) -> tuple[str, ...]:
        """Return the names that an extension of this kind cannot have."""
        return ()


@dataclass(frozen=True)
class Plugin:
    """An entry point of an installed package.

    Attributes:
        group: Group of the entry point.
        name: Name of the entry point.
        source: Object that it refers to, as `module:object`.
        distribution: Name of the package.
        version: Version of the package.
        extension: Extension that it provides, if it can be used.
        problem: Reason why it cannot be used; otherwise None.
    """

    group: str
    name: str
    source: str
    distribution: str
    version: str
    extension: Extension | None
    problem: CodedText | None

    @property
    def left_out(self) -> CodedText | None:
        """The message that the plugin is left out, with the reason; None if it can be used."""
        return self.problem and self.problem.with_prefix(f"{self} is left out: ", plugin=str(self))

    @property
    def package(self) -> str:
        """Name and version of the package."""
        return f"{self.distribution} {self.version}"

    def __str__(self) -> str:
        return f"{self.name} of {self.package} (entry point {self.name} = {self.source} in {self.group})"


@cache
def plugins(group: str) -> tuple[Plugin, ...]:
    """Return the plugins of a group, sorted by name, usable or not; each is imported once per process."""
    points = sorted(entry_points(group=group), key=lambda point: (point.name, _package(point)))
    return tuple(_plugin(point, [_package(p) for p in points if p.name == point.name]) for point in points)


def select_usable(group: str) -> dict[str, Any]:
    """Return the extensions of a group that can be used, by name."""
    return {plugin.name: plugin.extension for plugin in plugins(group) if plugin.extension is not None}


def find_unusable(path: Sequence[str]) -> Plugin | None:
    """Return the plugin that a path of the settings names, if it cannot be used."""
    for section in (("models",), ("evaluation", "thresholds"), ("evaluation", "targets")):
        if tuple(path[: len(section)]) == section and len(path) > len(section):
            return _find_unusable(ALGORITHM_GROUP, path[len(section)])
    if tuple(path[:2]) == ("evaluation", "primary_metric") and len(path) > 2:
        return _find_unusable(METRIC_GROUP, path[2])
    return None


@cache
def settings_class() -> type[Settings]:
    """Return the class of the settings with the sections of every usable plugin, and warn once about every other one.

    An algorithm gets a section in `models`, and one in `evaluation.thresholds` with its own thresholds as defaults. A
    metric can be the primary one.
    """
    for plugin in (plugin for group in KINDS for plugin in plugins(group)):
        if plugin.left_out:
            warnings.warn(plugin.left_out, PluginWarning, stacklevel=2)
    algorithms, metrics = select_usable(ALGORITHM_GROUP), select_usable(METRIC_GROUP)
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
    """Return name and version of an entry point's package."""
    return (point.dist.name, point.dist.version) if point.dist else ("an unknown package", "")


def _plugin(point: EntryPoint, packages: Sequence[tuple[str, str]]) -> Plugin:
    extension, problem = None, None
    if len(packages) > 1:
        problem = messages.DUPLICATE_NAME(name=point.name, packages=[name for name, _ in packages])
    else:
        try:
            loaded = point.load()
            problem = _find_problem(point, loaded)
            extension = None if problem else loaded
        except Exception as error:  # a plugin's module can raise anything at import
            problem = messages.IMPORT_FAILED(error=f"{type(error).__name__}: {error}")
    return Plugin(point.group, point.name, point.value, *_package(point), extension, problem)


def _find_problem(point: EntryPoint, loaded: Any) -> CodedText | None:
    kind, name = KINDS[point.group], point.name
    if not isinstance(loaded, Extension) or loaded.group != point.group:
        actual = f"the class {loaded.__name__}" if isinstance(loaded, type) else f"of type {type(loaded).__name__}"
        return messages.WRONG_KIND(kind=kind, given=actual)
    if loaded.name != name:
        return messages.NAME_MISMATCH(kind=kind, name=loaded.name, entry_point=name)
    taken = {ALGORITHM_GROUP: ModelsSettings.model_fields, METRIC_GROUP: TAKEN_METRIC_NAMES}.get(
        point.group, loaded.taken_names()
    )
    if name in taken:
        return messages.BUILT_IN_NAME(name=name, taken=list(taken))
    if not _NAME.fullmatch(name) or hasattr(ModelsSettings, name) or name == "profile":
        return messages.INVALID_NAME(name=name)
    return _find_settings_problem(loaded) if point.group == ALGORITHM_GROUP else None


def _find_settings_problem(algorithm: Any) -> CodedText | None:
    section = algorithm.settings
    if not isinstance(section, type) or not issubclass(section, ModelSettings):
        return messages.WRONG_SETTINGS(settings=repr(section))
    if section.requested is not ModelSettings.requested:  # nothing calls it, so the override would be ignored
        return messages.OVERRIDES_OLD_METHOD(attribute=f"{section.__name__}.requested", new="override_hyperparameters")
    try:
        section.model_validate({})
        section.default_thresholds()
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or section.__name__
        return messages.INVALID_DEFAULTS(key=key, reason=first["msg"].removesuffix("."))
    except TypeError as error:
        return messages.UNREADABLE_GATE(reason=error_text(error))
    return None


def _find_unusable(group: str, name: str) -> Plugin | None:
    if name in (*ModelsSettings.model_fields, *METRIC_NAMES):
        return None  # a built-in one, even if a plugin took its name
    return next((p for p in plugins(group) if p.name == name and p.problem), None)
