"""Sentences about the results of a week. They claim no more than the tests show."""

import math

from traffic_assets.ml.evaluation.comparison import FOLDS_TEST, TIME_TEST, TITLES, UNTESTED
from traffic_assets.ml.evaluation.significance import CORRECTION, Comparison
from traffic_assets.ml.metrics.metrics import custom_metrics, make_sort_key
from traffic_assets.ml.preprocessing.formulas import is_leaky
from traffic_assets.report.contents import Board, LaneReport, Report

_HELD_OUT = {
    "random": "a random holdout",
    "temporal": "the last part of the window",
    "sensor": "sensors without a row in train",
}
_NAMES = {"rmse": "RMSE", "mae": "MAE", "mape": "MAPE", "r2": "R²"}


def get_title(metric: str) -> str:
    """Return the title of a metric."""
    custom = custom_metrics().get(metric)
    return custom.title if custom else _NAMES.get(metric, metric)


def number(value: float | None) -> str:
    """Return a number with decimals that depend on its size; a dash for None, NaN and infinity.

    >>> number(12.3456), number(1234.5678), number(None)
    ('12.35', '1,235', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    size = abs(value)
    return f"{value:,.{4 if size < 10 else 2 if size < 1000 else 0}f}"


def metric(name: str, value: float | None, unit: str = "") -> str:
    """Return a metric or its standard deviation as text.

    Args:
        name: Name of the metric; MAPE is shown as a percentage.
        value: Value of the metric.
        unit: Unit of the target, shown after RMSE and MAE; empty for none.
    """
    if value is None or not math.isfinite(value):
        return "–"
    if name == "mape":
        return f"{value:.2%}"
    if name == "r2":
        return f"{value:.5f}"
    if unit and (custom := custom_metrics().get(name)):
        unit = custom.unit
    return f"{number(value)} {unit}".rstrip()


def headline(board: Board) -> str:
    """Return which model is best, by how much, and whether the difference is statistically significant."""
    best, chosen_by = board.best, board.primary_metric
    result = (
        f"{best.title} is the best model of the week: its mean {get_title(chosen_by)} over "
        f"{len(best.search.best.folds)} folds of the train rows is {metric(chosen_by, _folds_mean(best), board.unit)}."
    )
    if len(board.lanes) == 1:
        return f"{result} It is the only model, so there is no comparison."
    return f"{result} {describe_differences(board)[0]}"


def describe_differences(board: Board) -> list[str]:
    """Return a sentence for each other model: its distance to the best, and whether that is significant."""
    return [f"{_distance(board, lane)} {_significance(board, lane)}" for lane in board.lanes[1:]]


def describe_tests(board: Board) -> str:
    """Return which tests were done, and how their p-values were corrected."""
    tests = sorted({comparison.test for comparison in board.differences})
    done = [
        f"Tests: {'; '.join(map(test_title, tests))}. Within each test, the p-values are corrected for the number of "
        f"models by {CORRECTION}; a difference is statistically significant if the corrected p is below "
        f"{board.significance_level:.15g}."
    ]
    missing = [f"Not tested: {test_title(test)} ({reason})." for test, reason in UNTESTED.items() if test not in tests]
    return " ".join((done if tests else []) + missing)


def test_title(test: str) -> str:
    """Return the display name of a test."""
    return TITLES.get(test, test)


def threshold_summary(board: Board) -> str:
    """Return which models miss their thresholds."""
    missed = [lane.title for lane in board.lanes if lane.standing.targets == "missed"]
    limited = [lane.title for lane in board.lanes if lane.standing.targets != "none set"]
    if not limited:
        return "These models have no thresholds."
    if not missed:
        return f"All thresholds are met ({_join_names(limited)})."
    verbs = ("misses", "is") if len(missed) == 1 else ("miss", "are")
    return f"{_join_names(missed)} {verbs[0]} thresholds and {verbs[1]} not registered."


def describe_undefined(board: Board) -> list[str]:
    """Return a sentence for each metric that is undefined for some rows, with the reason."""
    reasons: dict[str, str] = {}
    for lane in board.lanes:
        for metrics in (lane.scores.train, lane.scores.test, lane.temporal.metrics, *lane.search.best.folds):
            reasons |= metrics.undefined
    return [f"A dash for {get_title(name)} means that it is undefined: {why}." for name, why in reasons.items()]


def describe_test_split(report: Report) -> str:
    """Return a description of the test split."""
    return _HELD_OUT[report.split_kind]


def optimism(lane: LaneReport) -> str:
    """Return how much larger the error is on the temporal holdout than on the test split."""
    test, later = lane.standing.test.rmse, lane.standing.temporal.rmse
    if not (test > 0 and math.isfinite(later)):
        return ""
    factor = later / test
    if factor >= 1.05:
        return f"On the temporal holdout, the error is {factor:.2g} times that on the test split."
    return "On the temporal holdout, the error is not notably larger than on the test split."


def caveats(report: Report) -> list[str]:
    """Return the limits of what the report shows."""
    board = report.board
    shown = [lane.diagnostics for lane in board.lanes]
    sentences = _split_caveats(report)
    fitted_on = "its first part" if report.split_kind == "temporal" else "the whole window"
    sentences.append(
        "The metrics on the temporal holdout belong to a second fit, on the first part of the window. It uses the "
        "configured hyperparameters or, if tuning is on, those that a separate search chose. The metrics show how well "
        f"the approach predicts later data. The registered model itself was fitted on rows of {fitted_on}."
    )
    features = {name for lane in board.lanes for name in lane.scores.importances.features}
    if leaky := sorted(name for name in features if is_leaky(name, board.target)):
        verb, pronoun = ("is", "it") if len(leaky) == 1 else ("are", "them")
        sentences.append(
            f"{_join_names(leaky)} {verb} computed from the observed {board.target} itself. With {pronoun} the "
            f"models only restate the target; to see how they predict without {pronoun}, set training.exclude_features."
        )
    if board.differences:
        sentences.append(
            "“Not statistically significant” does not mean equal: with few folds, or a short later part, small real "
            "differences stay hidden."
        )
    if any(diagnostics.interval for diagnostics in shown):
        sentences.append(
            "A prediction interval has the same width for all rows. It covers its share of all rows, but a smaller "
            "share of those with larger errors; the coverage of each slice shows how much smaller. On later data, the "
            "share is not guaranteed."
        )
    if any(diagnostics.confidence for diagnostics in shown):
        sentences.append(
            "Confidence intervals come from resampling whole days (or hours). They show how much the metric depends on "
            "the days that were seen, and do not cover days that are unlike them."
        )
    if any(diagnostics.slices for diagnostics in shown):
        sentences.append(
            "There are many slices, so some are bad by chance; slices with few rows are left out of the ranking."
        )
    sentences.append(
        "The best model is chosen on folds of the train rows. One week does not show whether it will stay the best."
    )
    return sentences


def _split_caveats(report: Report) -> list[str]:
    if report.split_kind == "random":
        return [
            "The random holdout is optimistic: consecutive readings are similar, and the model was fitted on the "
            "neighbours, in time and place, of every test row. Metrics on test show how well the model fills gaps, not "
            "how well it predicts the coming week."
        ]
    if report.split_kind == "sensor":
        return [
            "The test split has sensors that the model has not seen, at times at which it has seen others. Metrics on "
            "test show how well the model predicts unseen places, not how well it predicts the coming week."
        ]
    return []


def _folds_mean(lane: LaneReport) -> float:
    return lane.standing.folds.mean if lane.standing.folds else math.nan


def _distance(board: Board, other: LaneReport) -> str:
    chosen_by, unit = board.primary_metric, board.unit
    name = get_title(chosen_by)
    best, theirs = _folds_mean(board.best), _folds_mean(other)
    if not math.isfinite(best - theirs):
        return f"{other.title} cannot be compared by {name}."
    if best == theirs:
        return f"The mean {name} of {other.title} is the same."
    less_is_better = make_sort_key(chosen_by, 1.0) > 0
    share = f" ({abs(theirs - best) / best:.0%})" if less_is_better and best > 0 else ""
    size = metric(chosen_by, abs(theirs - best), unit)
    return f"The mean {name} of {other.title} is {'larger' if theirs > best else 'smaller'} by {size}{share}."


def _significance(board: Board, other: LaneReport) -> str:
    tests = {c.test: c for c in board.differences if c.model == other.standing.model}
    parts = [
        f"{place} {_result(board, other, tests[test])}"
        for test, place in ((FOLDS_TEST, "over the folds"), (TIME_TEST, "on the temporal holdout, by squared error,"))
        if test in tests
    ]
    if not parts:
        return "Whether the difference is statistically significant could not be tested."
    joined = "; ".join(parts)
    return f"{joined[:1].upper()}{joined[1:]}."


def _result(board: Board, other: LaneReport, comparison: Comparison) -> str:
    p = f"(corrected p {p_value(comparison.adjusted)})"
    if comparison.adjusted >= board.significance_level:
        return f"the difference is not statistically significant {p}"
    better = board.best if comparison.difference > 0 else other
    return f"{better.title} is significantly better {p}"


def p_value(p: float) -> str:
    """Return a p-value with its sign.

    >>> p_value(0.47), p_value(0.0002)
    ('= 0.47', '< 0.001')
    """
    return "< 0.001" if p < 0.001 else f"= {p:.2g}"


def _join_names(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
