"""Acme's additions to traffic_assets: an algorithm, a metric and a storage backend.

The module is imported whenever settings are read, so pyspark is imported only when a fit needs it.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from traffic_assets.dagster_hdfs.filesystem import FileStatus, FileSystem, LocalFileSystem
from traffic_assets.ml.algorithm import Algorithm
from traffic_assets.ml.metrics.spec import Metric
from traffic_assets.settings.gate import GateThresholds
from traffic_assets.settings.models.base import Grid, Hyperparameters, ModelSettings

if TYPE_CHECKING:
    from pyspark.ml.regression import DecisionTreeRegressor
    from pyspark.sql import Column, SparkSession


class DecisionTreeHyperparameters(Hyperparameters):
    """MLlib's DecisionTreeRegressor: names, ranges and defaults."""

    maxDepth: Annotated[int, Field(ge=1, le=30)] = 5
    maxBins: Annotated[int, Field(ge=2)] = 32


class DecisionTreeSettings(ModelSettings):
    """The section `models.decision_tree`; with `enabled: bool = False` the lane would be off by default."""

    thresholds: ClassVar[GateThresholds] = GateThresholds(rmse_max=50.0)
    hyperparameters: DecisionTreeHyperparameters = DecisionTreeHyperparameters()
    grid: Grid = {"maxDepth": [3, 5, 8]}


def _build(h: DecisionTreeHyperparameters, seed: int, target: str, vector: str) -> "DecisionTreeRegressor":
    from pyspark.ml.regression import DecisionTreeRegressor

    return DecisionTreeRegressor(featuresCol=vector, labelCol=target, seed=seed, **h.model_dump())


DECISION_TREE = Algorithm(
    name="decision_tree",
    title="Decision tree",
    kind="alternative",
    settings=DecisionTreeSettings,
    build=_build,
    model_class="pyspark.ml.regression.DecisionTreeRegressionModel",
    importances=lambda model: model.featureImportances.toArray(),
    importance_kind="decrease in impurity",
    describe=lambda model: {"nodes": int(model.numNodes), "depth": int(model.depth)},
)


def _close_share(observed: "Column", predicted: "Column") -> "Column":
    from pyspark.sql import functions as F

    return F.avg((F.abs(predicted - observed) <= 2.0).cast("double"))


CLOSE_SHARE = Metric(name="close_share", title="Within 2 mph", unit="share", better="high", aggregate=_close_share)


class AcmeFileSystem(FileSystem):
    """`acme://store/...` on the disk below $ACME_STORE, whose POSIX calls give every guarantee."""

    def __init__(self, uri: str, spark: "Callable[[], SparkSession] | None" = None) -> None:
        self._disk, self._root = LocalFileSystem(), os.environ["ACME_STORE"]

    def _at(self, uri: str) -> str:
        return f"file://{self._root}{uri.removeprefix('acme://store')}"

    def exists(self, uri: str) -> bool:
        return self._disk.exists(self._at(uri))

    def _entries(self, uri: str) -> list[FileStatus]:
        return [replace(e, uri=f"{uri.rstrip('/')}/{e.name}") for e in self._disk.list(self._at(uri))]

    def mkdirs(self, uri: str) -> None:
        self._disk.mkdirs(self._at(uri))

    def read_bytes(self, uri: str) -> bytes:
        return self._disk.read_bytes(self._at(uri))

    def write_new(self, uri: str, data: bytes) -> None:
        self._disk.write_new(self._at(uri), data)

    def rename(self, src: str, dst: str) -> None:
        self._disk.rename(self._at(src), self._at(dst))

    def replace(self, src: str, dst: str) -> None:
        self._disk.replace(self._at(src), self._at(dst))

    def delete(self, uri: str) -> None:
        self._disk.delete(self._at(uri))

    def _copy(self, src: str, dst: str) -> None:
        self._disk.copy(self._at(src), self._at(dst))

    def size(self, uri: str) -> int:
        return self._disk.size(self._at(uri))
