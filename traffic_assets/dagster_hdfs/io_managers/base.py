"""The base class of the IO managers: publishing of outputs and reading of inputs.

The order of calls is the same for each kind:

    handle_output: stage -> _write (aside) -> publish each partition (rename, pointer) -> metadata
    load_input:    pointers -> compare the files with the records -> _read the current generations

If some partitions of a range are refused, the others are published, and the run fails. It fails immediately if no later
step of the run loads the output. Otherwise it fails at the last reader: each reader gets the refusals with its input,
and must pass them on.
"""

import time
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import dagster as dg
from pydantic import Field

from traffic_assets.dagster_hdfs import messages
from traffic_assets.dagster_hdfs.applications import record_application
from traffic_assets.dagster_hdfs.costs import cost_of_output
from traffic_assets.dagster_hdfs.failures import coded_failures
from traffic_assets.dagster_hdfs.generation import CODE_VERSION
from traffic_assets.dagster_hdfs.io_managers.refusals import (
    pass_on_refusals,
    refusal_metadata,
    refusals_of_run,
    report_published,
)
from traffic_assets.dagster_hdfs.publish import UNPARTITIONED, Dataset, Generation
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.retries import RETRIES, retried_connection_errors
from traffic_assets.dagster_hdfs.uris import Internal, join
from traffic_assets.dagster_hdfs.values import AssetInput, AssetOutput

LOOKBACK = "lookback_partitions"
"""Metadata of an input: number of partitions before the requested ones that are added if they are published."""
SUBFOLDER = "subfolder"
"""Metadata of an asset: folder of its part in a shared generation."""
NOTHING = "Nothing"
"""Dagster's key for the type of an input that is not loaded."""
DATA = "data"
FILE, OPEN = "file", "open"
"""Metadata of an output: the file that people open, and its link for browsers."""


class MissingPartitionError(RuntimeError):
    """Error for a partition that an asset needs and that was never published."""


class ReplacedMeanwhileError(RuntimeError):
    """Error for a value that extends a generation that is no longer current."""


class RangeError(ValueError):
    """Error for a value that cannot be split over the partitions of a range."""


class HdfsIOManager(dg.ConfigurableIOManager):
    """Base class that publishes the output of `_write` and reads the current generations with `_read`."""

    hdfs: dg.ResourceDependency[HdfsResource]
    partition_column: str | None = Field(default=None, description="column for the partition key in a DataFrame")

    @property
    def storage(self) -> HdfsResource:
        """The resource `hdfs`, resolved by Dagster."""
        return self.hdfs

    @abstractmethod
    def _write(self, value: Any, folder: str, partitions: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Write the value below `folder`, or its `<column>=K`, and return facts by partition."""

    def _value_of_range(self, value: Any, partitions: Sequence[str], refused: Collection[str]) -> Any:
        """Return the value of a range as `_write` takes it, before anything is written.

        Args:
            value: Value of the output.
            partitions: Keys of the partitions to publish.
            refused: Keys of the others.

        Raises:
            RangeError: If the IO manager or the value has only one partition.
        """
        if self.partition_column is None:
            raise RangeError(
                messages.RANGE_OF_ONE(
                    manager=type(self).__name__, count=len(partitions), first=min(partitions), last=max(partitions)
                )
            )
        return value

    @abstractmethod
    def _read(self, generations: Sequence[Generation], subfolder: str | None) -> Any:
        """Return the value of the generations."""

    def _require_whole(self, dataset: Dataset, generations: Sequence[Generation]) -> None:
        """Raise if files of the generations are not as they were published."""
        dataset.require_whole(generations)

    @coded_failures()
    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Publish every partition of the output that is not refused; refusals fail the run at its end.

        Raises:
            dagster.Failure: If partitions are refused, and no later step of the run loads the output.
        """
        stored = obj if isinstance(obj, AssetOutput) else AssetOutput(obj)
        if version := context.asset_spec.code_version:
            stored = replace(stored, record={**stored.record, CODE_VERSION: version})
        dataset = self.storage.dataset(context.asset_key, self.partition_column)
        partitions = list(context.asset_partition_keys) if context.has_asset_partitions else [UNPARTITIONED]
        published: dict[str, Generation] = {}
        try:
            with _release_afterwards(stored.after):
                self._publish(dataset, stored, partitions, context.run_id, published)
        except Exception as error:
            if context.has_asset_partitions and not _is_tried_again(context, error):  # a retry publishes all again
                report_published(context, self._facts(published))
            raise
        facts = self._facts(published)
        application = record_application(context.step_context.instance, context.run_id, self.storage.spark.history_url)
        for key, generation in published.items():
            facts[key] |= application | self._links(generation, stored)
        if cost := cost_of_output(context):
            rows = [generation.record["rows"] for generation in published.values() if "rows" in generation.record]
            spent = cost.metadata(sum(rows) if rows else stored.rows, len(partitions))
            facts = {key: {**metadata, **spent} for key, metadata in facts.items()}
        if stored.refused and published and _is_loaded_later(context):
            pass_on_refusals(context, stored.refused, list(published))
        elif stored.refused:
            if context.has_asset_partitions:
                report_published(context, facts)
            text = messages.PARTITIONS_REFUSED(
                asset=context.asset_key.to_user_string(),
                published=len(published),
                count=len(stored.refused),
                refused=dict(sorted(stored.refused.items())),
            )
            raise dg.Failure(text, metadata=refusal_metadata(stored.refused), allow_retries=False)
        if len(partitions) == 1:
            context.add_output_metadata(facts[partitions[0]])
        else:  # add_output_metadata would put the range's total on every partition
            for key, metadata in facts.items():
                context.step_context.add_asset_metadata(metadata, context.asset_key, key)

    @coded_failures()
    def load_input(self, context: dg.InputContext) -> Any:
        """Return the value, or an `AssetInput` that reads it on first access if the input is annotated so.

        Raises:
            MissingPartitionError: If some partitions were never published.
            StorageError: If files of a partition are missing, or have other sizes than when they were published. An
                `AssetInput` raises it when the value is read.
            dagster.Failure: If some were refused in this run, and the input is not annotated `AssetInput`.
        """
        dataset = self.storage.dataset(context.asset_key, self.partition_column)
        partitions = list(context.asset_partition_keys) if context.has_asset_partitions else [UNPARTITIONED]
        earlier = self._list_earlier(context, partitions[0])
        subfolder = ((context.upstream_output and context.upstream_output.definition_metadata) or {}).get(SUBFOLDER)
        with retried_connection_errors(dataset.root):
            generations = dataset.current_generations([*earlier, *partitions])
            refused = refusals_of_run(context, generations) if len(partitions) > 1 else {}
            if missing := [key for key in partitions if key not in generations and key not in refused]:
                name = context.asset_key.to_user_string()
                raise MissingPartitionError(
                    messages.MISSING_PARTITION(asset=name, partitions=missing, root=dataset.root)
                )
        if len(partitions) == 1:  # Dagster does not support it on an input of many partitions
            context.add_input_metadata(
                {"generations": dg.MetadataValue.json({k: g.id for k, g in generations.items()})}
            )

        def read() -> Any:
            with retried_connection_errors(dataset.root):
                self._require_whole(dataset, list(generations.values()))
                if len(partitions) > 1 and self.partition_column is None:
                    return {key: self._read([generation], subfolder) for key, generation in generations.items()}
                return self._read(list(generations.values()), subfolder)

        def read_files(generation: Generation) -> dict[str, bytes]:
            with retried_connection_errors(dataset.root):
                return dataset.files(generation)

        if context.dagster_type.typing_type is AssetInput:
            return AssetInput(read, generations, refused, read_files)
        if refused:
            name = context.asset_key.to_user_string()
            text = messages.INPUT_REFUSED(asset=name, count=len(refused), refused=dict(sorted(refused.items())))
            raise dg.Failure(text, metadata=refusal_metadata(refused), allow_retries=False)
        return read()

    def _publish(
        self,
        dataset: Dataset,
        stored: AssetOutput,
        partitions: Sequence[str],
        run_id: str,
        published: dict[str, Generation],
    ) -> None:
        """Publish the partitions that are not refused; add each to `published` as soon as it is."""
        accepted = [key for key in partitions if key not in stored.refused]
        if not accepted:
            return
        if len(partitions) > 1:
            stored = replace(stored, value=self._value_of_range(stored.value, accepted, stored.refused))
        with retried_connection_errors(dataset.root):
            staged = dataset.stage(run_id)
            try:
                self._fill_and_publish(dataset, stored, accepted, run_id, staged, published)
            finally:
                dataset.discard(staged)

    def _fill_and_publish(
        self,
        dataset: Dataset,
        stored: AssetOutput,
        partitions: Sequence[str],
        run_id: str,
        staged: str,
        published: dict[str, Generation],
    ) -> None:
        started = time.monotonic()
        data = f"{staged}/{DATA}"
        facts = self._write(stored.value, data, partitions)
        for name, frame in stored.folders.items():
            if name not in set(Internal):
                raise ValueError(messages.INVALID_FOLDER(folder=name, allowed=list(Internal)))
            self._write(frame, f"{staged}/{name}", partitions)
        elapsed = time.monotonic() - started
        _require_current(dataset, stored.built_on)
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
                "write_seconds": round(elapsed, 3),
            }
            published[key] = dataset.publish(key, folder, run_id, record)
            if stored.kept:
                self._keep(published[key], stored.value)

    def _keep(self, generation: Generation, value: Any) -> None:
        """Keep a published value for later steps of this process, if this kind of value can be kept."""

    def _facts(self, published: Mapping[str, Generation]) -> dict[str, dict[str, Any]]:
        """Return the metadata of each partition that was published."""
        return {
            key: describe_generation(generation, self.storage.column_descriptions)
            for key, generation in published.items()
        }

    def _links(self, generation: Generation, stored: AssetOutput) -> dict[str, Any]:
        """Return the metadata that locates published files.

        Browsers do not follow a link from a page over http to a local file. So a file has a link only if `browse_url`
        is set.
        """
        files = join(generation.uri, Internal.FILES)
        metadata: dict[str, Any] = {}
        if stored.opened:
            uri = join(files, stored.opened)
            metadata[FILE] = dg.MetadataValue.path(uri)
            if link := self.storage.link(uri):
                metadata[OPEN] = dg.MetadataValue.url(link)
        return metadata | {key: self.storage.describe_file(join(files, name)) for key, name in stored.links.items()}

    def _folder(self, base: str, key: str) -> str:
        return f"{base}/{self.partition_column}={key}" if self.partition_column else base

    def _list_earlier(self, context: dg.InputContext, first: str) -> list[str]:
        lookback = int((context.definition_metadata or {}).get(LOOKBACK, 0))
        if not lookback:
            return []
        keys = list(context.asset_partitions_def.get_partition_keys())
        at = keys.index(first)
        return keys[max(0, at - lookback) : at]


@contextmanager
def _release_afterwards(release: Callable[[], object] | None) -> Iterator[None]:
    """Call the release function of a value after the block, whether the block fails or not."""
    try:
        yield
    except BaseException:
        if release is not None:
            with suppress(Exception):  # the first error matters more
                release()
        raise
    if release is not None:
        release()


def _is_loaded_later(context: dg.OutputContext) -> bool:
    """Return whether a later step of this process loads the output."""
    step_context = context.step_context
    return any(
        step_context.step.key in step_input.dependency_keys and step_input.dagster_type_key != NOTHING
        for step in step_context.execution_plan.get_steps_to_execute_in_topo_order()
        for step_input in step.step_inputs
    )


def _is_tried_again(context: dg.OutputContext, error: Exception) -> bool:
    """Return whether Dagster will retry the step, as the error requests."""
    step = context.step_context
    return (
        isinstance(error, dg.RetryRequested)
        and not step.retry_mode.disabled
        and step.previous_attempt_count < error.max_retries
    )


def _require_current(dataset: Dataset, built_on: Mapping[str, str | None]) -> None:
    """Request another attempt if another run has replaced a generation that the value extends."""
    for key, expected in built_on.items():
        current = dataset.current(key)
        if current is not None and current.id != expected:
            text = messages.REPLACED_MEANWHILE(run_id=current.run_id, partition=key, root=dataset.root)
            raise dg.RetryRequested(max_retries=RETRIES) from ReplacedMeanwhileError(text)


def describe_generation(generation: Generation, descriptions: Mapping[str, str]) -> dict[str, Any]:
    """Return the metadata of a published generation for the UI, from its record only."""
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
        facts["dagster/column_schema"] = table_schema(record["schema"], descriptions)
    return facts


def table_schema(recorded: Sequence[Mapping[str, str]], descriptions: Mapping[str, str]) -> dg.TableSchema:
    """Return the columns of a record (`recorded_schema`) as the UI shows them.

    Args:
        recorded: Name and type of each column.
        descriptions: Description of a column by name.
    """
    return dg.TableSchema(columns=[dg.TableColumn(c["name"], c["type"], descriptions.get(c["name"])) for c in recorded])
