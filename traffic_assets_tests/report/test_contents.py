"""Contents of a report: the order of the leaderboard, and all costs that the assets stored."""

from dataclasses import fields

from traffic_assets.dagster_hdfs.costs import Cost
from traffic_assets.report.contents import StepCost
from traffic_assets_tests.report.examples import board, lane


def test_the_best_leads_the_leaderboard_whatever_its_error_on_test() -> None:
    """Check that the folds choose the best, and not the test rows."""
    lucky, chosen = lane("linear_regression", 0.5), lane("random_forest", 1.0)
    assert board(lanes=[chosen, lucky]).best is chosen


def test_every_measured_cost_of_a_step_has_a_field() -> None:
    cost = Cost(wall_seconds=2.0, cpu_seconds=3.0, peak_memory_mb=512.0, shuffle_bytes=7, spill_bytes=5)
    measured = {name.removeprefix("cost_"): value for name, value in cost.metadata(rows=100).items()}
    kept = StepCost("random_forest_model", **measured)
    assert {field.name for field in fields(kept)} == {"step", *measured}
    assert kept.rows_per_second == 50.0
