"""JSON documents over a range of partitions."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from traffic_assets.dagster_hdfs.io_managers.documents import DOCUMENT, JsonIOManager
from traffic_assets.dagster_hdfs.message import Message
from traffic_assets.dagster_hdfs.resources import HdfsResource, SparkResource
from traffic_assets.dagster_hdfs.values import AssetInput, AssetOutput

DAYS = dg.StaticPartitionsDefinition(["a", "b", "c"])
KEY = dg.AssetKey("notes")


@pytest.fixture
def resource(tmp_path: Path) -> HdfsResource:
    return HdfsResource(base_uri=f"file://{tmp_path}", spark=SparkResource(), locations={KEY.to_user_string(): "notes"})


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def materialize(value: Any, resource: HdfsResource, instance: dg.DagsterInstance) -> tuple[bool, dict[str, Any], str]:
    """Return the success of a run over b to c, the value of its reader, and the message of its failure."""
    documents: dict[str, Any] = {}

    @dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
    def notes() -> Any:
        return value

    @dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run(), io_manager_key="nothing")
    def reader(notes: Mapping[str, Any]) -> None:
        documents.update(notes)

    result = dg.materialize(
        [notes, reader],
        instance=instance,
        resources={"io_manager": JsonIOManager(hdfs=resource), "nothing": dg.mem_io_manager},
        tags={"dagster/asset_partition_range_start": "b", "dagster/asset_partition_range_end": "c"},
        raise_on_error=False,
    )
    errors = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
    while errors and errors[0] is not None and errors[0].cause is not None:
        errors[0] = errors[0].cause
    return result.success, documents, errors[0].message if errors and errors[0] else ""


def test_a_range_is_a_mapping_of_partition_to_document(resource: HdfsResource, instance: dg.DagsterInstance) -> None:
    success, documents, _ = materialize({"b": {"n": 1}, "c": {"n": 2}}, resource, instance)
    assert success
    assert documents == {"b": {"n": 1}, "c": {"n": 2}}
    assert set(resource.dataset(KEY).partitions()) == {"b", "c"}
    assert set(instance.get_materialized_partitions(KEY)) == {"b", "c"}


@pytest.mark.parametrize(
    ("value", "named"),
    [({"n": 1}, "no document for b, c"), ([1, 2], "list"), ({"b": 1}, "for c"), ({"b": 1, "c": 2, "d": 3}, "for d")],
)
def test_anything_else_is_refused_before_it_is_written(
    value: Any, named: str, resource: HdfsResource, instance: dg.DagsterInstance
) -> None:
    success, _, message = materialize(value, resource, instance)
    assert not success
    assert named in message
    assert list(resource.dataset(KEY).partitions()) == []
    assert not instance.get_materialized_partitions(KEY)


@pytest.mark.parametrize("accepted", [True, False])
def test_the_code_of_a_refusal_is_in_the_failure_of_the_last_reader(
    resource: HdfsResource, instance: dg.DagsterInstance, accepted: bool
) -> None:
    """Check a reader that passes the refusals on, and one that does not accept them."""
    noisy = Message(code="readings.noisy", problem="{rows} rows are noise")

    @dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
    def notes() -> AssetOutput:
        return AssetOutput({"a": 1}, refused={"b": noisy(rows=3), "c": "no rows"})

    @dg.asset(name="reader", partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
    def passing(notes: AssetInput) -> AssetOutput:
        return AssetOutput(notes.value, refused=notes.refused)

    @dg.asset(name="reader", partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
    def ignoring(notes: Any) -> Any:
        return notes

    result = dg.materialize(
        [notes, passing if accepted else ignoring],
        instance=instance,
        resources={"io_manager": JsonIOManager(hdfs=resource)},
        tags={"dagster/asset_partition_range_start": "a", "dagster/asset_partition_range_end": "c"},
        raise_on_error=False,
    )
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    failure = failed.step_failure_data.user_failure_data
    assert (failed.step_key, failure is not None) == ("reader", True)
    assert failure is not None
    metadata = {name: value.value for name, value in failure.metadata.items()}
    assert metadata["code"] == ("storage.partitions-refused" if accepted else "storage.input-refused")
    assert metadata["refused"] == {"b": "3 rows are noise.", "c": "no rows"}
    assert metadata["refused_codes"] == {"b": "readings.noisy"}
    assert "\n  [readings.noisy] b: 3 rows are noise.\n  c: no rows.\n" in (failure.description or "")
    observed = {
        record.partition_key: record.asset_observation.metadata["code"].value
        for record in instance.fetch_observations(KEY, limit=10).records
        if record.asset_observation is not None
    }
    assert observed == {"b": "readings.noisy", "c": "storage.partition-refused"}


def test_the_rest_of_a_range_is_stored_if_one_partition_is_refused(
    resource: HdfsResource, instance: dg.DagsterInstance
) -> None:
    """Check a single remaining document, which is still taken from the mapping."""
    value = AssetOutput({"b": {"n": 1}}, refused={"c": "no rows"})
    materialize(value, resource, instance)
    assert set(resource.dataset(KEY).partitions()) == {"b"}
    current = resource.dataset(KEY).current("b")
    assert current is not None
    assert json.loads(resource.filesystem.read_bytes(f"{current.uri}/{DOCUMENT}")) == {"n": 1}
