"""The comparison of a week's models."""

from traffic_assets.assets.evaluation import COMPARISON
from traffic_assets_tests.deployment import Deployment
from traffic_assets_tests.runs import metadata_of
from traffic_assets_tests.tiny import LANES


def test_the_leaderboard_is_in_order_and_has_both_verdicts(trained: Deployment) -> None:
    board = trained.document(COMPARISON)["leaderboard"]
    assert {row["model"] for row in board} == set(LANES)
    errors = [row["test"]["rmse"] for row in board]
    assert errors == sorted(errors)
    assert all(row["temporal"]["rmse"] > 0 for row in board)


def test_the_comparison_shows_the_board_the_best_and_a_picture(trained: Deployment) -> None:
    assert trained.train is not None
    shown = metadata_of(trained.train, COMPARISON)
    board = trained.document(COMPARISON)["leaderboard"]
    assert shown["best"] == board[0]["model"]
    assert len(shown["leaderboard"].records) == len(LANES)
    assert shown["picture"].startswith("![](data:image/png;base64,")


def test_the_comparison_scores_the_models_as_their_evaluations_do(trained: Deployment) -> None:
    """Two ways to the same number: the gated evaluation, and the comparison that no gate can hide."""
    for row in trained.document(COMPARISON)["leaderboard"]:
        judged = trained.document(f"{row['model']}_evaluation")
        assert row["test"] == judged["test"]
        assert row["temporal"] == judged["temporal"]["metrics"]
