"""The prefix of a deployment: a location with it equals one without, and two of them share an instance."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from traffic_assets.build import build_defs
from traffic_assets.naming import DEPLOYMENT_TAG, RUN_TAG, add_key_prefix
from traffic_assets.sensors import FEATURES, ROW_COUNT, SENSOR
from traffic_assets.settings import SettingsError
from traffic_assets_tests.test_build import BOTH_TARGETS, describe
from traffic_assets_tests.tiny import DAYS, WEEK, tiny_settings

SAN_DIEGO = {"deployment": "san_diego"}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def without_prefix(described: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(described).replace("san_diego/", "").replace("san_diego_", "")
    content: dict[str, Any] = json.loads(text)
    for asset in content["assets"].values():
        assert asset["tags"].pop(DEPLOYMENT_TAG) == "san_diego"
    for job in content["jobs"].values():
        assert job["tags"].pop(RUN_TAG) == "san_diego"
    return content


def test_only_names_differ_with_a_deployment(tmp_path: Path) -> None:
    plain = describe(build_defs(tiny_settings(tmp_path, BOTH_TARGETS)))
    named = describe(build_defs(tiny_settings(tmp_path, {**BOTH_TARGETS, **SAN_DIEGO})))
    assert all(key.startswith("san_diego/") for key in [*named["assets"], *named["checks"]])
    assert all(name.startswith("san_diego_") for name in [*named["jobs"], *named["sensors"]])
    described = without_prefix(named)
    for asset in [*plain["assets"].values(), *described["assets"].values()]:
        asset.setdefault("tags", {})
    assert described == json.loads(json.dumps(plain))


def test_own_assets_and_checks_get_the_prefix(tmp_path: Path) -> None:
    @dg.asset(deps=["feature_table", "weather"])
    def summary() -> None: ...

    @dg.asset_check(asset="summary", additional_deps=["described"])
    def is_short() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    described = dg.AssetSpec("described", deps=["summary"])
    own: dict[str, Any] = {"extra_assets": [summary, described], "extra_checks": [is_short]}
    graph = build_defs(tiny_settings(tmp_path, SAN_DIEGO), **own).resolve_asset_graph()
    parents = {key.to_user_string() for key in graph.get(add_key_prefix("summary", "san_diego")).parent_keys}
    assert parents == {"san_diego/feature_table", "weather"}, "an asset of another location keeps its key"
    assert graph.get(add_key_prefix("described", "san_diego")).parent_keys == {dg.AssetKey(["san_diego", "summary"])}
    check = graph.get(dg.AssetCheckKey(dg.AssetKey(["san_diego", "summary"]), "is_short"))
    assert {key.to_user_string() for key in check.parent_entity_keys} == {"san_diego/summary", "san_diego/described"}


def test_a_check_waits_for_its_other_asset(tmp_path: Path) -> None:
    @dg.asset(io_manager_key="memory")
    def expected() -> int:
        return 1

    @dg.asset(io_manager_key="memory")
    def counted() -> int:
        return 1

    @dg.asset_check(asset="counted", additional_ins={"other": dg.AssetIn("expected")})
    def agrees(counted: int, other: int) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=counted == other)

    defs = build_defs(
        tiny_settings(tmp_path, SAN_DIEGO),
        {"memory": dg.InMemoryIOManager()},
        extra_assets=[counted, expected],
        extra_checks=[agrees],
    )
    job = dg.define_asset_job(
        "own", dg.AssetSelection.assets(*(["san_diego", name] for name in ("counted", "expected")))
    )
    result = dg.Definitions.merge(defs, dg.Definitions(jobs=[job])).resolve_job_def("own").execute_in_process()
    (evaluation,) = result.get_asset_check_evaluations()
    assert evaluation.passed
    assert evaluation.asset_key == dg.AssetKey(["san_diego", "counted"])


@pytest.mark.parametrize("name", ["San Diego", "san-diego", "a/b", "flow", "x" * 41])
def test_a_name_that_dagster_or_a_target_cannot_share_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError) as refused:
        tiny_settings(tmp_path, {"deployment": name})
    (problem,) = refused.value.problems
    assert problem.values["path"] == "deployment"


def test_features_of_one_deployment_start_no_training_of_another(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    for day in DAYS:
        event = dg.AssetMaterialization(["san_diego", *FEATURES.path], partition=day, metadata={ROW_COUNT: 10})
        instance.report_runless_asset_event(event)
    requested = {}
    for deployment in ("", "san_diego", "los_angeles"):
        defs = build_defs(tiny_settings(tmp_path / deployment, {"deployment": deployment}))
        name = f"{deployment}_{SENSOR}" if deployment else SENSOR
        result: Any = defs.resolve_sensor_def(name)(dg.build_sensor_context(instance=instance))
        requested[deployment] = [(r.partition_key, sorted(r.tags)) for r in getattr(result, "run_requests", None) or []]
    assert requested == {
        "": [],
        "san_diego": [(WEEK, ["dagster/max_retries", "san_diego.traffic_assets/features_storage_id"])],
        "los_angeles": [],
    }
