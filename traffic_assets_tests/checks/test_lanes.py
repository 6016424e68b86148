"""The gate and the warnings of a lane."""

from pathlib import Path

import dagster as dg

from traffic_assets import checks
from traffic_assets.assets.keys import asset_key
from traffic_assets.assets.lanes import Lane
from traffic_assets.dagster_hdfs.values import AssetInput
from traffic_assets.messages.evaluation import NO_CROSS_VALIDATION
from traffic_assets.partitions import build_weekly_partitions
from traffic_assets_tests.runs import QUIET, failure_codes
from traffic_assets_tests.tiny import WEEK, tiny_settings


def test_an_error_in_a_gate_or_a_warning_has_its_code(tmp_path: Path) -> None:
    class Unreadable(dg.IOManager):
        def handle_output(self, context: dg.OutputContext, obj: object) -> None: ...

        def load_input(self, context: dg.InputContext) -> AssetInput:
            return AssetInput(self.read, {})

        def read(self) -> None:
            raise ValueError(NO_CROSS_VALIDATION(thresholds=["cv_r2_mean_min"]))

    settings = tiny_settings(tmp_path)
    lane = Lane("linear_regression")

    @dg.asset(key=asset_key(lane.evaluation), partitions_def=build_weekly_partitions(settings))
    def evaluation() -> None: ...

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [evaluation, *checks.build_lane(lane, settings)],
            partition_key=WEEK,
            instance=instance,
            resources={"io_manager": Unreadable()},
            raise_on_error=False,
            run_config=QUIET,
        )
    steps = {f"linear_regression_evaluation_{name}" for name in (checks.GATE, "training_time")}
    assert failure_codes(result) == dict.fromkeys(steps, NO_CROSS_VALIDATION.code)


def test_every_check_is_blocking_unless_it_only_warns(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, {"evaluation": {"model_size_mb": {"low": 1, "high": 2}}})
    every = [*checks.build(settings), *checks.build_lane(Lane("random_forest"), settings)]
    blocking = {spec.name for check in every for spec in check.check_specs if spec.blocking}
    warning = {spec.name for check in every for spec in check.check_specs if not spec.blocking}
    assert blocking == {"split_ratios_hold", "no_shared_key", "no_null_in_vector", "standardised", "meets_targets"}
    assert warning == {"training_time", "top_feature", "model_size"}
