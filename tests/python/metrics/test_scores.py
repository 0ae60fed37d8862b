"""Scores and ranks of predicted distributions against quadrature, brute force and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from lmlp import metrics
from lmlp.errors import InvalidArgumentError
from scipy import integrate, stats


def test_likelihood_agrees_with_scipy() -> None:
    rng = np.random.default_rng(0)
    sigma, errors = rng.uniform(0.1, 2.0, 50), rng.normal(size=50)
    expected = -stats.norm.logpdf(errors, scale=sigma).mean()
    assert metrics.negative_log_likelihood(sigma, errors) == pytest.approx(expected, rel=1e-12)
    assert metrics.negative_log_likelihood(np.array([1.0, 0.0]), np.array([1.0, 0.0])) is None
    assert metrics.negative_log_likelihood(np.empty(0), np.empty(0)) is None


@pytest.mark.parametrize(("sigma", "error"), [(0.3, 0.0), (0.3, 0.5), (2.0, -1.0), (0.1, 1.5)])
def test_crps_agrees_with_its_integral(sigma: float, error: float) -> None:
    below, _ = integrate.quad(lambda t: stats.norm.cdf(t, scale=sigma) ** 2, -20.0, error, points=[0.0])
    above, _ = integrate.quad(lambda t: stats.norm.sf(t, scale=sigma) ** 2, error, 20.0, points=[0.0])
    found = metrics.crps(np.array([sigma]), np.array([error]))
    # the error that quad states is 1.5e-8
    assert found == pytest.approx(below + above, abs=1e-7)


def test_crps_without_width_is_the_error() -> None:
    assert metrics.crps(np.zeros(2), np.array([0.5, -1.5])) == pytest.approx(1.0)
    assert metrics.crps(np.empty(0), np.empty(0)) is None


def test_auroc_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(1)
    magnitude = rng.exponential(size=300)
    score = np.round(magnitude + rng.normal(size=300))  # with ties
    worst = np.argsort(magnitude)[-6:]
    others = np.setdiff1d(np.arange(300), worst)
    pairs = [(score[i] > score[j]) + 0.5 * (score[i] == score[j]) for i in worst for j in others]
    assert metrics.auroc(score, magnitude, 0.02) == pytest.approx(np.mean(pairs), rel=1e-12)
    assert metrics.auroc(magnitude, magnitude) == 1.0
    assert metrics.auroc(np.ones(300), magnitude) == 0.5
    assert metrics.auroc(np.ones(1), np.ones(1)) is None


def test_vectors_are_taken_by_component_and_by_length() -> None:
    rng = np.random.default_rng(2)
    sigma, errors = rng.uniform(0.1, 2.0, 400), rng.normal(size=(400, 3))
    vectors = metrics.calibrate(sigma, errors)
    components = metrics.calibrate(np.repeat(sigma / np.sqrt(3.0), 3), errors.ravel())
    lengths = metrics.calibrate(sigma, np.linalg.norm(errors, axis=1))
    assert vectors is not None
    assert components is not None
    assert lengths is not None
    for name in ("coverage_1", "coverage_2", "nll", "crps", "area"):
        assert getattr(vectors, name) == pytest.approx(getattr(components, name), rel=1e-12)
    assert vectors.coverage == components.coverage
    for name in ("n", "spearman", "auroc", "factor", "sharpness", "multiples"):
        assert getattr(vectors, name) == getattr(lengths, name)


def test_scores_of_ideal_predictions() -> None:
    rng = np.random.default_rng(3)
    sigma = np.exp(rng.normal(0.0, 0.5, 20000))
    errors = rng.normal(size=(20000, 3)) * sigma[:, None] / np.sqrt(3.0)
    good = metrics.calibrate(sigma, errors)
    assert good is not None
    # 60000 components: three standard deviations of the share of 0.5 are 0.006
    for level, observed in good.coverage.items():
        assert observed == pytest.approx(float(level), abs=0.007)
    # the length of a normal vector, in units of its root mean square
    for level, multiple in good.multiples.items():
        assert multiple == pytest.approx(stats.chi.ppf(float(level), 3) / np.sqrt(3.0), rel=0.02)
    for factor in (0.5, 2.0):  # proper scores punish both
        worse = metrics.calibrate(factor * sigma, errors)
        assert worse is not None
        assert worse.nll is not None
        assert good.nll is not None
        assert worse.nll > good.nll
        assert worse.crps > good.crps


def test_conformal_multiples_by_hand() -> None:
    sigma = np.full(9, 2.0)
    errors = np.arange(1.0, 10.0)[::-1]
    found = metrics.conformal_multiples(sigma, errors, (0.5, 0.9, 0.95))
    # the fifth and the ninth of nine; the tenth does not exist
    assert found == {"0.5": 2.5, "0.9": 4.5, "0.95": None}
    assert metrics.conformal_multiples(np.zeros(3), np.array([0.0, 0.0, 1.0]), (0.5, 0.7)) == {
        "0.5": 0.0,
        "0.7": None,
    }


def test_conformal_multiples_hold_new_errors_of_few() -> None:
    rng = np.random.default_rng(4)
    held = []
    for _ in range(4000):
        multiple = metrics.conformal_multiples(np.ones(19), rng.standard_t(3, 19), (0.9,))["0.9"]
        assert multiple is not None
        held.append(abs(rng.standard_t(3)) <= multiple)
    # exactly ⌈20·0.9⌉/20; three standard deviations of 4000
    assert np.mean(held) == pytest.approx(0.9, abs=0.015)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="shapes"):
        metrics.calibrate(np.ones(4), np.ones((3, 3)))
    with pytest.raises(InvalidArgumentError, match="scores"):
        metrics.auroc(np.ones(4), np.ones(3))
