"""A small fictional week for tests of the report."""

from datetime import UTC, datetime, timedelta
from typing import Any

from traffic_assets.ml.evaluation.bootstrap import Confidence
from traffic_assets.ml.evaluation.comparison import FOLDS_TEST, TIME_TEST
from traffic_assets.ml.evaluation.diagnostics import Diagnostics
from traffic_assets.ml.evaluation.gates import ThresholdResult
from traffic_assets.ml.evaluation.importances import Importances
from traffic_assets.ml.evaluation.intervals import Interval
from traffic_assets.ml.evaluation.leaderboard import LeaderboardEntry
from traffic_assets.ml.evaluation.residuals import Distribution, Hour, Residuals
from traffic_assets.ml.evaluation.scores import Scores
from traffic_assets.ml.evaluation.significance import Comparison
from traffic_assets.ml.evaluation.slices import Slice
from traffic_assets.ml.metrics.metrics import METRICS, Metrics, compute_spread
from traffic_assets.ml.model_selection.learning_curves import LearningCurve, LearningPoint
from traffic_assets.ml.model_selection.temporal import TemporalEvaluation
from traffic_assets.ml.model_selection.trials import Search, Trial
from traffic_assets.report.contents import Board, LaneReport, Report, StepCost

PNG = b"\x89PNG\r\n\x1a\nexample"
TITLES = {"random_forest": "Random forest", "linear_regression": "Linear regression", "svr": "Support vectors"}
START = datetime(2026, 1, 5, tzinfo=UTC)


def metrics(rmse: float, r2: float = 0.99, rows: int = 1234) -> Metrics:
    return Metrics(rows=rows, rmse=rmse, mae=rmse / 2, mape=0.0123, r2=r2, bias=-0.01, p95=2 * rmse)


def trial(rmse: float, **hyperparameters: Any) -> Trial:
    folds = [metrics(rmse - 0.1), metrics(rmse + 0.1)]
    summary = {m: compute_spread(getattr(f, m) for f in folds) for m in METRICS}
    return Trial(hyperparameters={"maxDepth": 5, **hyperparameters}, folds=folds, summary=summary)


def search(rmse: float, trials: int = 1) -> Search:
    tried = [trial(rmse + i, maxDepth=5 + i) for i in range(trials)]
    return Search(primary_metric="rmse", trials=tried, chosen=0, confirmed=tried[0], fits=2 * trials, seconds=12.5)


def diagnostics(sensor: str = "s1") -> Diagnostics:
    each: dict[str, Any] = {"rows": 50, "rmse": 2.5, "mae": 1.0, "bias": 0.1, "p95": 3.0, "covered": 0.8}
    own: dict[str, Any] = {"own_half_width": 2.125, "own_covered": 0.871}
    distribution = Distribution(
        rows=100, mean=0.0, std=1.0, p5=-1.0, median=0.0, p95=1.0, least=-4.0, greatest=4.0, start=-2.0, width=1.0,
        counts=[10, 40, 40, 10], below=0, above=0,
    )  # fmt: skip
    hours = [Hour(at=datetime(2026, 1, 5), rows=9, mean=0.0, p10=-1.0, p90=1.0)]
    return Diagnostics(
        slices=[Slice(dimension="sensor", value=sensor, **each, **own), Slice(dimension="hour", value="08", **each)],
        interval=Interval(coverage=0.9, half_width=1.5, calibration_rows=99, covered=0.912, test_rows=200),
        confidence=Confidence(level=0.95, block="day", blocks=14, rmse=(0.9, 1.1), mae=(0.4, 0.6), r2=(0.98, 0.995)),
        residuals=Residuals(distribution=distribution, hours=hours),
        notes=[],
    )


def lane(name: str, rmse: float, missed: bool = False, trials: int = 1, **changes: Any) -> LaneReport:
    test, later, own_search = metrics(rmse), metrics(2 * rmse, 0.97), search(rmse, trials)
    target = ThresholdResult(target="RMSE on test, mph", asked="<= 2", measured=rmse, passed=not missed)
    defaults: dict[str, Any] = {
        "id": name,
        "title": TITLES[name],
        "standing": LeaderboardEntry(
            model=name,
            kind="primary",
            test=test,
            temporal=later,
            targets_asked=len(changes.get("targets", [target])),
            targets_missed=["RMSE on test, mph is too much"] if missed else [],
            folds=own_search.best.summary["rmse"],
        ),
        "scores": Scores(
            train=metrics(rmse / 2),
            test=test,
            importances=Importances(kind="weight", features={"speed_lag_1": 1.0}, slots={"speed_lag_1": 1.0}),
        ),
        "diagnostics": diagnostics(),
        "temporal": TemporalEvaluation(
            boundary=START + timedelta(days=11), fit_rows=4321, metrics=later, hyperparameters={"maxDepth": 5}
        ),
        "search": own_search,
        "targets": [target],
        "model_bytes": 1_234_567,
        "training_minutes": 1.5,
        "learning_curve": LearningCurve(
            fold="fold 2 of 2",
            judged_rows=200,
            points=[LearningPoint(share=s, rows=int(s * 900), train_rmse=1.0, validation_rmse=2.0) for s in (0.5, 1)],
        ),
        "costs": [StepCost(f"{name}_model", 61.0, 100.0, 812.3, 5_000_000, 0, 1234.5), StepCost(f"{name}_diagnostics")],
        "pictures": dict.fromkeys(
            (
                *("predicted_against_actual", "residuals", "importances", "folds", "learning_curve"),
                *("residual_distribution", "residuals_over_time", "errors_by_slice", "interval_coverage"),
            ),
            PNG,
        ),
    }
    return LaneReport(**{**defaults, **changes})


def difference(model: str, best: str, test: str, size: float, adjusted: float) -> Comparison:
    return Comparison(
        model=model, best=best, test=test, difference=size, statistic=1.0, p_value=adjusted / 2, adjusted=adjusted
    )


def board(**changes: Any) -> Board:
    """Return two models: the forest leads significantly over the folds, but not on the temporal holdout."""
    first, second = "random_forest", "linear_regression"
    defaults: dict[str, Any] = {
        "target": "speed",
        "unit": "mph",
        "primary_metric": "rmse",
        "significance_level": 0.05,
        "lanes": [lane(first, 1.0), lane(second, 1.5, missed=True)],
        "differences": [
            difference(second, first, FOLDS_TEST, 0.5, 0.004),
            difference(second, first, TIME_TEST, 0.1, 0.4),
        ],
        "pictures": {"comparison": PNG},
    }
    return Board(**{**defaults, **changes})


def report(of: Board | None = None, **changes: Any) -> Report:
    """Return a week with this board, or with the default one."""
    defaults: dict[str, Any] = {
        "week": "2026-01-12",
        "profile": "local",
        "made_at": START,
        "run_id": "run-1",
        "split_id": "abc123",
        "days": ["2026-01-05", "2026-01-06"],
        "rows": {"train": 7000, "validation": 1000, "test": 2000},
        "settings": {"seed": "42"},
        "time_zone": "America/Los_Angeles",
        "split_kind": "random",
        "board": of or board(),
    }
    return Report(**{**defaults, **changes})
