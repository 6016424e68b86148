"""The evaluation steps of a lane: both holdout evaluations, with their figures."""

import pytest

from traffic_assets.assets.lane_evaluation import THUMBNAIL
from traffic_assets.assets.lanes import Lane
from traffic_assets_tests.deployment import Deployment
from traffic_assets_tests.runs import get_metadata
from traffic_assets_tests.tiny import LANES


@pytest.mark.parametrize("name", LANES)
def test_the_evaluation_shows_both_holdouts_and_figures(trained: Deployment, name: str) -> None:
    assert trained.train is not None
    shown = get_metadata(trained.train, Lane(name).evaluation)
    assert shown[THUMBNAIL].startswith("![](data:image/png;base64,")
    for picture in (
        *("picture_file", "residuals", "importances", "residual_distribution"),
        *("residuals_over_time", "errors_by_slice", "interval_coverage"),
    ):
        assert trained.hdfs.filesystem.read_bytes(shown[picture]).startswith(b"\x89PNG")
    assert shown["picture_file"].endswith(f"/{THUMBNAIL}.png"), "the figure of the thumbnail at full size"
    assert [record.data["evaluation"] for record in shown["verdicts"].records] == ["test split", "temporal holdout"]
    assert all({"rmse", "bias", "p95"} <= record.data.keys() for record in shown["verdicts"].records)
    stored = trained.document(Lane(name).evaluation)
    assert shown["rmse"] == stored["test"]["rmse"]
    assert shown["temporal_rmse"] == stored["temporal"]["metrics"]["rmse"]
