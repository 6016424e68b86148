"""The comparison of a week's models."""

from traffic_assets.assets.evaluation import COMPARISON
from traffic_assets_tests.deployment import Deployment
from traffic_assets_tests.runs import metadata_of
from traffic_assets_tests.tiny import LANES


def test_the_leaderboard_is_in_order_and_has_both_verdicts(trained: Deployment) -> None:
    board = trained.document(COMPARISON)["leaderboard"]
    assert {row["model"] for row in board} == set(LANES)
    errors = [row["folds"]["mean"] for row in board]
    assert errors == sorted(errors), "by cross-validation: test rows choose nothing"
    assert all(row["temporal"]["rmse"] > 0 for row in board)


def test_the_comparison_shows_the_board_the_best_and_a_picture(trained: Deployment) -> None:
    assert trained.train is not None
    shown = metadata_of(trained.train, COMPARISON)
    board = trained.document(COMPARISON)["leaderboard"]
    assert shown["best"] == board[0]["model"]
    assert len(shown["leaderboard"].records) == len(LANES)
    assert shown["picture"].startswith("![](data:image/png;base64,")


def test_the_comparison_scores_the_models_as_their_evaluations_do(trained: Deployment) -> None:
    """One scoring, behind no gate, for both: the gated evaluation, and the comparison that no gate can hide."""
    for row in trained.document(COMPARISON)["leaderboard"]:
        judged = trained.document(f"{row['model']}_evaluation")
        assert row["test"] == judged["test"]
        assert row["temporal"] == judged["temporal"]["metrics"]


def test_every_model_is_held_against_the_best_with_corrected_p_values(trained: Deployment) -> None:
    assert trained.train is not None
    found = trained.document(COMPARISON)
    best = found["leaderboard"][0]["model"]
    assert {(c["model"], c["best"]) for c in found["differences"]} == {(name, best) for name in LANES if name != best}
    assert all(c["adjusted"] >= c["p_value"] for c in found["differences"])
    shown = metadata_of(trained.train, COMPARISON)
    assert len(shown["differences"].records) == len(found["differences"])
    assert shown["correction"] == "Holm (1979)"


def test_an_evaluation_tells_where_the_model_fails_and_how_sure_it_is(trained: Deployment) -> None:
    assert trained.train is not None
    for name in LANES:
        shown = metadata_of(trained.train, f"{name}_evaluation")
        stored = trained.document(f"{name}_evaluation")["diagnostics"]
        assert shown["interval_asked"] == 0.9
        assert shown["interval_covered"] == stored["interval"]["covered"]
        assert shown["rmse_low"] < shown["rmse"] < shown["rmse_high"]
        worst = [record.data["rmse"] for record in shown["worst_slices"].records]
        assert worst == sorted(worst, reverse=True)
        assert {s["dimension"] for s in stored["slices"]} >= {"hour", "weekday", "sensor", "highway", "regime"}
