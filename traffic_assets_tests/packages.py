"""Third-party packages for one test: the files that pip would install, written without pip.

A package that pip really builds and installs is in `test_plugins.py`.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from traffic_assets.dagster_hdfs.backends import backends
from traffic_assets.settings.plugins import plugins, settings_class

Install = Callable[..., None]

ALGORITHM = """
from traffic_assets.ml.algorithm import Algorithm
from traffic_assets.settings.models.base import Hyperparameters, ModelSettings

class Knobs(Hyperparameters):
    depth: int = 3

class Section(ModelSettings):
    hyperparameters: Knobs = Knobs()

def algorithm(name, settings=Section):
    return Algorithm(
        name=name, title=name.title(), kind="alternative", settings=settings, build=None,
        model_class="pyspark.ml.regression.DecisionTreeRegressionModel", importances=None, importance_kind="",
        describe=None,
    )

ACME = algorithm("acme")
"""
METRIC = """
from traffic_assets.ml.metrics.spec import Metric

def error(y, p):
    from pyspark.sql import functions as F
    return F.avg(F.abs(p - y))

FAR = Metric(name="far", title="Far", unit="mph", better="high", aggregate=error)
"""
"""The mean absolute error, declared as higher is better, so that it selects the worst model."""


@contextmanager
def installing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Yield `install(name, code, {group: {entry point: object}})`; all packages are gone after the block."""
    monkeypatch.syspath_prepend(str(folder))
    modules = []

    def install(name: str, code: str, groups: Mapping[str, Mapping[str, str]]) -> None:
        module = name.replace("-", "_")
        modules.append(module)
        (folder / f"{module}.py").write_text(code)
        info = folder / f"{module}-2.1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.1\n")
        points = [
            f"[{group}]\n" + "".join(f"{point} = {module}:{target}\n" for point, target in objects.items())
            for group, objects in groups.items()
        ]
        (info / "entry_points.txt").write_text("\n".join(points))
        _forget()

    try:
        yield install
    finally:
        monkeypatch.undo()
        for module in modules:
            sys.modules.pop(module, None)
        _forget()


def _forget() -> None:
    for cached in (plugins, settings_class, backends):
        cached.cache_clear()
