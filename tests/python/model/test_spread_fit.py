"""Spread maps are found again in errors drawn from them, and stay sensible where data tell little."""

import numpy as np
import pytest
from lmlp.model.spread import SpreadMap
from lmlp.model.spread_fit import (
    LEAST_FACTOR,
    OF_ALL,
    SpreadErrors,
    fit_spread_map,
    fit_spread_maps,
)


def drawn(n, floor, factor, components=3, seed=0):
    """Spreads over two decades, and lengths of Gaussian errors of σ = √(floor² + (factor s)²)."""
    rng = np.random.default_rng(seed)
    spread = 10.0 ** rng.uniform(-3, -1, n)
    sigma = np.hypot(floor, factor * spread) / np.sqrt(components)
    return SpreadErrors(spread, np.linalg.norm(rng.normal(size=(n, components)) * sigma[:, None], axis=1), 3)


def likelihood(data, floor, factor):
    v = floor**2 + (factor * data.spread) ** 2
    return float(np.sum(0.5 * data.components * (np.log(v) + data.error**2 / v)))


def test_the_map_is_found_again():
    found = fit_spread_map(drawn(20000, 0.02, 1.7))
    assert found.floor == pytest.approx(0.02, rel=0.02)
    assert found.factor == pytest.approx(1.7, rel=0.02)


def test_no_other_map_is_more_likely():
    data = drawn(400, 0.01, 2.5, seed=3)
    found = fit_spread_map(data, weight=1e-9)
    best = likelihood(data, found.floor, found.factor)
    floors, factors = np.geomspace(1e-3, 0.1, 60), np.geomspace(0.3, 20.0, 60)
    others = [likelihood(data, a, b) for a in floors for b in factors]
    # errors below a thousandth of their mean square count as that: 1e-6 of the likelihood's terms
    assert best <= min(others) + 1e-3
    assert min(others) - best < 1.0  # the grid comes near


def test_all_data_in_other_units_give_the_same_map_in_them():
    data = drawn(100, 0.02, 1.7)
    milli = SpreadErrors(1e3 * data.spread, 1e3 * data.error, 3)
    one, other = fit_spread_map(data), fit_spread_map(milli)
    assert other.floor == pytest.approx(1e3 * one.floor, rel=1e-6)
    assert other.factor == pytest.approx(one.factor, rel=1e-6)


def test_elements_of_few_atoms_are_like_all_and_those_of_none_have_the_common_map():
    many, few = drawn(4000, 0.02, 1.5), drawn(4, 0.2, 1.5, seed=1)
    kinds = np.repeat([0, 1], [4000, 4])
    data = SpreadErrors(np.r_[many.spread, few.spread], np.r_[many.error, few.error], 3)
    common = fit_spread_map(data)
    first, second, none = fit_spread_maps(data, kinds, 3)
    assert none == common
    assert first.floor == pytest.approx(0.02, rel=0.05)
    assert first.floor < second.floor < 0.2  # drawn toward its own errors, but not all the way


def test_what_vanishes_by_symmetry_makes_nothing_certain():
    data = drawn(200, 0.02, 1.7)
    zeros = np.zeros(800)
    with_zeros = SpreadErrors(np.r_[data.spread, zeros], np.r_[data.error, zeros], 3)
    assert fit_spread_map(with_zeros).floor == pytest.approx(fit_spread_map(data).floor, rel=1e-3)


@pytest.mark.parametrize("error", [0.0, 0.05])
def test_members_that_agree_and_errors_that_vanish(error):
    n = 50
    found = fit_spread_map(SpreadErrors(np.zeros(n), np.full(n, error), 3))
    assert np.isfinite([found.floor, found.factor]).all()
    assert found.factor >= LEAST_FACTOR
    if error:
        assert found.floor == pytest.approx(error, rel=0.02)
    found = fit_spread_map(SpreadErrors(np.full(n, 0.1), np.full(n, error), 3))
    assert np.isfinite([found.floor, found.factor]).all()
    assert found.factor >= LEAST_FACTOR
    assert found.floor >= 0.0


def test_nothing_and_numbers_that_are_none():
    nothing = np.zeros(0)
    assert fit_spread_map(SpreadErrors(nothing, nothing, 3)) == SpreadMap(0.0, 2.0)
    maps = fit_spread_maps(SpreadErrors(nothing, nothing, 3), np.zeros(0, int), 2)
    assert maps == (SpreadMap(), SpreadMap())
    data = drawn(60, 0.02, 1.7)
    spread, error = np.r_[data.spread, np.nan, 1.0], np.r_[data.error, 1.0, np.inf]
    assert fit_spread_map(SpreadErrors(spread, error, 3)) == fit_spread_map(data)
    assert fit_spread_map(SpreadErrors(spread[-2:], error[-2:], 3)) == SpreadMap()


def test_spread_that_tells_nothing_still_warns_far_from_the_data():
    rng = np.random.default_rng(2)
    spread = 10.0 ** rng.uniform(-3, -1, 5000)
    error = np.linalg.norm(rng.normal(size=(5000, 3)), axis=1) * 0.02
    found = fit_spread_map(SpreadErrors(spread, error, 3), OF_ALL)
    assert LEAST_FACTOR <= found.factor < 2 * LEAST_FACTOR
    assert found.floor == pytest.approx(0.02 * np.sqrt(3.0), rel=0.05)


def test_one_structure_has_the_size_of_its_error_on_the_average():
    found = fit_spread_map(SpreadErrors(np.array([1e-3]), np.array([2e-3]), 1))
    assert float(found(1e-3)) == pytest.approx(2e-3, rel=1e-2)
