"""Sentences about the results, which claim no more than the tests show."""

import math
from dataclasses import replace
from typing import get_args

import pytest

from traffic_assets.ml.evaluation.comparison import FOLDS_TEST, TIME_TEST, TITLES
from traffic_assets.ml.evaluation.importances import Importances
from traffic_assets.ml.metrics.metrics import Spread
from traffic_assets.report import findings
from traffic_assets.settings.training import SplitSettings
from traffic_assets_tests.report.examples import board, difference, lane, metrics, report


def test_the_headline_has_the_best_model_the_difference_and_its_significance() -> None:
    assert findings.headline(board()) == (
        "Random forest is the best model of the week: its mean RMSE over 2 folds of the train rows is 1.0000 mph. "
        "The mean RMSE of Linear regression is larger by 0.5000 mph (50%). Over the folds Random forest is "
        "significantly better (corrected p = 0.004); on the temporal holdout, by squared error, the difference "
        "is not statistically significant (corrected p = 0.4)."
    )


def test_a_test_that_was_not_done_is_listed_with_the_reason() -> None:
    whole = board()
    assert "Not tested" not in findings.describe_tests(whole)
    text = findings.describe_tests(board(differences=whole.differences[:1]))
    assert f"Tests: {TITLES[FOLDS_TEST]}. " in text
    assert f"Not tested: {TITLES[TIME_TEST]} (there are fewer than 20 instants, they span less than 24 hours" in text


def test_the_text_names_the_model_that_is_better_on_the_temporal_holdout() -> None:
    other = "linear_regression"
    example = board(differences=[difference(other, "random_forest", TIME_TEST, -0.2, 0.0001)])
    assert findings.describe_differences(example) == [
        "The mean RMSE of Linear regression is larger by 0.5000 mph (50%). On the temporal holdout, by squared error, "
        "Linear regression is significantly better (corrected p < 0.001)."
    ]


def test_a_difference_at_the_level_is_not_significant() -> None:
    at = board(differences=[difference("linear_regression", "random_forest", FOLDS_TEST, 0.5, 0.05)])
    assert "not statistically significant" in findings.headline(at)


def test_without_tests_nothing_is_claimed() -> None:
    example = board(differences=[])
    assert findings.headline(example).endswith(
        "Whether the difference is statistically significant could not be tested."
    )
    assert findings.describe_tests(example).count("Not tested: ") == 2


def test_the_text_uses_the_primary_metric() -> None:
    def make_lane(name: str, mean: float) -> object:
        made = lane(name, 1.0)
        return replace(made, standing=made.standing.model_copy(update={"folds": Spread(mean=mean, std=0.0)}))

    lanes = [make_lane("random_forest", 0.99), make_lane("linear_regression", 0.97)]
    text = findings.headline(board(primary_metric="r2", lanes=lanes))
    assert "its mean R² over 2 folds of the train rows is 0.99000." in text
    assert "The mean R² of Linear regression is smaller by 0.02000." in text
    lanes = [make_lane("random_forest", 0.5), make_lane("linear_regression", math.nan)]
    assert "Linear regression cannot be compared by RMSE." in findings.headline(board(lanes=lanes))
    lanes = [make_lane("random_forest", 0.5), make_lane("linear_regression", 0.5)]
    assert "The mean RMSE of Linear regression is the same." in findings.headline(board(lanes=lanes))


def test_missed_thresholds_are_listed_in_correct_grammar() -> None:
    assert findings.threshold_summary(board()) == "Linear regression misses thresholds and is not registered."
    both = [lane("random_forest", 1.0, missed=True), lane("linear_regression", 1.5, missed=True)]
    assert findings.threshold_summary(board(lanes=both)) == (
        "Random forest and Linear regression miss thresholds and are not registered."
    )
    assert "All thresholds are met (Random forest)" in findings.threshold_summary(
        board(lanes=[lane("random_forest", 1.0)])
    )
    free = [lane("random_forest", 1.0, targets=[])]
    assert findings.threshold_summary(board(lanes=free)) == "These models have no thresholds."


def test_caveats_match_the_week() -> None:
    plain = " ".join(findings.caveats(report()))
    assert "random holdout is optimistic" in plain
    assert "computed from the observed speed" not in plain
    assert "The registered model itself was fitted on rows of the whole window" in plain
    in_time = " ".join(findings.caveats(report(split_kind="temporal")))
    assert "optimistic" not in in_time
    assert "The registered model itself was fitted on rows of its first part" in in_time
    unseen = " ".join(findings.caveats(report(split_kind="sensor")))
    assert "optimistic" not in unseen
    assert "sensors that the model has not seen" in unseen
    made = lane("random_forest", 1.0)
    weights = {"traffic_efficiency": 0.7, "speed_lag_1": 0.2, "flow_rate*congestion_level": 0.1}
    knowing = replace(
        made,
        scores=made.scores.model_copy(update={"importances": Importances(kind="w", features=weights, slots=weights)}),
    )
    assert "flow_rate*congestion_level and traffic_efficiency are computed from the observed speed" in " ".join(
        findings.caveats(report(board(lanes=[knowing])))
    )


def test_caveats_are_about_shown_results_only() -> None:
    made = lane("random_forest", 1.0)
    without = made.diagnostics.model_copy(update={"slices": [], "interval": None, "confidence": None})
    bare = report(board(lanes=[replace(made, diagnostics=without)], differences=[]))
    words = ("prediction interval", "Confidence intervals", "slices", "Not statistically significant")
    plain, left = " ".join(findings.caveats(report())), " ".join(findings.caveats(bare))
    assert [word for word in words if word not in plain] == []
    assert [word for word in words if word in left] == []


def test_what_is_held_out_is_named_after_the_split() -> None:
    kinds: tuple[str, ...] = get_args(SplitSettings.model_fields["kind"].annotation)
    text = [findings.describe_test_split(report(split_kind=kind)) for kind in kinds]
    assert len(set(text)) == len(kinds)
    assert [kind for kind, words in zip(kinds, text, strict=True) if "random" in words] == ["random"]


def test_how_optimistic_the_holdout_is() -> None:
    assert findings.optimism(lane("random_forest", 1.0)) == (
        "On the temporal holdout, the error is 2 times that on the test split."
    )
    made = lane("random_forest", 1.0)
    same = replace(made, standing=made.standing.model_copy(update={"temporal": metrics(1.0)}))
    assert "not notably larger" in findings.optimism(same)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0.0000"),
        (0.123456, "0.1235"),
        (-0.00012346, "-0.0001"),
        (12.3456, "12.35"),
        (1234.5678, "1,235"),
        (math.nan, "–"),
        (None, "–"),
        (math.inf, "–"),
    ],
)
def test_numbers_have_decimals_that_suit_their_size(value: float | None, shown: str) -> None:
    assert findings.number(value) == shown
