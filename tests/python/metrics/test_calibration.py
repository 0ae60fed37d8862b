"""Error measures against values worked out by hand or by scipy."""

from __future__ import annotations

import numpy as np
import pytest
from lmlp import metrics
from lmlp.errors import InvalidArgumentError
from scipy import stats


def test_summary_of_known_errors() -> None:
    summary = metrics.summarize(np.array([[3.0, -4.0], [0.0, 0.0]]))
    assert summary.n == 4
    assert summary.rmse == pytest.approx(2.5)
    assert summary.mae == pytest.approx(1.75)
    assert summary.largest == 4.0


def test_no_data_is_none_not_zero() -> None:
    assert metrics.summarize(np.empty((0, 3))) == metrics.ErrorSummary(0, None, None, None)
    assert metrics.calibrate(np.empty(0), np.empty(0)) is None


def test_nan_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="1 of 3 values are NaN"):
        metrics.summarize(np.array([1.0, np.nan, 2.0]))


def test_groups() -> None:
    numbers = np.array([1, 8, 1])
    errors = np.array([[1.0, 0, 0], [0, 2.0, 0], [0, 0, 3.0]])
    groups = metrics.summarize_by(numbers, errors)
    assert set(groups) == {1, 8}
    assert groups[1].n == 6
    assert groups[1].rmse == pytest.approx(np.sqrt(10 / 6))
    assert groups[8].mae == pytest.approx(2 / 3)


def test_spearman_agrees_with_scipy_with_ties() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 6, 200).astype(float), rng.normal(size=200)
    b += 0.3 * a
    assert metrics.spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)
    assert metrics.spearman(a, np.ones(200)) is None


def test_calibrated_sigma_is_recognized() -> None:
    rng = np.random.default_rng(1)
    sigma = np.exp(rng.normal(0.0, 0.7, 20000))
    errors = sigma * rng.normal(size=20000)
    good = metrics.calibrate(sigma, errors)
    assert good is not None
    # three standard deviations of a binomial share of 20000
    assert good.coverage_1 == pytest.approx(0.6827, abs=0.01)
    assert good.coverage_2 == pytest.approx(0.9545, abs=0.005)
    assert good.factor == pytest.approx(1.0, abs=0.02)
    assert good.area < 0.01
    small = metrics.calibrate(sigma / 3.0, errors)
    assert small is not None
    assert small.factor == pytest.approx(3.0 * good.factor)
    assert small.coverage_1 < 0.3
    assert (small.observed < small.levels).all()


def test_factor_is_not_decided_by_the_smallest_sigma() -> None:
    sigma, errors = np.full(1000, 0.1), np.full(1000, 0.3)
    sigma[0] = 1e-12
    # the mean of (error/sigma)**2 would ask for 1e10
    assert metrics.calibration_factor(sigma, errors) == pytest.approx(3.0, rel=1e-3)
    assert metrics.calibration_factor(np.zeros(4), np.ones(4)) is None


def test_reliability_curve_by_hand() -> None:
    # errors of 0.5 σ and 1.5 σ: half of them inside from the level where the interval passes 0.5 σ on
    curve = metrics.calibrate(np.ones(4), np.array([0.5, -0.5, 1.5, -1.5]))
    assert curve is not None
    level = 2.0 * stats.norm.cdf(0.5) - 1.0
    expected = np.where(curve.levels < level, 0.0, 0.5)
    expected[curve.levels > 2.0 * stats.norm.cdf(1.5) - 1.0] = 1.0
    np.testing.assert_array_equal(curve.observed, expected)


def test_negative_sigma_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="negative"):
        metrics.calibrate(np.array([-1.0]), np.array([0.0]))


def test_bins_hold_equal_numbers_and_keep_the_order() -> None:
    rng = np.random.default_rng(2)
    sigma = rng.uniform(0.1, 2.0, 600)
    errors = 2.0 * sigma * rng.choice([-1.0, 1.0], 600)
    mean_sigma, mean_error = metrics.bin_by_sigma(sigma, errors, 10)
    assert len(mean_sigma) == 10
    assert (np.diff(mean_sigma) > 0).all()
    np.testing.assert_allclose(mean_error, 2.0 * mean_sigma)
