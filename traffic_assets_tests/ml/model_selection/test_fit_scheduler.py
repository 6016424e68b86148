"""The fit scheduler: order, concurrency, deadline, errors and release of folds; without Spark."""

from __future__ import annotations

import threading
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from types import SimpleNamespace

import pytest

from traffic_assets.ml.fitting.fold_fitter import FoldSize
from traffic_assets.ml.model_selection.executors import CallingThread
from traffic_assets.ml.model_selection.fit_scheduler import FitResult, FitScheduler
from traffic_assets.ml.model_selection.shared_fits import TrialGroup
from traffic_assets_tests.ml.model_selection.fake_fitter import FakeFitter

SECONDS = 60


def _groups(trials: int) -> list[TrialGroup]:
    return [TrialGroup(i, (i,), exact_member=i) for i in range(trials)]  # type: ignore[arg-type]


def _scheduler(
    fitter: FakeFitter, trials: int, executor: Executor, workers: int, deadline: float | None = None
) -> FitScheduler:
    sizes = [FoldSize(20, test=10) for _ in fitter.folds]
    return FitScheduler(fitter, sizes, _groups(trials), executor, workers, deadline)


def _run(fitter: FakeFitter, trials: int, workers: int = 1, deadline: float | None = None) -> list[FitResult]:
    with ThreadPoolExecutor(workers) if workers > 1 else CallingThread() as executor:
        return list(_scheduler(fitter, trials, executor, workers, deadline).results())


def test_one_worker_fits_fold_after_fold_in_order() -> None:
    fitter = FakeFitter(2)
    results = _run(fitter, 2)
    assert fitter.events == [
        event
        for i in range(2)
        for event in (f"prepare {i}", f"fit {i}.0", f"end {i}.0", f"fit {i}.1", f"end {i}.1", f"release {i}")
    ]
    assert [(result.fold, result.group.members, result.metrics[0].rmse) for result in results] == [
        (0, (0,), 0),
        (0, (1,), 1),
        (1, (0,), 10),
        (1, (1,), 11),
    ]
    assert all(result.size == FoldSize(20, test=10) for result in results)


@pytest.mark.parametrize(("folds", "trials", "workers"), [(5, 1, 2), (2, 3, 4), (1, 4, 4), (3, 3, 2)])
def test_there_are_as_many_fits_at_the_same_time_as_workers_and_no_more_folds_open(
    folds: int, trials: int, workers: int
) -> None:
    """Let no fit end before all workers are fitting."""
    all_busy, counting = threading.Event(), threading.Condition()
    running = 0

    def on_fit(*_: int) -> None:
        nonlocal running
        with counting:
            running += 1
            assert running <= workers
            if running == workers:
                all_busy.set()
        assert all_busy.wait(SECONDS)
        with counting:
            running -= 1

    fitter = FakeFitter(folds, on_fit)
    results = _run(fitter, trials, workers)
    assert sorted((result.fold, *result.group.members) for result in results) == [
        (fold, trial) for fold in range(folds) for trial in range(trials)
    ]
    open_folds = 0
    for event in fitter.events:
        open_folds += event.startswith("prepare") - event.startswith("release")
        assert open_folds <= workers
    assert open_folds == 0


def test_the_last_fold_gets_every_worker() -> None:
    """Let its two fits wait for each other, with as many folds as workers."""
    both = threading.Barrier(2, timeout=SECONDS)
    fitter = FakeFitter(2, lambda fold, _: None if fold == 0 else (both.wait(), None)[1])
    assert len(_run(fitter, 2, workers=2)) == 4


def test_fits_of_a_prepared_fold_go_before_the_next_preparation() -> None:
    fitter = FakeFitter(3)
    _run(fitter, 2, workers=2)
    assert fitter.events.index("prepare 2") > max(fitter.events.index(f"fit 0.{trial}") for trial in range(2))


@pytest.mark.parametrize("workers", [1, 3])
def test_after_the_deadline_only_the_first_fit_begins_and_no_other_fold_is_prepared(
    workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("traffic_assets.ml.model_selection.fit_scheduler.time", SimpleNamespace(monotonic=lambda: 2.0))
    fitter = FakeFitter(3)
    (only,) = _run(fitter, 2, workers, deadline=1.0)
    assert (only.fold, only.group.members) == (0, (0,))
    assert fitter.events == ["prepare 0", "fit 0.0", "end 0.0", "release 0"]


def test_fits_that_run_at_the_deadline_end_and_no_other_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let time run out during two fits: both results count, and nothing else is fitted."""
    now, both = [0.0], threading.Barrier(2, action=lambda: now.__setitem__(0, 9.0), timeout=SECONDS)
    monkeypatch.setattr(
        "traffic_assets.ml.model_selection.fit_scheduler.time", SimpleNamespace(monotonic=lambda: now[0])
    )
    fitter = FakeFitter(4, lambda *_: (both.wait(), None)[1])
    results = _run(fitter, 3, workers=2, deadline=1.0)
    assert len(results) == 2
    assert sum(event.startswith("fit") for event in fitter.events) == 2
    assert sum(event.startswith("prepare") for event in fitter.events) == sum(
        event.startswith("release") for event in fitter.events
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_after_an_error_in_a_fit_nothing_begins_and_folds_are_released_once_others_have_ended(workers: int) -> None:
    """Let the fit of the first fold fail while, with two workers, that of the second runs."""
    both_run, failed = threading.Barrier(workers, timeout=SECONDS), threading.Event()

    def on_fit(fold: int, _: int) -> None:
        both_run.wait()
        if fold == 0:
            failed.set()
            raise RuntimeError("no fit")
        assert failed.wait(SECONDS)

    fitter = FakeFitter(4, on_fit)
    with pytest.raises(RuntimeError, match="no fit"):
        _run(fitter, 1, workers)
    folds = {str(fold) for fold in range(workers)}
    assert {event.split()[1] for event in fitter.events if event.startswith("prepare")} == folds
    assert {event.split()[1] for event in fitter.events if event.startswith("fit")} == {f"{fold}.0" for fold in folds}
    assert {event.split()[1] for event in fitter.events if event.startswith("release")} == folds
    if workers == 2:
        assert fitter.events.index("release 1") > fitter.events.index("end 1.0")


@pytest.mark.parametrize("workers", [1, 2])
def test_after_an_error_in_a_preparation_the_other_folds_are_released(workers: int) -> None:
    def on_prepare(fold: int, _: int) -> None:
        if fold == 1:
            raise RuntimeError("no preprocessor")

    fitter = FakeFitter(4, on_prepare=on_prepare)
    with pytest.raises(RuntimeError, match="no preprocessor"):
        _run(fitter, 1, workers)
    assert "release 0" in fitter.events
    assert "fit 1.0" not in fitter.events


def test_a_reader_that_stops_early_ends_the_fits() -> None:
    fitter = FakeFitter(3)
    with closing(_scheduler(fitter, 2, CallingThread(), 1).results()) as results:
        next(results)
    assert fitter.events == ["prepare 0", "fit 0.0", "end 0.0", "release 0"]


def test_fits_are_counted_as_they_begin() -> None:
    scheduler = _scheduler(FakeFitter(2), 2, CallingThread(), 1)
    assert [scheduler.fits for _ in scheduler.results()] == [1, 2, 3, 4]
