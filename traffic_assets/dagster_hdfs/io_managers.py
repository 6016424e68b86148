"""IO managers for Spark DataFrames, Spark ML models and JSON documents on any Hadoop URI.

The order of calls, the same for each kind:

    handle_output: stage -> _write (aside) -> publish each partition (rename, pointer) -> metadata
    load_input:    pointers -> _read the generations they name

What a publish is lives in `publish.py`; reading without Dagster is `reading.read_current`.
"""

import json
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from pydantic import Field, PrivateAttr

from traffic_assets.dagster_hdfs.publish import UNPARTITIONED, Dataset, Generation
from traffic_assets.dagster_hdfs.reading import read_generations
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.retries import retried_connection_errors
from traffic_assets.dagster_hdfs.stored import Loaded, Stored
from traffic_assets.dagster_hdfs.uris import Internal, join

LOOKBACK = "lookback_partitions"
"""Metadata of an input: how many partitions before the first asked for are added where they are published."""

SUBFOLDER = "subfolder"
"""Metadata of an asset: the folder of a shared generation that holds its part."""

MODELS_KEPT = 4
"""Models that a process keeps of those it read."""

DATA = "data"
DOCUMENT = "document.json"


class MissingPartitionError(RuntimeError):
    """A partition that an asset needs was never published."""


class HdfsIOManager(dg.ConfigurableIOManager):
    """Base: publishes what `_write` wrote aside, and reads what the pointers name."""

    hdfs: dg.ResourceDependency[HdfsResource]
    partition_column: str | None = Field(default=None, description="column that the partition key becomes")

    @property
    def storage(self) -> HdfsResource:
        """The resource that `hdfs` is once Dagster has resolved it."""
        return self.hdfs

    @abstractmethod
    def _write(self, value: Any, folder: str, partitions: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Write the value; returns facts by partition. The base publishes `folder`, or its `<column>=K`."""

    @abstractmethod
    def _read(self, generations: Sequence[Generation], subfolder: str | None) -> Any:
        """The value of the generations."""

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Publish every partition of the output, or those that are not refused and then fail."""
        stored = obj if isinstance(obj, Stored) else Stored(obj)
        dataset = self.storage.dataset(context.asset_key, self.partition_column)
        partitions = list(context.asset_partition_keys) if context.has_asset_partitions else [UNPARTITIONED]
        published = self._publish(dataset, stored, partitions, context.run_id)
        facts = {key: _facts(generation) for key, generation in published.items()}
        if stored.refused:
            if context.has_asset_partitions:
                self._report_published(context, facts)
            reasons = [f"{key}: {reason}" for key, reason in sorted(stored.refused.items())]
            raise dg.Failure(
                f"{context.asset_key.to_user_string()}: {len(published)} partition(s) published, {len(reasons)} refused"
                f" and left as they were:\n" + "\n".join(f"  {r}" for r in reasons),
                metadata={"refused": dg.MetadataValue.json(dict(stored.refused))},
                allow_retries=False,
            )
        if len(partitions) == 1:
            context.add_output_metadata(facts[partitions[0]])
        else:  # the usual call would put the range's total on every partition
            for key, found in facts.items():
                context.step_context.add_asset_metadata(found, context.asset_key, key)

    def load_input(self, context: dg.InputContext) -> Any:
        """The value, or where the input is annotated `Loaded` what will read it, with records and generations.

        Raises:
            MissingPartitionError: naming the partitions that were never published.
        """
        dataset = self.storage.dataset(context.asset_key, self.partition_column)
        partitions = list(context.asset_partition_keys) if context.has_asset_partitions else [UNPARTITIONED]
        earlier = self._earlier(context, partitions[0])
        subfolder = ((context.upstream_output and context.upstream_output.definition_metadata) or {}).get(SUBFOLDER)
        with retried_connection_errors(dataset.root):
            generations = dataset.currents([*earlier, *partitions])
            if missing := [key for key in partitions if key not in generations]:
                raise MissingPartitionError(
                    f"{context.asset_key.to_user_string()} has no published partition {', '.join(missing)} "
                    f"below {dataset.root}: materialize it first"
                )
        if len(partitions) == 1:  # Dagster has no place for it on an input of many partitions
            context.add_input_metadata(
                {"generations": dg.MetadataValue.json({k: g.id for k, g in generations.items()})}
            )

        def read() -> Any:
            with retried_connection_errors(dataset.root):
                return self._read(list(generations.values()), subfolder)

        return Loaded(read, generations) if context.dagster_type.typing_type is Loaded else read()

    def _publish(
        self, dataset: Dataset, stored: Stored, partitions: Sequence[str], run_id: str
    ) -> dict[str, Generation]:
        good = [key for key in partitions if key not in stored.refused]
        if not good:
            return {}
        with retried_connection_errors(dataset.root):
            staged = dataset.stage(run_id)
            try:
                return self._fill_and_publish(dataset, stored, good, run_id, staged)
            finally:
                dataset.discard(staged)

    def _fill_and_publish(
        self, dataset: Dataset, stored: Stored, partitions: Sequence[str], run_id: str, staged: str
    ) -> dict[str, Generation]:
        started = time.monotonic()
        data = f"{staged}/{DATA}"
        facts = self._write(stored.value, data, partitions)
        for name, frame in stored.folders.items():
            if name not in set(Internal):
                raise ValueError(f"{name!r} cannot be a folder beside the data; allowed: {', '.join(Internal)}")
            self._write(frame, f"{staged}/{name}", partitions)
        elapsed = time.monotonic() - started
        published = {}
        for key in partitions:
            folder = self._folder(data, key)
            for name in stored.folders:
                dataset.filesystem.rename(self._folder(f"{staged}/{name}", key), f"{folder}/{name}")
            for name, content in stored.files.items():
                dataset.filesystem.write_new(join(folder, Internal.FILES, name), content)
            record = {
                **stored.record,
                **stored.records.get(key, {}),
                **facts[key],
                "bytes": dataset.filesystem.size(folder),
                "write_seconds": round(elapsed, 3),
            }
            published[key] = dataset.publish(key, folder, run_id, record)
        return published

    def _folder(self, base: str, key: str) -> str:
        return f"{base}/{self.partition_column}={key}" if self.partition_column else base

    def _earlier(self, context: dg.InputContext, first: str) -> list[str]:
        lookback = int((context.definition_metadata or {}).get(LOOKBACK, 0))
        if not lookback:
            return []
        keys = list(context.asset_partitions_def.get_partition_keys())
        at = keys.index(first)
        return keys[max(0, at - lookback) : at]

    def _report_published(self, context: dg.OutputContext, facts: Mapping[str, dict[str, Any]]) -> None:
        """Partitions published by a step that is about to fail: Dagster would not record them."""
        instance = context.step_context.instance
        for key, metadata in facts.items():
            instance.report_runless_asset_event(
                dg.AssetMaterialization(
                    asset_key=context.asset_key, partition=key, metadata={**metadata, "run_id": context.run_id}
                )
            )


class DataFrameIOManager(HdfsIOManager):
    """Spark DataFrames as Parquet.

    With a partition column, the DataFrame carries it, and one Spark job writes every partition; a partition
    without rows is published as a file of 0 rows with the schema.
    """

    def _write(self, value: Any, folder: str, partitions: Sequence[str]) -> dict[str, dict[str, Any]]:
        from pyspark.sql import functions as F

        column = self.partition_column
        if column is None:
            value.write.parquet(folder)
            rows = {partitions[0]: value.sparkSession.read.parquet(folder).count()}  # from the footers
            schema = value.schema
        else:
            # one file a partition: hash the rows of a partition to one task
            chosen = value.where(F.col(column).isin(list(partitions)))
            chosen.repartition(len(partitions), column).write.partitionBy(column).parquet(folder)
            schema = value.drop(column).schema
            reader = value.sparkSession.read.schema(value.select(*schema.names, column).schema)
            rows = {r[column]: r["count"] for r in reader.parquet(folder).groupBy(column).count().collect()}
            for key in partitions:
                if key not in rows:
                    empty = value.sparkSession.createDataFrame([], schema)
                    empty.coalesce(1).write.parquet(self._folder(folder, key))
        columns = [{"name": f.name, "type": f.dataType.simpleString()} for f in schema.fields]
        return {key: {"rows": rows.get(key, 0), "schema": columns} for key in partitions}

    def _read(self, generations: Sequence[Generation], subfolder: str | None) -> Any:
        spark = self.storage.spark.session
        if subfolder is not None:
            (generation,) = generations
            return spark.read.parquet(f"{generation.uri}/{subfolder}")
        return read_generations(spark, generations)


class SparkModelIOManager(HdfsIOManager):
    """Spark ML pipelines (PipelineModel), one a partition, in Spark's own format.

    A generation never changes, so the steps that share a process read one only once.
    """

    _models: dict[str, Any] = PrivateAttr(default_factory=dict)

    def _write(self, value: Any, folder: str, partitions: Sequence[str]) -> dict[str, dict[str, Any]]:
        value.write().save(folder)
        return {partitions[0]: {"class": f"{type(value).__module__}.{type(value).__name__}"}}

    def _read(self, generations: Sequence[Generation], subfolder: str | None) -> Any:
        from pyspark.ml import PipelineModel

        (generation,) = generations
        self.storage.spark.session  # noqa: B018  (a model is read by the active session)
        model = self._models.pop(generation.uri, None) or PipelineModel.load(generation.uri)
        self._models[generation.uri] = model  # the newest last
        for oldest in list(self._models)[:-MODELS_KEPT]:
            del self._models[oldest]
        return model


class JsonIOManager(HdfsIOManager):
    """JSON documents, one a partition."""

    def _write(self, value: Any, folder: str, partitions: Sequence[str]) -> dict[str, dict[str, Any]]:
        filesystem = self.storage.filesystem
        content = json.dumps(value, indent=1, allow_nan=False).encode()
        filesystem.mkdirs(folder)
        filesystem.write_new(f"{folder}/{DOCUMENT}", content)
        return {partitions[0]: {}}

    def _read(self, generations: Sequence[Generation], subfolder: str | None) -> Any:
        (generation,) = generations
        return json.loads(self.storage.filesystem.read_bytes(f"{generation.uri}/{DOCUMENT}"))


def _facts(generation: Generation) -> dict[str, Any]:
    """What the UI shows of a publish; nothing is computed for it."""
    record = generation.record
    facts: dict[str, Any] = {
        "path": dg.MetadataValue.path(generation.uri),
        "generation": generation.id,
        "bytes": record["bytes"],
        "write_seconds": record["write_seconds"],
    }
    if "rows" in record:
        facts["dagster/row_count"] = record["rows"]
    if "schema" in record:
        facts["dagster/column_schema"] = dg.TableSchema(
            columns=[dg.TableColumn(c["name"], c["type"]) for c in record["schema"]]
        )
    return facts
