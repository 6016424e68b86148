"""Whether one model is better than another by more than chance.

Over folds: the corrected resampled t-test (Nadeau and Bengio 2003), since folds share train rows and a plain t-test
finds differences where there are none. On later time: Diebold and Mariano (1995) with the small-sample correction of
Harvey, Leybourne and Newbold (1997) and a variance that knows that losses follow each other (Newey and West 1987).
Many comparisons are corrected by Holm (1979).
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy import stats

CORRECTION = "Holm (1979)"
FEWEST_INSTANTS = 20


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

    def verdict(self, level: float = 0.05) -> str:
        """In words."""
        if self.adjusted >= level:
            return "no difference beyond chance"
        return f"{self.best if self.difference > 0 else self.model} is better"


def corrected_t_test(
    first: Sequence[float] | NDArray[np.float64], second: Sequence[float] | NDArray[np.float64], judged_share: float
) -> tuple[float, float | None, float]:
    """Mean difference of the folds' losses (first minus second), statistic and two-sided p.

    Args:
        first: loss of each fold.
        second: loss of each fold, the folds in the same order.
        judged_share: judged rows over fitted rows of a fold; 1 / (k - 1) for k folds.

    Raises:
        ValueError: with fewer than two folds, or folds that do not match.
    """
    if len(first) != len(second) or len(first) < 2:
        raise ValueError(f"{len(first)} and {len(second)} folds: the same folds are needed, at least 2")
    difference = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    mean, variance = float(difference.mean()), float(difference.var(ddof=1))
    if variance == 0:
        return mean, None, 1.0 if mean == 0 else 0.0
    statistic = mean / math.sqrt((1 / len(difference) + judged_share) * variance)
    return mean, statistic, float(2 * stats.t.sf(abs(statistic), len(difference) - 1))


def diebold_mariano(
    first: NDArray[np.float64], second: NDArray[np.float64], horizon: int = 1
) -> tuple[float, float | None, float]:
    """Mean difference of the losses in time (first minus second), statistic and two-sided p.

    Args:
        first: mean loss of each instant, in time order, shape (instants,).
        second: of the other model at the same instants.
        horizon: steps ahead of the forecast; 1 for an estimate of now.

    Raises:
        ValueError: with fewer than 20 instants, or series that do not match.
    """
    if first.shape != second.shape or len(first) < FEWEST_INSTANTS:
        raise ValueError(
            f"{len(first)} and {len(second)} instants: the same ones are needed, at least {FEWEST_INSTANTS}"
        )
    difference = first - second
    n, mean = len(difference), float(difference.mean())
    centred = difference - mean
    # lags by Newey and West's rule; a loss differential is autocorrelated whatever the horizon says
    lags = min(max(horizon - 1, math.floor(4 * (n / 100) ** (2 / 9))), n - 1)
    variance = float(centred @ centred) / n
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * float(centred[lag:] @ centred[:-lag]) / n
    if variance <= 0:
        return mean, None, 1.0 if mean == 0 else 0.0
    small = math.sqrt((n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n)
    statistic = small * mean / math.sqrt(variance / n)
    return mean, statistic, float(2 * stats.t.sf(abs(statistic), n - 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values corrected for their number, in the given order."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = least
    return adjusted


def against_best(test: str, best: str, found: Mapping[str, tuple[float, float | None, float]]) -> list[Comparison]:
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
