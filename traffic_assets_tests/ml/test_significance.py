"""Tests of difference: against published formulas, and against what chance alone would give."""

import math

import numpy as np
import pytest
from scipy import stats

from traffic_assets.ml.significance import against_best, corrected_t_test, diebold_mariano, holm


def test_the_corrected_t_test_is_the_formula_of_nadeau_and_bengio() -> None:
    first, second = [1.2, 1.1, 1.4, 1.3, 1.25], [1.0, 1.05, 1.1, 1.2, 1.0]
    difference = np.subtract(first, second)
    mean, statistic, p = corrected_t_test(first, second, judged_share=0.25)
    expected = difference.mean() / math.sqrt((1 / 5 + 0.25) * difference.var(ddof=1))
    assert (mean, statistic) == (pytest.approx(difference.mean()), pytest.approx(expected))
    assert p == pytest.approx(2 * stats.t.sf(expected, 4))
    plain = stats.ttest_rel(first, second)
    assert p > plain.pvalue, "folds share train rows: the correction asks for more"


def test_equal_models_are_called_different_as_rarely_as_promised_though_folds_are_alike() -> None:
    """Folds that share train rows are correlated by a fifth; a plain t-test is fooled by that."""
    draw = np.random.default_rng(1)
    ours = plain = 0
    for _ in range(1000):
        difference = math.sqrt(0.2) * draw.normal() + math.sqrt(0.8) * draw.normal(size=5)
        mean, deviation = difference.mean(), difference.std(ddof=1)
        ours += corrected_t_test(difference, np.zeros(5), 0.25)[2] < 0.05
        plain += abs(mean / (deviation / math.sqrt(5))) > stats.t.ppf(0.975, 4)
    assert ours / 1000 == pytest.approx(0.05, abs=0.02)
    assert plain / 1000 > 0.1


def test_equal_and_constantly_different_losses() -> None:
    assert corrected_t_test([1.0, 2.0], [1.0, 2.0], 1.0) == (0.0, None, 1.0)
    assert corrected_t_test([1.5, 2.5], [1.0, 2.0], 1.0) == (0.5, None, 0.0)
    with pytest.raises(ValueError, match="2 and 1 folds"):
        corrected_t_test([1.0, 2.0], [1.0], 1.0)


def _autocorrelated(draw: np.random.Generator, n: int) -> np.ndarray:
    noise, series = draw.normal(size=n), np.zeros(n)
    for i in range(1, n):
        series[i] = 0.5 * series[i - 1] + noise[i]
    return series


def test_diebold_mariano_knows_that_losses_follow_each_other() -> None:
    """Equal models whose loss differential is autocorrelated: a plain t-test sees differences, this one rarely."""
    draw = np.random.default_rng(2)
    ours = plain = 0
    for _ in range(300):
        difference = _autocorrelated(draw, 400)
        ours += diebold_mariano(difference, np.zeros(400))[2] < 0.05
        plain += stats.ttest_1samp(difference, 0).pvalue < 0.05
    assert plain / 300 > 0.15
    assert ours / 300 < 0.12


def test_diebold_mariano_finds_a_real_difference_and_its_sign() -> None:
    draw = np.random.default_rng(3)
    better, worse = draw.chisquare(1, 500), draw.chisquare(1, 500) * 1.5
    mean, statistic, p = diebold_mariano(worse, better)
    assert mean > 0
    assert statistic is not None
    assert statistic > 3
    assert p < 0.01
    assert diebold_mariano(better, worse)[0] == pytest.approx(-mean)
    assert diebold_mariano(better, better) == (0.0, None, 1.0)


def test_diebold_mariano_of_white_noise_is_the_t_test_of_its_mean() -> None:
    """Where nothing follows anything, the long-run variance is about the plain one."""
    difference = np.random.default_rng(4).normal(0.05, 1, 5000)
    _, statistic, _ = diebold_mariano(difference, np.zeros(5000))
    assert statistic == pytest.approx(stats.ttest_1samp(difference, 0).statistic, rel=0.15)


def test_too_few_or_other_instants_are_refused() -> None:
    with pytest.raises(ValueError, match="19 and 19 instants: the same ones are needed, at least 20"):
        diebold_mariano(np.ones(19), np.ones(19))
    with pytest.raises(ValueError, match="30 and 31 instants"):
        diebold_mariano(np.ones(30), np.ones(31))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_comparisons_are_corrected_together_and_say_who_is_better() -> None:
    found = {"forest": (0.5, 4.0, 0.01), "line": (-0.1, -0.5, 0.6)}
    forest, line = against_best("a test", "boosted", found)
    assert (forest.adjusted, line.adjusted) == (pytest.approx(0.02), pytest.approx(0.6))
    assert forest.verdict() == "boosted is better"
    assert forest.verdict(0.01) == line.verdict() == "no difference beyond chance"
    (other,) = against_best("a test", "boosted", {"line": (-1.0, -9.0, 0.001)})
    assert other.verdict() == "line is better"
