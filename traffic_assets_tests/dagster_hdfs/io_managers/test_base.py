"""The IO managers: one contract for all kinds and file systems, then the behaviour that is specific to each."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pyspark.ml import PipelineModel
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import SparkSession

from traffic_assets.dagster_hdfs import messages, retries
from traffic_assets.dagster_hdfs.errors import StorageError
from traffic_assets.dagster_hdfs.failures import coded_failures
from traffic_assets.dagster_hdfs.filesystem import FileSystem, LocalFileSystem
from traffic_assets.dagster_hdfs.io_managers.base import LOOKBACK, HdfsIOManager
from traffic_assets.dagster_hdfs.io_managers.documents import DOCUMENT, JsonIOManager
from traffic_assets.dagster_hdfs.io_managers.frames import DataFrameIOManager
from traffic_assets.dagster_hdfs.io_managers.models import SparkModelIOManager
from traffic_assets.dagster_hdfs.io_managers.refusals import PARENT
from traffic_assets.dagster_hdfs.publish import Generation
from traffic_assets.dagster_hdfs.reading import read_current
from traffic_assets.dagster_hdfs.resources import HdfsResource, SparkResource
from traffic_assets.dagster_hdfs.uris import Internal
from traffic_assets.dagster_hdfs.values import AssetInput, AssetOutput

Storage = tuple[FileSystem, str]
DAYS = dg.DailyPartitionsDefinition(start_date="2026-01-05")
FIRST, SECOND, THIRD = "2026-01-05", "2026-01-06", "2026-01-07"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@pytest.fixture
def hdfs_resource(spark: SparkSession, storage: Storage) -> HdfsResource:
    return HdfsResource(spark=SparkResource(), base_uri=storage[1])


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def failure_code(failure: dg.DagsterEvent) -> Any:
    """Return the code in the metadata of a step's failure."""
    data = failure.step_failure_data.user_failure_data
    assert data is not None
    return data.metadata["code"].value


def frame(spark: SparkSession, rows: Sequence[tuple[str, int]]) -> Any:
    return spark.createDataFrame(list(rows), "date string, x int")


def run(
    assets: Sequence[dg.AssetsDefinition],
    manager: HdfsIOManager,
    instance: dg.DagsterInstance,
    days: Sequence[str] = (),
    only: Sequence[str] | None = None,
    parent: str | None = None,
) -> dg.ExecuteInProcessResult:
    """Materialize the assets, optionally for a range of days, and as a run that continues a parent."""
    chosen = [dg.AssetKey(key) for key in only] if only else [key for asset in assets for key in asset.keys]
    selection = dg.AssetSelection.assets(*chosen)
    job = dg.Definitions(
        assets=list(assets),
        jobs=[dg.define_asset_job("job", selection)],
        resources={"io_manager": manager},
    ).resolve_job_def("job")
    tags = {}
    if days:
        tags = {
            "dagster/asset_partition_range_start": days[0],
            "dagster/asset_partition_range_end": days[-1],
        }
    if parent:
        tags[PARENT] = parent
    return job.execute_in_process(instance=instance, raise_on_error=False, tags=tags, run_config=QUIET)


def get_newest(instance: dg.DagsterInstance, key: str) -> dict[str, int]:
    """Return the storage id of the newest materialization of each partition that Dagster knows."""
    newest = instance.get_latest_storage_id_by_partition(dg.AssetKey(key), dg.DagsterEventType.ASSET_MATERIALIZATION)
    return dict(newest)


def recorded(instance: dg.DagsterInstance, key: str) -> list[str]:
    """Return the partitions that Dagster considers materialized."""
    return sorted(get_newest(instance, key))


def make_values(spark: SparkSession) -> dict[str, tuple[type[HdfsIOManager], Any, Callable[[Any], Any]]]:
    """Return by kind the manager, a value, and a function whose result must survive a round trip."""
    rows = spark.createDataFrame([("a", 1), ("b", 2)], "name string, x int")
    model = PipelineModel([VectorAssembler(inputCols=["x"], outputCol="v")])
    return {
        "frame": (DataFrameIOManager, rows, lambda value: sorted(map(tuple, value.collect()))),
        "model": (
            SparkModelIOManager,
            model,
            lambda value: [list(row.v) for row in value.transform(rows.orderBy("x")).collect()],
        ),
        "document": (JsonIOManager, {"a": [1, 2.5, None, "ü"]}, lambda value: value),
    }


@pytest.mark.parametrize("kind", ["frame", "model", "document"])
def test_a_value_comes_back_as_it_was_with_its_record(
    spark: SparkSession, hdfs_resource: HdfsResource, instance: dg.DagsterInstance, kind: str
) -> None:
    manager_class, value, essence = make_values(spark)[kind]
    seen: dict[str, Any] = {}

    @dg.asset(key=["group", "thing"])
    def thing() -> AssetOutput:
        return AssetOutput(value, record={"made_by": "me"}, files={"note.txt": b"beside"})

    @dg.asset(ins={"thing": dg.AssetIn(key=["group", "thing"])})
    def bare(thing: Any) -> None:
        seen["bare"] = essence(thing)

    @dg.asset(ins={"thing": dg.AssetIn(key=["group", "thing"])})
    def stored(thing: AssetInput) -> None:
        seen["stored"], seen["record"], seen["uri"] = essence(thing.value), thing.record, thing.generation.uri
        seen["files"] = thing.files

    result = run([thing, bare, stored], manager_class(hdfs=hdfs_resource), instance)
    assert result.success
    assert seen["bare"] == seen["stored"] == essence(value)
    assert seen["record"]["made_by"] == "me"
    assert seen["record"]["bytes"] > 0
    assert hdfs_resource.filesystem.read_bytes(f"{seen['uri']}/{Internal.FILES}/note.txt") == b"beside"
    assert seen["files"] == {"note.txt": b"beside"}
    (event,) = result.asset_materializations_for_node("group__thing")
    assert event.metadata["path"].value == seen["uri"]
    assert event.metadata["bytes"].value == seen["record"]["bytes"]


def damage(filesystem: FileSystem, uri: str, how: str) -> None:
    """Delete, empty or shorten a file."""
    content = filesystem.read_bytes(uri)
    filesystem.delete(uri)
    if how != "missing":
        filesystem.write_new(uri, {"emptied": b"", "shortened": content[:-1]}[how])


@pytest.mark.parametrize("how", ["missing", "emptied", "shortened"])
@pytest.mark.parametrize("kind", ["frame", "model", "document"])
def test_a_value_with_a_damaged_file_is_not_loaded(
    spark: SparkSession, hdfs_resource: HdfsResource, instance: dg.DagsterInstance, kind: str, how: str
) -> None:
    manager_class, value, _ = make_values(spark)[kind]
    remedies = {"thing": "rebuild {first} {last}"}
    resource = HdfsResource(spark=hdfs_resource.spark, base_uri=hdfs_resource.base_uri, remedies=remedies)
    seen: list[Any] = []

    @dg.asset
    def thing() -> AssetOutput:
        return AssetOutput(value, kept=True)

    @dg.asset
    def bare(thing: Any) -> None:
        seen.append(thing)

    @dg.asset
    def late(thing: AssetInput) -> None:
        with coded_failures():
            seen.append(thing.value)

    @dg.asset
    def small_files(thing: AssetInput) -> None:
        with coded_failures():
            seen.append(thing.files)

    manager = manager_class(hdfs=resource)
    assert run([thing], manager, instance).success
    current = resource.dataset("thing").current("all")
    assert current is not None
    file = max(current.record["files"].items(), key=lambda item: item[1])[0]
    damage(resource.filesystem, f"{current.uri}/{file}", how)
    result = run([thing, bare, late, small_files], manager, instance, only=["bare", "late", "small_files"])
    failed = [event for event in result.all_events if event.is_step_failure]
    assert sorted(str(event.step_key) for event in failed) == ["bare", "late", "small_files"]
    assert {failure_code(event) for event in failed} == {"storage.damaged-generation"}
    for event in failed:
        data = event.step_failure_data.user_failure_data
        assert data is not None
        values: Any = data.metadata["values"].value
        assert list(values["files"]) == [f"{current.uri}/{file}"]
        assert (values["subject"], values["remedy"]) == ("thing", "rebuild all all")
    assert seen == []


@pytest.mark.parametrize("kind", ["frame", "model", "document"])
def test_a_value_whose_folder_is_missing_is_not_loaded(
    spark: SparkSession, hdfs_resource: HdfsResource, instance: dg.DagsterInstance, kind: str
) -> None:
    manager_class, value, _ = make_values(spark)[kind]

    @dg.asset
    def thing() -> Any:
        return value

    @dg.asset
    def reader(thing: Any) -> None:
        pytest.fail("there is nothing to read")

    manager = manager_class(hdfs=hdfs_resource)
    assert run([thing], manager, instance).success
    current = hdfs_resource.dataset("thing").current("all")
    assert current is not None
    hdfs_resource.filesystem.rename(current.uri, f"{current.uri}-moved")
    (failure,) = [e for e in run([thing, reader], manager, instance, only=["reader"]).all_events if e.is_step_failure]
    assert failure_code(failure) == "storage.missing-generation"
    assert current.uri in str(failure.step_failure_data.error)


@pytest.mark.parametrize(
    ("kind", "kept", "handed_on"), [("model", True, True), ("model", False, False), ("frame", True, False)]
)
def test_only_a_kept_model_is_passed_on_in_its_process_and_other_values_are_read(
    spark: SparkSession,
    hdfs_resource: HdfsResource,
    instance: dg.DagsterInstance,
    kind: str,
    kept: bool,
    handed_on: bool,
) -> None:
    manager_class, value, essence = make_values(spark)[kind]
    seen: list[Any] = []

    @dg.asset
    def thing() -> AssetOutput:
        return AssetOutput(value, kept=kept)

    @dg.asset
    def later(thing: AssetInput) -> None:
        seen.append(thing.value)

    assert run([thing, later], manager_class(hdfs=hdfs_resource), instance).success
    assert run([thing, later], manager_class(hdfs=hdfs_resource), instance, only=["later"]).success
    assert [loaded is value for loaded in seen] == [handed_on, False], "another process has its own manager"
    assert [essence(loaded) for loaded in seen] == [essence(value)] * 2


@pytest.mark.parametrize("browse_url", [None, "http://namenode:9870/webhdfs/v1/traffic/{path}?op=OPEN"])
def test_the_opened_file_is_shown_with_a_link_if_browse_url_is_set(
    spark: SparkSession, hdfs_resource: HdfsResource, instance: dg.DagsterInstance, browse_url: str | None
) -> None:
    resource = HdfsResource(spark=hdfs_resource.spark, base_uri=hdfs_resource.base_uri, browse_url=browse_url)

    @dg.asset
    def thing() -> AssetOutput:
        return AssetOutput({"a": 1}, files={"page.html": b"<p>", "other.png": b""}, opened="page.html")

    result = run([thing], JsonIOManager(hdfs=resource), instance)
    (event,) = result.asset_materializations_for_node("thing")
    uri = event.metadata["file"].value
    assert isinstance(uri, str)
    assert uri == f"{event.metadata['path'].value}/{Internal.FILES}/page.html"
    assert resource.filesystem.read_bytes(uri) == b"<p>"
    if browse_url is None:
        assert "open" not in event.metadata
    else:
        below = uri.removeprefix(f"{resource.base_uri}/")
        assert event.metadata["open"].value == f"http://namenode:9870/webhdfs/v1/traffic/{below}?op=OPEN"


@pytest.mark.parametrize("kind", ["frame", "model", "document"])
def test_a_second_materialization_replaces_the_first_and_a_failed_one_does_not(
    spark: SparkSession, hdfs_resource: HdfsResource, instance: dg.DagsterInstance, kind: str
) -> None:
    manager_class, value, _ = make_values(spark)[kind]
    outputs: list[Any] = [value, value, object()]

    @dg.asset
    def thing() -> Any:
        return outputs.pop(0)

    manager = manager_class(hdfs=hdfs_resource)
    dataset = hdfs_resource.dataset("thing")
    ids = []
    for expected in (True, True, False):
        assert run([thing], manager, instance).success is expected
        current = dataset.current("all")
        assert current is not None
        ids.append(current.id)
    assert ids[0] < ids[1] == ids[2]
    staging = f"{dataset.root}/{Internal.STAGING}"
    assert hdfs_resource.filesystem.list(staging) == [], "a failed writer leaves nothing"


@pytest.mark.parametrize("good", [True, False])
def test_resources_of_a_value_are_released_whether_it_was_written_or_not(
    spark: SparkSession, hdfs_resource: HdfsResource, instance: dg.DagsterInstance, good: bool
) -> None:
    released: list[bool] = []

    def release() -> None:
        released.append(hdfs_resource.dataset("thing").current("all") is not None)
        if not good:
            raise ValueError("and there was nothing to release")

    @dg.asset
    def thing() -> AssetOutput:
        return AssetOutput({"x": 1} if good else object(), after=release)

    result = run([thing], JsonIOManager(hdfs=hdfs_resource), instance)
    assert result.success is good
    assert released == [good], "once, after the write"
    for failure in (e for e in result.all_events if e.is_step_failure):
        assert "not JSON serializable" in str(failure.step_failure_data.error), "the first error is reported"


def test_a_value_is_computed_again_if_another_run_published_meanwhile(
    spark: SparkSession, hdfs_resource: HdfsResource, instance: dg.DagsterInstance
) -> None:
    manager = JsonIOManager(hdfs=hdfs_resource)
    dataset = hdfs_resource.dataset("names")
    others = ["b", "c"]

    @dg.asset
    def names() -> AssetOutput:
        current = dataset.current("all")
        known = json.loads(hdfs_resource.filesystem.read_bytes(f"{current.uri}/{DOCUMENT}")) if current else []
        if others:
            added = others.pop(0)

            @dg.asset(name="names")
            def other() -> Any:
                return [*known, added]

            assert run([other], manager, instance).success
        return AssetOutput([*known, "a"], built_on={"all": current.id if current else None})

    result = run([names], manager, instance)
    assert result.success
    current = dataset.current("all")
    assert current is not None
    assert json.loads(hdfs_resource.filesystem.read_bytes(f"{current.uri}/{DOCUMENT}")) == ["b", "c", "a"]


def test_a_value_that_is_overtaken_each_time_fails_with_the_other_run(
    spark: SparkSession, hdfs_resource: HdfsResource, instance: dg.DagsterInstance
) -> None:
    @dg.asset
    def names() -> AssetOutput:
        return AssetOutput([], built_on={"all": "long gone"})

    @dg.asset(name="names")
    def other() -> Any:
        return []

    manager = JsonIOManager(hdfs=hdfs_resource)
    first = run([other], manager, instance)
    before = hdfs_resource.dataset("names").current("all")
    result = run([names], manager, instance)
    assert not result.success
    (failure,) = [e for e in result.all_events if e.is_step_failure]
    expected = messages.REPLACED_MEANWHILE(
        run_id=first.run_id, partition="all", root=hdfs_resource.dataset("names").root
    )
    assert expected in str(failure.step_failure_data.error)
    assert hdfs_resource.dataset("names").current("all") == before


def test_keys_with_equal_last_parts_do_not_collide(
    spark: SparkSession, hdfs_resource: HdfsResource, instance: dg.DagsterInstance
) -> None:
    @dg.asset(key=["a", "thing"])
    def one() -> Any:
        return {"from": "a"}

    @dg.asset(key=["b", "thing"])
    def other() -> Any:
        return {"from": "b"}

    assert run([one, other], JsonIOManager(hdfs=hdfs_resource), instance).success
    assert hdfs_resource.dataset(dg.AssetKey(["a", "thing"])).root != hdfs_resource.dataset("b/thing").root
    assert hdfs_resource.dataset("a/thing").current("all") is not None


class TextIOManager(HdfsIOManager):
    """IO manager for a text per day, without Spark."""

    def _write(self, value: Any, folder: str, partitions: Sequence[str]) -> dict[str, dict[str, Any]]:
        for key in partitions:
            self.storage.filesystem.write_new(f"{self._folder(folder, key)}/part-0", value[key].encode())
        return {key: {"rows": 1} for key in partitions}

    def _read(self, generations: Sequence[Generation], subfolder: str | None) -> Any:
        pytest.fail("these tests only write")


class TestPartialPublication:
    """Storage that fails after some days of a range are published; on the local disk, without Spark."""

    @pytest.fixture
    def manager(self, tmp_path: Path) -> TextIOManager:
        resource = HdfsResource(spark=SparkResource(), base_uri=f"file://{tmp_path}")
        return TextIOManager(hdfs=resource, partition_column="date")

    @pytest.fixture
    def texts(self) -> dg.AssetsDefinition:
        @dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
        def texts() -> Mapping[str, str]:
            return {FIRST: "a", SECOND: "b", THIRD: "c"}

        return texts

    def test_the_days_that_readers_see_are_recorded(
        self, manager: TextIOManager, texts: dg.AssetsDefinition, instance: dg.DagsterInstance
    ) -> None:
        dataset = manager.storage.dataset("texts", "date")
        in_the_way = f"{dataset.root}/{Internal.POINTERS}/{THIRD}.json"
        dataset.filesystem.mkdirs(in_the_way)
        result = run([texts], manager, instance, [FIRST, THIRD])
        (failure,) = [e for e in result.all_events if e.is_step_failure]
        assert "Is a directory" in str(failure.step_failure_data.error)
        published = dataset.current_generations([FIRST, SECOND])
        assert list(published) == recorded(instance, "texts") == [FIRST, SECOND]
        (event,) = instance.fetch_materializations(
            dg.AssetRecordsFilter(dg.AssetKey("texts"), asset_partitions=[SECOND]), limit=10
        ).records
        assert event.asset_materialization is not None
        assert event.asset_materialization.metadata["generation"].value == published[SECOND].id

    def test_nothing_is_recorded_during_retries_and_published_days_at_the_end(
        self,
        manager: TextIOManager,
        texts: dg.AssetsDefinition,
        instance: dg.DagsterInstance,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        replace = LocalFileSystem.replace
        seen: list[list[str]] = []

        def silent_at_the_second(filesystem: LocalFileSystem, src: str, dst: str) -> None:
            if dst.endswith(f"{SECOND}.json"):
                seen.append(recorded(instance, "texts"))
                raise StorageError("The storage does not answer", "frozen", retryable=True)
            replace(filesystem, src, dst)

        monkeypatch.setattr(LocalFileSystem, "replace", silent_at_the_second)
        monkeypatch.setattr(retries, "SECONDS_BETWEEN", 0)
        assert not run([texts], manager, instance, [FIRST, THIRD]).success
        assert seen == [[]] * (1 + retries.RETRIES)
        assert recorded(instance, "texts") == [FIRST]


class TestDays:
    """DataFrames of many days in one run."""

    @pytest.fixture
    def manager(self, hdfs_resource: HdfsResource) -> DataFrameIOManager:
        return DataFrameIOManager(hdfs=hdfs_resource, partition_column="date")

    @pytest.fixture
    def days(self, spark: SparkSession) -> dg.AssetsDefinition:
        @dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
        def days() -> Any:
            return frame(spark, [(FIRST, 1), (FIRST, 2), (THIRD, 3), ("2025-12-31", 99)])

        return days

    def test_each_day_has_its_own_rows_and_metadata_and_an_empty_one_its_schema(
        self, spark: SparkSession, manager: DataFrameIOManager, days: dg.AssetsDefinition, instance: dg.DagsterInstance
    ) -> None:
        result = run([days], manager, instance, [FIRST, THIRD])
        assert result.success
        shown = {
            e.partition: e.metadata["dagster/row_count"].value for e in result.asset_materializations_for_node("days")
        }
        assert shown == {FIRST: 2, SECOND: 0, THIRD: 1}
        dataset = manager.storage.dataset("days", "date")
        assert dataset.partitions() == [FIRST, SECOND, THIRD], "only the days of the range"
        empty = dataset.current(SECOND)
        assert empty is not None
        assert spark.read.parquet(empty.uri).columns == ["x"]

    def test_two_generations_never_double_rows(
        self, spark: SparkSession, manager: DataFrameIOManager, days: dg.AssetsDefinition, instance: dg.DagsterInstance
    ) -> None:
        for _ in range(2):
            assert run([days], manager, instance, [FIRST, THIRD]).success
        root = manager.storage.dataset("days").root
        assert sorted(map(tuple, read_current(spark, root).select("date", "x").collect())) == [
            (FIRST, 1), (FIRST, 2), (THIRD, 3)
        ]  # fmt: skip
        with pytest.raises(Exception, match=r"UNABLE_TO_INFER_SCHEMA|PATH_NOT_FOUND"):
            spark.read.parquet(root).count()

    def test_the_days_before_are_read_too_if_they_are_published(
        self, manager: DataFrameIOManager, days: dg.AssetsDefinition, instance: dg.DagsterInstance
    ) -> None:
        seen: list[tuple[list[str], list[int]]] = []

        @dg.asset(
            partitions_def=DAYS,
            backfill_policy=dg.BackfillPolicy.single_run(),
            ins={"days": dg.AssetIn(metadata={LOOKBACK: 1})},
        )
        def later(days: AssetInput) -> None:
            seen.append((list(days.generations), sorted(row.x for row in days.value.collect())))

        assert run([days], manager, instance, [FIRST, THIRD]).success
        for range_ in ([FIRST, FIRST], [SECOND, THIRD]):
            assert run([days, later], manager, instance, range_, only=["later"]).success
        assert seen == [([FIRST], [1, 2]), ([FIRST, SECOND, THIRD], [1, 2, 3])]

    def test_good_days_are_published_and_recorded_before_the_run_fails_naming_the_bad(
        self, spark: SparkSession, manager: DataFrameIOManager, instance: dg.DagsterInstance
    ) -> None:
        @dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
        def days() -> AssetOutput:
            rows = frame(spark, [(FIRST, 1), (SECOND, 2), (THIRD, 3)])
            return AssetOutput(rows, refused={SECOND: "half of it is noise"})

        result = run([days], manager, instance, [FIRST, THIRD])
        assert not result.success
        (failure,) = [e for e in result.all_events if e.is_step_failure]
        assert f"{SECOND}: half of it is noise" in str(failure.step_failure_data.error)
        assert failure_code(failure) == "storage.partitions-refused"
        assert manager.storage.dataset("days").partitions() == [FIRST, THIRD]
        assert recorded(instance, "days") == [FIRST, THIRD]

    def test_later_steps_work_on_the_good_days_and_the_last_fails_the_run_naming_the_bad(
        self, spark: SparkSession, manager: DataFrameIOManager, instance: dg.DagsterInstance
    ) -> None:
        noise = {SECOND: "half of it is noise"}
        refused: list[dict[str, str]] = [{}, noise, {}]
        seen: list[list[str]] = []

        @dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
        def days() -> AssetOutput:
            return AssetOutput(frame(spark, [(FIRST, 1), (SECOND, 2), (THIRD, 3)]), refused=refused.pop(0))

        @dg.asset(
            partitions_def=DAYS,
            backfill_policy=dg.BackfillPolicy.single_run(),
            ins={"days": dg.AssetIn(metadata={LOOKBACK: 1})},
        )
        def later(context: dg.AssetExecutionContext, days: AssetInput) -> AssetOutput:
            for day in context.partition_keys:
                context.add_asset_metadata({"note": f"of {day}"}, partition_key=day)
            seen.append(sorted(row.x for row in days.value.collect()))
            return AssetOutput(days.value.selectExpr("date", "10 * x AS x"), refused=days.refused)

        assert run([days, later], manager, instance, [FIRST, THIRD]).success
        both = ("days", "later")
        before = {key: manager.storage.dataset(key, "date").current_generations() for key in both}
        bad = run([days, later], manager, instance, [FIRST, THIRD])
        assert not bad.success
        (failure,) = [e for e in bad.all_events if e.is_step_failure]
        assert failure.step_key == "later"
        expected = messages.PARTITIONS_REFUSED(asset="later", published=2, count=1, refused=noise)
        assert expected in str(failure.step_failure_data.error)
        assert f"\n  {SECOND}: half of it is noise.\n" in expected
        assert failure_code(failure) == "storage.partitions-refused"
        after = {key: manager.storage.dataset(key, "date").current_generations() for key in both}
        for key in both:
            assert [d for d in before[key] if before[key][d].id == after[key][d].id] == [SECOND], key
            newest = get_newest(instance, key)
            assert newest[SECOND] < min(newest[FIRST], newest[THIRD]), "the refused day is not materialized again"
        shown = instance.fetch_materializations(
            dg.AssetRecordsFilter(dg.AssetKey("later"), asset_partitions=[THIRD]), limit=1
        ).records[0]
        assert shown.asset_materialization is not None
        assert shown.asset_materialization.metadata["note"].value == f"of {THIRD}"
        assert shown.asset_materialization.metadata["dagster/row_count"].value == 1
        (observed,) = instance.fetch_observations(dg.AssetKey("days"), limit=10).records
        assert observed.partition_key == SECOND
        assert observed.asset_observation is not None
        assert observed.asset_observation.metadata["code"].value == "storage.partition-refused"

        # a run that continues the failed one must not accept the earlier data; a run of only that day replaces it
        again = run([days, later], manager, instance, [FIRST, THIRD], only=["later"], parent=bad.run_id)
        assert not again.success
        assert manager.storage.dataset("later", "date").current_generations()[SECOND].id == before["later"][SECOND].id
        assert run([days, later], manager, instance, [SECOND, SECOND]).success
        assert manager.storage.dataset("later", "date").current_generations()[SECOND].id != before["later"][SECOND].id
        assert seen[-1] == [1, 2], "the day and the one before it"
        assert run([days, later], manager, instance, [FIRST, THIRD], only=["later"], parent=bad.run_id).success

    def test_the_good_days_of_a_first_run_are_processed_even_if_one_was_never_published(
        self, spark: SparkSession, manager: DataFrameIOManager, instance: dg.DagsterInstance
    ) -> None:
        @dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
        def days() -> AssetOutput:
            rows = frame(spark, [(FIRST, 1), (SECOND, 2), (THIRD, 3)])
            return AssetOutput(rows, refused={SECOND: "half of it is noise"})

        @dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
        def later(days: AssetInput) -> AssetOutput:
            return AssetOutput(days.value, refused=days.refused)

        assert not run([days, later], manager, instance, [FIRST, THIRD]).success
        for key in ("days", "later"):
            assert manager.storage.dataset(key, "date").partitions() == recorded(instance, key) == [FIRST, THIRD]

    def test_an_asset_that_does_not_accept_refusals_fails_with_them(
        self, spark: SparkSession, manager: DataFrameIOManager, instance: dg.DagsterInstance
    ) -> None:
        @dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
        def days() -> AssetOutput:
            return AssetOutput(frame(spark, [(FIRST, 1)]), refused={SECOND: "half of it is noise"})

        @dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
        def later(days: Any) -> Any:
            return days

        result = run([days, later], manager, instance, [FIRST, SECOND])
        (failure,) = [e for e in result.all_events if e.is_step_failure]
        assert failure.step_key == "later"
        expected = messages.INPUT_REFUSED(asset="days", count=1, refused={SECOND: "half of it is noise"})
        assert expected in str(failure.step_failure_data.error)
        assert recorded(instance, "later") == []

    def test_folders_next_to_the_rows_are_not_read_with_them(
        self, spark: SparkSession, manager: DataFrameIOManager, instance: dg.DagsterInstance
    ) -> None:
        @dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
        def days() -> AssetOutput:
            return AssetOutput(frame(spark, [(FIRST, 1)]), folders={Internal.QUARANTINE: frame(spark, [(FIRST, 666)])})

        assert run([days], manager, instance, [FIRST, SECOND]).success
        current = manager.storage.dataset("days").current(FIRST)
        assert current is not None
        assert [row.x for row in spark.read.parquet(current.uri).collect()] == [1]
        assert [row.x for row in spark.read.parquet(f"{current.uri}/{Internal.QUARANTINE}").collect()] == [666]

    def test_a_day_that_was_never_published_is_in_the_error(
        self, manager: DataFrameIOManager, days: dg.AssetsDefinition, instance: dg.DagsterInstance
    ) -> None:
        @dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
        def later(days: Any) -> None: ...

        result = run([days, later], manager, instance, [FIRST, SECOND], only=["later"])
        (failure,) = [e for e in result.all_events if e.is_step_failure]
        root = manager.storage.dataset("days").root
        expected = messages.MISSING_PARTITION(asset="days", partitions=[FIRST, SECOND], root=root)
        assert expected in str(failure.step_failure_data.error)
