"""The base of the IO managers: it publishes what a kind wrote aside, and reads what the pointers name.

The order of calls, the same for each kind:

    handle_output: stage -> _write (aside) -> publish each partition (rename, pointer) -> metadata
    load_input:    pointers -> _read the generations they name

If some partitions of a range are refused, the others are published, and the run fails: at once if no later step of it
loads the output, otherwise at its last reader, which gets the refusals with its input and has to pass them on.
"""

import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import dagster as dg
from pydantic import Field

from traffic_assets.dagster_hdfs import messages
from traffic_assets.dagster_hdfs.costs import cost_of_output
from traffic_assets.dagster_hdfs.io_managers.refusals import (
    REFUSED,
    listed,
    pass_on_refusals,
    refusals_of_run,
    report_published,
)
from traffic_assets.dagster_hdfs.publish import UNPARTITIONED, Dataset, Generation
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.retries import RETRIES, retried_connection_errors
from traffic_assets.dagster_hdfs.uris import Internal, join
from traffic_assets.dagster_hdfs.values import AssetInput, AssetOutput

LOOKBACK = "lookback_partitions"
"""Metadata of an input: how many partitions before the first asked for are added where they are published."""
SUBFOLDER = "subfolder"
"""Metadata of an asset: the folder of a shared generation that holds its part."""
NOTHING = "Nothing"
"""Dagster's key of the type of an input that is not loaded."""
DATA = "data"


class MissingPartitionError(RuntimeError):
    """A partition that an asset needs was never published."""


class ReplacedMeanwhileError(RuntimeError):
    """The generation that a value extends is no longer the current one."""


class RangeError(ValueError):
    """A value cannot be split over the partitions of a range."""


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

    def _require_range(self, value: Any, partitions: Sequence[str]) -> None:
        """Raise before anything is written if the value cannot fill every partition of a range.

        Raises:
            RangeError: the kind, or the value, holds one partition only.
        """
        if self.partition_column is None:
            raise RangeError(
                messages.RANGE_OF_ONE(
                    manager=type(self).__name__, count=len(partitions), first=partitions[0], last=partitions[-1]
                )
            )

    @abstractmethod
    def _read(self, generations: Sequence[Generation], subfolder: str | None) -> Any:
        """The value of the generations."""

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Publish every partition of the output that is not refused; refusals fail the run in the end."""
        stored = obj if isinstance(obj, AssetOutput) else AssetOutput(obj)
        dataset = self.storage.dataset(context.asset_key, self.partition_column)
        partitions = list(context.asset_partition_keys) if context.has_asset_partitions else [UNPARTITIONED]
        published: dict[str, Generation] = {}
        try:
            with _afterwards(stored.after):
                self._publish(dataset, stored, partitions, context.run_id, published)
        except Exception as error:
            if context.has_asset_partitions and not _is_tried_again(context, error):  # else all is published again
                report_published(context, {key: _facts(generation) for key, generation in published.items()})
            raise
        facts = {key: _facts(generation) for key, generation in published.items()}
        if stored.opened:
            for key, generation in published.items():
                facts[key] |= self._address(join(generation.uri, Internal.FILES, stored.opened))
        if cost := cost_of_output(context):
            rows = [generation.record["rows"] for generation in published.values() if "rows" in generation.record]
            spent = cost.metadata(sum(rows) if rows else stored.rows, len(partitions))
            facts = {key: {**found, **spent} for key, found in facts.items()}
        if stored.refused and published and _is_loaded_later(context):
            pass_on_refusals(context, stored.refused, list(published))
        elif stored.refused:
            if context.has_asset_partitions:
                report_published(context, facts)
            raise dg.Failure(
                f"{context.asset_key.to_user_string()}: {len(published)} partition(s) published, {len(stored.refused)} "
                f"refused and left as they were:\n{listed(stored.refused)}",
                metadata={REFUSED: dg.MetadataValue.json(dict(stored.refused))},
                allow_retries=False,
            )
        if len(partitions) == 1:
            context.add_output_metadata(facts[partitions[0]])
        else:  # the usual call would put the range's total on every partition
            for key, found in facts.items():
                context.step_context.add_asset_metadata(found, context.asset_key, key)

    def load_input(self, context: dg.InputContext) -> Any:
        """The value, or where the input is annotated `AssetInput` what will read it, with records and generations.

        Raises:
            MissingPartitionError: naming the partitions that were never published.
            dagster.Failure: some were refused in this run, and the input is not annotated `AssetInput`.
        """
        dataset = self.storage.dataset(context.asset_key, self.partition_column)
        partitions = list(context.asset_partition_keys) if context.has_asset_partitions else [UNPARTITIONED]
        earlier = self._earlier(context, partitions[0])
        subfolder = ((context.upstream_output and context.upstream_output.definition_metadata) or {}).get(SUBFOLDER)
        with retried_connection_errors(dataset.root):
            generations = dataset.current_generations([*earlier, *partitions])
            refused = refusals_of_run(context, generations) if len(partitions) > 1 else {}
            if missing := [key for key in partitions if key not in generations and key not in refused]:
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
                if len(partitions) > 1 and self.partition_column is None:
                    return {key: self._read([generation], subfolder) for key, generation in generations.items()}
                return self._read(list(generations.values()), subfolder)

        def read_files(generation: Generation) -> dict[str, bytes]:
            with retried_connection_errors(dataset.root):
                return dataset.files(generation)

        if context.dagster_type.typing_type is AssetInput:
            return AssetInput(read, generations, refused, read_files)
        if refused:
            raise dg.Failure(
                f"{context.asset_key.to_user_string()}: refused in this run:\n{listed(refused)}", allow_retries=False
            )
        return read()

    def _publish(
        self,
        dataset: Dataset,
        stored: AssetOutput,
        partitions: Sequence[str],
        run_id: str,
        published: dict[str, Generation],
    ) -> None:
        """Publish what is not refused; `published` gets each partition as soon as it is."""
        good = [key for key in partitions if key not in stored.refused]
        if not good:
            return
        if len(partitions) > 1:
            self._require_range(stored.value, good)
        with retried_connection_errors(dataset.root):
            staged = dataset.stage(run_id)
            try:
                self._fill_and_publish(dataset, stored, good, run_id, staged, published)
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
                raise ValueError(f"{name!r} cannot be a folder beside the data; allowed: {', '.join(Internal)}")
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
                "bytes": dataset.filesystem.size(folder),
                "write_seconds": round(elapsed, 3),
            }
            published[key] = dataset.publish(key, folder, run_id, record)
            if stored.kept:
                self._keep(published[key], stored.value)

    def _keep(self, generation: Generation, value: Any) -> None:
        """Keep a published value for later steps of this process, where its kind can be."""

    def _address(self, uri: str) -> dict[str, Any]:
        """Where a file lies, and what opens it in a browser; a page over http cannot link to a file of its reader."""
        address: dict[str, Any] = {"file": dg.MetadataValue.path(uri)}
        if link := self.storage.link(uri):
            address["open"] = dg.MetadataValue.url(link)
        return address

    def _folder(self, base: str, key: str) -> str:
        return f"{base}/{self.partition_column}={key}" if self.partition_column else base

    def _earlier(self, context: dg.InputContext, first: str) -> list[str]:
        lookback = int((context.definition_metadata or {}).get(LOOKBACK, 0))
        if not lookback:
            return []
        keys = list(context.asset_partitions_def.get_partition_keys())
        at = keys.index(first)
        return keys[max(0, at - lookback) : at]


@contextmanager
def _afterwards(release: Callable[[], object] | None) -> Iterator[None]:
    """Release what a value needed until it was written, whether it was or not."""
    try:
        yield
    except BaseException:
        if release is not None:
            with suppress(Exception):  # what failed first is what has to be told
                release()
        raise
    if release is not None:
        release()


def _is_loaded_later(context: dg.OutputContext) -> bool:
    """Whether a step that is still to come in this process loads the output."""
    step_context = context.step_context
    return any(
        step_context.step.key in step_input.dependency_keys and step_input.dagster_type_key != NOTHING
        for step in step_context.execution_plan.get_steps_to_execute_in_topo_order()
        for step_input in step.step_inputs
    )


def _is_tried_again(context: dg.OutputContext, error: Exception) -> bool:
    """Whether Dagster will run the step again, as the error asks."""
    step = context.step_context
    return (
        isinstance(error, dg.RetryRequested)
        and not step.retry_mode.disabled
        and step.previous_attempt_count < error.max_retries
    )


def _require_current(dataset: Dataset, built_on: Mapping[str, str | None]) -> None:
    """Ask for another attempt where another run has replaced what a value extends."""
    for key, expected in built_on.items():
        current = dataset.current(key)
        if current is not None and current.id != expected:
            raise dg.RetryRequested(max_retries=RETRIES) from ReplacedMeanwhileError(
                f"{dataset.root}: run {current.run_id} has published {key} since this one read it: run this one again"
            )


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
        facts["dagster/column_schema"] = table_schema(record["schema"])
    return facts


def table_schema(recorded: Sequence[Mapping[str, str]]) -> dg.TableSchema:
    """The columns of a record (`recorded_schema`) as the UI shows them."""
    return dg.TableSchema(columns=[dg.TableColumn(c["name"], c["type"]) for c in recorded])
