"""Spark ML pipelines in Spark's own format."""

from collections.abc import Sequence
from typing import Any

from pydantic import PrivateAttr

from traffic_assets.dagster_hdfs.io_managers.base import HdfsIOManager
from traffic_assets.dagster_hdfs.publish import Generation

MODELS_KEPT = 4
"""Number of loaded models that a process keeps."""


class SparkModelIOManager(HdfsIOManager):
    """Spark ML pipelines (PipelineModel), one for each partition, in Spark's own format.

    A generation never changes, so steps in one process read it only once. They do not read a value that the process
    itself stored with `kept`.
    """

    _models: dict[str, Any] = PrivateAttr(default_factory=dict)

    def _write(self, value: Any, folder: str, partitions: Sequence[str]) -> dict[str, dict[str, Any]]:
        value.write().save(folder)
        return {partitions[0]: {"class": f"{type(value).__module__}.{type(value).__name__}"}}

    def _read(self, generations: Sequence[Generation], subfolder: str | None) -> Any:
        from pyspark.ml import PipelineModel

        (generation,) = generations
        self.storage.spark.session  # noqa: B018  (the active session reads a model)
        model = self._models.pop(generation.uri, None) or PipelineModel.load(generation.uri)
        self._keep(generation, model)
        return model

    def _keep(self, generation: Generation, value: Any) -> None:
        self._models[generation.uri] = value  # newest last
        for oldest in list(self._models)[:-MODELS_KEPT]:
            del self._models[oldest]
