"""Statistical tests of the difference between two models.

Over folds: the corrected resampled t-test (Nadeau and Bengio 2003). Folds share train rows, so a plain t-test finds
differences that do not exist. On the temporal holdout: Diebold and Mariano (1995) with the variance and the critical
values of Coroneo and Iacone (2020). Losses at steps of five minutes are autocorrelated for hours. P-values of several
comparisons are corrected by Holm (1979).
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.special import stdtr

from traffic_assets.messages import evaluation as messages

CORRECTION = "Holm (1979)"
FEWEST_INSTANTS = 20
SHORTEST_PERIOD_HOURS = 12
"""Shortest period of the loss differences that enters their long-run variance, because losses are autocorrelated."""

FEWEST_FREQUENCIES = 2
FEWEST_HOURS = FEWEST_FREQUENCIES * SHORTEST_PERIOD_HOURS


class Difference(NamedTuple):
    """Result of a test of the difference between two models.

    Attributes:
        mean: Mean of the losses, first minus second.
        statistic: Statistic of the test; None if the losses have no variance.
        p_value: Two-sided p-value.
    """

    mean: float
    statistic: float | None
    p_value: float


class Comparison(BaseModel):
    """Comparison of a model with the best one.

    Attributes:
        model: Name of the other model.
        best: Name of the best model.
        test: Name of the test.
        difference: Mean difference of the losses, other minus best; above 0 if the best model is better.
        statistic: Statistic of the test; None if it cannot be computed.
        p_value: Two-sided p-value of the test.
        adjusted: P-value corrected for the number of comparisons.
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
        """Return which model is better, or that the difference is not significant at this level."""
        if self.adjusted >= level:
            return "not statistically significant"
        return f"{self.best if self.difference > 0 else self.model} is better"


def corrected_t_test(
    first: Sequence[float] | NDArray[np.float64],
    second: Sequence[float] | NDArray[np.float64],
    test_to_train_ratio: float,
) -> Difference:
    """Test the difference between the losses of two models over folds.

    Args:
        first: Loss of the first model on each fold.
        second: Loss of the second model on each fold, in the same order.
        test_to_train_ratio: Test rows divided by fitted rows, averaged over the folds: 1 / (k - 1) for k folds by hash,
            about 1 for sliding ones.

    Raises:
        ValueError: If there are fewer than two folds, or the folds do not match.
    """
    if len(first) != len(second) or len(first) < 2:
        raise ValueError(messages.DIFFERENT_FOLDS(first=len(first), second=len(second)))
    difference = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    mean, variance = float(difference.mean()), float(difference.var(ddof=1))
    if variance == 0:
        return Difference(mean, None, 1.0 if mean == 0 else 0.0)
    statistic = mean / math.sqrt((1 / len(difference) + test_to_train_ratio) * variance)
    return Difference(mean, statistic, float(2 * stdtr(len(difference) - 1, -abs(statistic))))


def diebold_mariano(first: NDArray[np.float64], second: NDArray[np.float64], hours: float) -> Difference:
    """Test the difference between the losses of two models over time.

    The long-run variance is the mean of the periodogram of the differences at its lowest m frequencies. The statistic
    is compared with Student's t with 2 m degrees of freedom (Coroneo and Iacone 2020, J. Appl. Econometrics 35,
    391-409: fixed-smoothing asymptotics). Their m is the cube root of the number of instants. Here m also excludes
    periods shorter than half a day, because instants may be arbitrarily close. If the differences of 806 instants are
    an autoregression of 0.9, the test calls equal models different in 6% of the cases instead of 5%. A Newey-West
    variance of 6 lags does so in more than 25%.

    Args:
        first: Mean loss of the first model at each instant, in time order and evenly spaced, shape (instants,).
        second: Mean loss of the second model at the same instants.
        hours: Time that the instants span, in hours.

    Raises:
        ValueError: If there are fewer than 20 instants, they span less than a day, or the series do not match.
    """
    if first.shape != second.shape or len(first) < FEWEST_INSTANTS:
        raise ValueError(messages.DIFFERENT_INSTANTS(first=len(first), second=len(second), needed=FEWEST_INSTANTS))
    if hours < FEWEST_HOURS:
        raise ValueError(messages.TOO_SHORT_HOLDOUT(hours=hours, needed=FEWEST_HOURS))
    difference = first - second
    n, mean = len(difference), float(difference.mean())
    lowest = min(int(np.cbrt(n)), int(hours / SHORTEST_PERIOD_HOURS))
    variance = float(np.mean(np.abs(np.fft.rfft(difference - mean)[1 : lowest + 1]) ** 2)) / n
    if variance == 0 or np.ptp(difference) == 0:
        return Difference(mean, None, 1.0 if mean == 0 else 0.0)
    statistic = mean / math.sqrt(variance / n)
    return Difference(mean, statistic, float(2 * stdtr(2 * lowest, -abs(statistic))))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values corrected for their number, in the same order.

    >>> holm([0.02, 0.5])
    [0.04, 0.5]
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = least
    return adjusted


def compare_with_best(test: str, best: str, differences: Mapping[str, Difference]) -> list[Comparison]:
    """Return the comparison of every model with the best one, with p-values corrected together.

    Args:
        test: Name of the test.
        best: Name of the best model.
        differences: Result of the test for each other model.
    """
    adjusted = holm([p for _, _, p in differences.values()])
    return [
        Comparison(
            model=model, best=best, test=test, difference=difference, statistic=statistic, p_value=p, adjusted=corrected
        )
        for (model, (difference, statistic, p)), corrected in zip(differences.items(), adjusted, strict=True)
    ]
