"""Significance tests, compared with published formulas and simulated error rates."""

import math

import numpy as np
import pytest
from scipy import stats

from traffic_assets.ml.evaluation.significance import (
    Difference,
    compare_with_best,
    corrected_t_test,
    diebold_mariano,
    holm,
)
from traffic_assets_tests.codes import get_code, get_values


def test_the_corrected_t_test_is_the_formula_of_nadeau_and_bengio() -> None:
    first, second = [1.2, 1.1, 1.4, 1.3, 1.25], [1.0, 1.05, 1.1, 1.2, 1.0]
    difference = np.subtract(first, second)
    mean, statistic, p = corrected_t_test(first, second, test_to_train_ratio=0.25)
    expected = difference.mean() / math.sqrt((1 / 5 + 0.25) * difference.var(ddof=1))
    assert (mean, statistic) == (pytest.approx(difference.mean()), pytest.approx(expected))
    assert p == pytest.approx(2 * stats.t.sf(expected, 4))
    plain = stats.ttest_rel(first, second)
    assert p > plain.pvalue, "folds share train rows: the correction is stricter"


def test_equal_models_differ_at_the_nominal_rate_even_if_folds_are_correlated() -> None:
    """Simulate folds with a correlation of 0.2, as from shared train rows. A plain t-test rejects too often."""
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
    with pytest.raises(ValueError) as caught:
        corrected_t_test([1.0, 2.0], [1.0], 1.0)
    assert get_code(caught.value) == "evaluation.different-folds"
    assert get_values(caught.value) == {"first": 2, "second": 1}


INSTANTS = 806
"""A fifth of two weeks, every five minutes: the usual size of a temporal holdout."""

HOURS = INSTANTS / 12


def _autocorrelated(draw: np.random.Generator, series: int, correlation: float) -> np.ndarray:
    """Return autoregressions of mean 0, shape (series, INSTANTS); the first 300 values are dropped."""
    values = draw.normal(size=(series, INSTANTS + 300))
    for i in range(1, values.shape[1]):
        values[:, i] += correlation * values[:, i - 1]
    return values[:, 300:]


@pytest.mark.parametrize(("correlation", "most"), [(0.0, 0.065), (0.8, 0.07), (0.9, 0.08), (0.95, 0.09)])
def test_diebold_mariano_rejects_equal_models_at_about_the_nominal_rate(correlation: float, most: float) -> None:
    """Check that the rate is about 5% for every autocorrelation. A plain t-test rejects far too often."""
    differences = _autocorrelated(np.random.default_rng(2), 1500, correlation)
    nothing = np.zeros(INSTANTS)
    ours = np.mean([diebold_mariano(difference, nothing, HOURS)[2] < 0.05 for difference in differences])
    assert 0.035 < ours < most
    if correlation:
        assert np.mean(stats.ttest_1samp(differences, 0, axis=1).pvalue < 0.05) > 0.4


def test_diebold_mariano_detects_most_differences() -> None:
    """Test with a difference that a test with known standard deviation detects in 85% of the cases."""
    differences = _autocorrelated(np.random.default_rng(3), 500, 0.9) + 3 / (0.1 * math.sqrt(INSTANTS))
    seen = [diebold_mariano(difference, np.zeros(INSTANTS), HOURS)[2] < 0.05 for difference in differences]
    assert np.mean(seen) > 0.7


def test_diebold_mariano_finds_a_real_difference_and_its_sign() -> None:
    draw = np.random.default_rng(3)
    better, worse = draw.chisquare(1, 500), draw.chisquare(1, 500) * 1.5
    mean, statistic, p = diebold_mariano(worse, better, HOURS)
    assert mean > 0
    assert statistic is not None
    assert statistic > 3
    assert p < 0.01
    assert diebold_mariano(better, worse, HOURS)[0] == pytest.approx(-mean)
    assert diebold_mariano(better, better, HOURS) == (0.0, None, 1.0)
    assert diebold_mariano(np.full(30, 0.3), np.full(30, 0.1), HOURS)[1:] == (None, 0.0)


def test_diebold_mariano_is_the_formula_of_coroneo_and_iacone() -> None:
    """Compare the statistic from the two lowest frequencies of the periodogram, with four degrees of freedom."""
    difference = np.random.default_rng(4).normal(0.3, 1, 96)
    t = np.arange(96)
    heights = [abs(np.sum(difference * np.exp(-2j * np.pi * k * t / 96))) ** 2 / 96 for k in (1, 2)]
    expected = difference.mean() / math.sqrt(np.mean(heights) / 96)
    _, statistic, p = diebold_mariano(difference, np.zeros(96), 24)
    assert statistic == pytest.approx(expected)
    assert p == pytest.approx(2 * stats.t.sf(expected, 4))
    # over a long time, the number of frequencies is the cube root of the number of instants
    assert diebold_mariano(difference, np.zeros(96), 960)[2] == pytest.approx(
        2 * stats.t.sf(diebold_mariano(difference, np.zeros(96), 48)[1], 8)
    )


@pytest.mark.parametrize(("first", "second"), [(19, 19), (30, 31)])
def test_too_few_or_different_instants_are_refused(first: int, second: int) -> None:
    with pytest.raises(ValueError) as caught:
        diebold_mariano(np.ones(first), np.ones(second), HOURS)
    assert get_code(caught.value) == "evaluation.different-instants"
    assert get_values(caught.value) == {"first": first, "second": second, "needed": 20}


def test_a_holdout_that_is_too_short_for_autocorrelated_losses_is_refused() -> None:
    with pytest.raises(ValueError) as caught:
        diebold_mariano(np.ones(282), np.ones(282), 23.5)
    assert get_code(caught.value) == "evaluation.too-short-holdout"
    assert get_values(caught.value) == {"hours": 23.5, "needed": 24}


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_comparisons_are_corrected_together_and_name_the_better_model() -> None:
    differences = {"forest": Difference(0.5, 4.0, 0.01), "line": Difference(-0.1, -0.5, 0.6)}
    forest, line = compare_with_best("a test", "boosted", differences)
    assert (forest.adjusted, line.adjusted) == (pytest.approx(0.02), pytest.approx(0.6))
    assert forest.describe() == "boosted is better"
    assert forest.describe(0.01) == line.describe() == "not statistically significant"
    (other,) = compare_with_best("a test", "boosted", {"line": Difference(-1.0, -9.0, 0.001)})
    assert other.describe() == "line is better"
