"""What the numbers of a week say, in sentences. They claim no more than the tests do."""

import math

from traffic_assets.ml.evaluation.comparison import FOLDS_TEST, TIME_TEST, UNTESTED
from traffic_assets.ml.evaluation.significance import CORRECTION, Comparison
from traffic_assets.ml.metrics.metrics import better_first, custom_metrics
from traffic_assets.ml.preprocessing.formulas import is_leaky
from traffic_assets.report.contents import Board, LaneReport, Report

_HELD_OUT = {
    "random": "a random hold-out",
    "temporal": "the last part of the time",
    "sensor": "sensors of which train has no row",
}
_NAMES = {"rmse": "RMSE", "mae": "MAE", "mape": "MAPE", "r2": "R²"}


def name_of(metric: str) -> str:
    """A metric's name for people."""
    custom = custom_metrics().get(metric)
    return custom.title if custom else _NAMES.get(metric, metric)


def number(value: float | None) -> str:
    """A number with decimals that suit its size, the same for numbers alike; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    size = abs(value)
    return f"{value:,.{4 if size < 10 else 2 if size < 1000 else 0}f}"


def metric(name: str, value: float | None, unit: str = "") -> str:
    """A metric, or its deviation. RMSE and MAE have the target's unit where one is given; MAPE is a share."""
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
    """Which model is best, by how much, and whether that is more than chance."""
    best, chosen_by = board.best, board.primary_metric
    said = (
        f"{best.title} is the best model of the week: its mean {name_of(chosen_by)} over "
        f"{len(best.search.best.folds)} folds of the train rows is {metric(chosen_by, _folds_mean(best), board.unit)}."
    )
    if len(board.lanes) == 1:
        return f"{said} It is the only one, so there is nothing to compare it with."
    return f"{said} {against_best(board)[0]}"


def against_best(board: Board) -> list[str]:
    """A sentence for each other model: how far behind it is, and whether by more than chance."""
    return [f"{_distance(board, lane)} {_by_chance(board, lane)}" for lane in board.lanes[1:]]


def tests_named(board: Board) -> str:
    """Which tests were done, and how their p-values were corrected."""
    asked = sorted({comparison.test for comparison in board.differences})
    said = [
        f"Tests: {'; '.join(asked)}. Their p-values are corrected for the number of models by {CORRECTION}, within "
        f"each test; a difference counts as more than chance where the corrected p lies below "
        f"{board.significance_level:g}."
    ]
    missing = [f"Not tested: {test} ({reason})." for test, reason in UNTESTED.items() if test not in asked]
    return " ".join((said if asked else []) + missing)


def targets_told(board: Board) -> str:
    """Which models miss their targets."""
    missed = [lane.title for lane in board.lanes if lane.standing.targets == "missed"]
    asked = [lane.title for lane in board.lanes if lane.standing.targets != "none set"]
    if not asked:
        return "No targets are set for these models."
    if not missed:
        return f"Every target is met ({_listed(asked)})."
    verbs = ("misses", "is") if len(missed) == 1 else ("miss", "are")
    return f"{_listed(missed)} {verbs[0]} targets and {verbs[1]} not registered."


def held_out(report: Report) -> str:
    """What the test split is."""
    return _HELD_OUT[report.split_kind]


def flattery(lane: LaneReport) -> str:
    """How much larger the error is on later time than on the test split."""
    test, later = lane.standing.test.rmse, lane.standing.temporal.rmse
    if not (test > 0 and math.isfinite(later)):
        return ""
    factor = later / test
    if factor >= 1.05:
        return f"On later time the error is {factor:.2g} times that on the test split."
    return "On later time the error is no larger than on the test split."


def caveats(report: Report) -> list[str]:
    """What the report cannot say."""
    said = []
    if report.split_kind == "random":
        said.append(
            "The random hold-out flatters: readings follow each other closely, and the model was fitted on the "
            "neighbours, in time and place, of every test row. Metrics on test say how well gaps are filled, not how "
            "well the coming week is met."
        )
    if report.split_kind == "sensor":
        said.append(
            "Test is of sensors that the model has not seen, at times of which it has seen others. Metrics on test say "
            "how well unseen places are met, not how well the coming week is."
        )
    fitted_on = "its first part" if report.split_kind == "temporal" else "the whole window"
    said.append(
        "The verdict on later time is of a second fit, on the first part of the window, with the hyperparameters that "
        "were asked for or, where a search is on, with those of a search of its own. It says what this way of "
        f"training does on time it has not seen; the registered model itself was fitted on rows of {fitted_on}."
    )
    board = report.board
    known = {name for lane in board.lanes for name in lane.scores.importances.features}
    if answers := sorted(name for name in known if is_leaky(name, board.target)):
        them = "it" if len(answers) == 1 else "them"
        said.append(
            f"{_listed(answers)} {'is' if len(answers) == 1 else 'are'} computed from the observed {board.target} "
            f"itself. With {them} the models restate the answer; how they do without is seen by leaving {them} out "
            f"(training.exclude_features)."
        )
    shown = [lane.diagnostics for lane in board.lanes]
    if board.differences:
        said.append(
            "“No more than chance can bring” does not mean equal: with few folds, or a short later part, small real "
            "differences stay hidden."
        )
    if any(diagnostics.interval for diagnostics in shown):
        said.append(
            "A prediction interval has one width for all rows. It holds its share over all of them, and less where "
            "errors are larger; the coverage of each slice shows by how much. On later time nothing promises the share."
        )
    if any(diagnostics.confidence for diagnostics in shown):
        said.append(
            "Confidence intervals come from drawing whole days (or hours) anew. They say how much the metric depends "
            "on which of these days were seen, and nothing of days unlike them."
        )
    if any(diagnostics.slices for diagnostics in shown):
        said.append(
            "The slices are many, and some are bad by chance alone; those of few rows are left out of the ranking."
        )
    said.append(
        "The best model is chosen on folds of the train rows. One week says nothing of whether it stays the best."
    )
    return said


def _folds_mean(lane: LaneReport) -> float:
    return lane.standing.folds.mean if lane.standing.folds else math.nan


def _distance(board: Board, other: LaneReport) -> str:
    chosen_by, unit = board.primary_metric, board.unit
    name = name_of(chosen_by)
    best, theirs = _folds_mean(board.best), _folds_mean(other)
    if not math.isfinite(best - theirs):
        return f"{other.title} cannot be compared by {name}."
    if best == theirs:
        return f"The mean {name} of {other.title} is the same."
    less_is_better = better_first(chosen_by, 1.0) > 0
    share = f" ({abs(theirs - best) / best:.0%})" if less_is_better and best > 0 else ""
    size = metric(chosen_by, abs(theirs - best), unit)
    return f"The mean {name} of {other.title} is {'larger' if theirs > best else 'smaller'} by {size}{share}."


def _by_chance(board: Board, other: LaneReport) -> str:
    tests = {c.test: c for c in board.differences if c.model == other.standing.model}
    parts = [
        f"{where} {_verdict(board, other, tests[test])}"
        for test, where in ((FOLDS_TEST, "over the folds"), (TIME_TEST, "on later time, by squared error,"))
        if test in tests
    ]
    if not parts:
        return "Whether that is more than chance could not be tested."
    joined = "; ".join(parts)
    return f"{joined[:1].upper()}{joined[1:]}."


def _verdict(board: Board, other: LaneReport, found: Comparison) -> str:
    p = f"(corrected p {p_value(found.adjusted)})"
    if found.adjusted >= board.significance_level:
        return f"the difference is no more than chance can bring {p}"
    better = board.best if found.difference > 0 else other
    return f"{better.title} is better by more than chance {p}"


def p_value(p: float) -> str:
    """A p-value with its sign."""
    return "< 0.001" if p < 0.001 else f"= {p:.2g}"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
