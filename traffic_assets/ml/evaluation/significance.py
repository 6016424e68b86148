"""Whether one model is better than another by more than chance.

Over folds: the corrected resampled t-test (Nadeau and Bengio 2003), since folds share train rows and a plain t-test
finds differences where there are none. On later time: Diebold and Mariano (1995) with the variance and the critical
values of Coroneo and Iacone (2020), since losses of every five minutes follow each other for hours. Many comparisons
are corrected by Holm (1979).
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.special import stdtr

CORRECTION = "Holm (1979)"
FEWEST_INSTANTS = 20
SHORTEST_PERIOD_HOURS = 12
"""Waves of the loss differences that are faster say little of how far their mean strays: losses follow each other."""

FEWEST_WAVES = 2
FEWEST_HOURS = FEWEST_WAVES * SHORTEST_PERIOD_HOURS


class Comparison(BaseModel):
    """A model against the best one.

    Attributes:
        model: the other model.
        best: the model that it is held against.
        test: name of the test.
        difference: of the losses, other minus best: above 0 where the best is better.
        statistic: of the test; None where it cannot be computed.
        p_value: two-sided, as the test gives it.
        adjusted: corrected for the number of comparisons.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    best: str
    test: str
    difference: float
    statistic: float | None
    p_value: float
    adjusted: float

    def describe(self, level: float = 0.05) -> str:
        """In words."""
        if self.adjusted >= level:
            return "no difference beyond chance"
        return f"{self.best if self.difference > 0 else self.model} is better"


def corrected_t_test(
    first: Sequence[float] | NDArray[np.float64],
    second: Sequence[float] | NDArray[np.float64],
    test_to_train_ratio: float,
) -> tuple[float, float | None, float]:
    """Mean difference of the folds' losses (first minus second), statistic and two-sided p.

    Args:
        first: loss of each fold.
        second: loss of each fold, the folds in the same order.
        test_to_train_ratio: test rows divided by fitted rows, averaged over the folds: 1 / (k - 1) for k folds by hash,
            about 1 for sliding ones.

    Raises:
        ValueError: with fewer than two folds, or folds that do not match.
    """
    if len(first) != len(second) or len(first) < 2:
        raise ValueError(f"{len(first)} and {len(second)} folds: the same folds are needed, at least 2")
    difference = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    mean, variance = float(difference.mean()), float(difference.var(ddof=1))
    if variance == 0:
        return mean, None, 1.0 if mean == 0 else 0.0
    statistic = mean / math.sqrt((1 / len(difference) + test_to_train_ratio) * variance)
    return mean, statistic, float(2 * stdtr(len(difference) - 1, -abs(statistic)))


def diebold_mariano(
    first: NDArray[np.float64], second: NDArray[np.float64], hours: float
) -> tuple[float, float | None, float]:
    """Mean difference of the losses in time (first minus second), statistic and two-sided p.

    The long-run variance is the mean of the periodogram of the differences at its lowest m frequencies, and the
    statistic is held against Student's t with 2 m degrees of freedom (Coroneo and Iacone 2020, J. Appl. Econometrics
    35, 391-409: fixed-smoothing asymptotics). Their m is the cube root of the number of instants; here it holds no
    wave shorter than half a day besides, since the instants may lie as close as one likes. Where the differences of
    806 instants are an autoregression of 0.9, it calls equal models different in 6 % of the cases instead of 5 %; a
    Newey-West variance of 6 lags does so in more than a quarter.

    Args:
        first: mean loss of each instant, in time order and evenly spaced, shape (instants,).
        second: of the other model at the same instants.
        hours: of time that they span.

    Raises:
        ValueError: with fewer than 20 instants, in less than a day, or series that do not match.
    """
    if first.shape != second.shape or len(first) < FEWEST_INSTANTS:
        raise ValueError(
            f"{len(first)} and {len(second)} instants: the same ones are needed, at least {FEWEST_INSTANTS}"
        )
    if hours < FEWEST_HOURS:
        raise ValueError(f"{hours:g} hours of later time: losses follow each other, at least {FEWEST_HOURS} are needed")
    difference = first - second
    n, mean = len(difference), float(difference.mean())
    waves = min(int(np.cbrt(n)), int(hours / SHORTEST_PERIOD_HOURS))
    variance = float(np.mean(np.abs(np.fft.rfft(difference - mean)[1 : waves + 1]) ** 2)) / n
    if variance == 0 or np.ptp(difference) == 0:
        return mean, None, 1.0 if mean == 0 else 0.0
    statistic = mean / math.sqrt(variance / n)
    return mean, statistic, float(2 * stdtr(2 * waves, -abs(statistic)))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values corrected for their number, in the given order."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = least
    return adjusted


def compare_with_best(test: str, best: str, found: Mapping[str, tuple[float, float | None, float]]) -> list[Comparison]:
    """Comparisons of every model with the best, their p-values corrected together.

    Args:
        test: its name.
        best: the model that the others are held against.
        found: by other model, what the test gave.
    """
    adjusted = holm([p for _, _, p in found.values()])
    return [
        Comparison(
            model=model, best=best, test=test, difference=difference, statistic=statistic, p_value=p, adjusted=corrected
        )
        for (model, (difference, statistic, p)), corrected in zip(found.items(), adjusted, strict=True)
    ]
