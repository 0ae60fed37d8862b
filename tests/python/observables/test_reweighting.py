"""Weights against what a harmonic oscillator has in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from ase import units
from lmlp.errors import DataError, InvalidArgumentError, UncertaintyError
from lmlp.observables import Weights
from scipy.special import ndtri

TEMPERATURE = 300.0
BETA = 1.0 / (units.kB * TEMPERATURE)
STIFFNESS = 5.0  # eV/Å²
CHANGES = np.array([-0.24, -0.03, 0.07, 0.2])  # of the stiffness by each member, mean 0
OFFSETS = np.array([0.3, -0.1, 0.0, 4.0])  # eV


def oscillator(n: int = 20000) -> tuple[np.ndarray, np.ndarray]:
    """Return positions of the mean potential, almost without noise, and energies of the members."""
    normal = ndtri((np.arange(n) + 0.5) / n)
    x = np.random.default_rng(0).permutation(normal) / np.sqrt(BETA * STIFFNESS)
    stiffness = STIFFNESS * (1.0 + CHANGES)
    return x, 0.5 * stiffness[:, None] * x**2 + OFFSETS[:, None]


def test_weights_give_the_means_of_the_members() -> None:
    x, energies = oscillator()
    found = Weights.of(energies, TEMPERATURE)(x**2)
    exact = 1.0 / (BETA * STIFFNESS * (1.0 + CHANGES))
    assert found.method == "direct"
    # the outermost of 20000 positions are a little too small; the softest member misses them most, by 1.5e-3
    np.testing.assert_allclose(found.members, exact, rtol=2e-3)
    assert found.sigma == pytest.approx(exact.std(ddof=1), rel=6e-3)
    assert found.mean == pytest.approx(1.0 / (BETA * STIFFNESS), rel=3e-4)
    # ⟨w⟩²/⟨w²⟩ of exp(−d·y²/2), y normal
    effective = np.sqrt(1.0 + 2.0 * CHANGES) / (1.0 + CHANGES)
    np.testing.assert_allclose(found.effective / len(x), effective, rtol=2e-3)


def test_first_order_is_the_cumulant_expansion() -> None:
    x, energies = oscillator()
    found = Weights.of(energies, TEMPERATURE, method="cumulant")(x**2)
    # ⟨a⟩ − β cov(a, ΔE) with cov(x², d·k·x²/2) = d/(β² k)
    exact = (1.0 - CHANGES) / (BETA * STIFFNESS)
    np.testing.assert_allclose(found.members, exact, rtol=1e-3)
    assert found.method == "cumulant"


def test_each_member_has_its_own_energy() -> None:
    """⟨E_m⟩ of a member is k_B T/2 above its offset, whatever its stiffness."""
    _, energies = oscillator()
    found = Weights.of(energies, TEMPERATURE)(energies, per_member=True)
    np.testing.assert_allclose(found.members, 0.5 / BETA + OFFSETS, atol=1e-3 / BETA)
    assert found.mean == pytest.approx(0.5 / BETA + OFFSETS.mean(), abs=1e-3 / BETA)


def test_offsets_of_energies_change_nothing() -> None:
    x, energies = oscillator(1000)
    shifted = energies + np.array([-1.0, 2.0, 500.0, 0.0])[:, None]
    one, other = (Weights.of(e, TEMPERATURE)(x**2) for e in (energies, shifted))
    np.testing.assert_allclose(one.members, other.members, rtol=1e-9)


def test_the_factor_moves_members_away_from_their_mean() -> None:
    x, energies = oscillator()
    mean = energies.mean(axis=0)
    scaled = mean + 1.7 * (energies - mean)
    one = Weights.of(energies, TEMPERATURE, factor=1.7)(x**2)
    other = Weights.of(scaled, TEMPERATURE)(x**2)
    np.testing.assert_allclose(one.members, other.members, rtol=1e-12)
    plain = Weights.of(energies, TEMPERATURE, method="cumulant")(x**2)
    wide = Weights.of(energies, TEMPERATURE, method="cumulant", factor=1.7)(x**2)
    assert wide.sigma == pytest.approx(1.7 * plain.sigma, rel=1e-12)


def test_many_degrees_of_freedom_choose_the_first_order() -> None:
    """The weights of 400 oscillators leave next to nothing, and σ of one of them is still right."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(4000, 400)) / np.sqrt(BETA * STIFFNESS)
    energies = 0.5 * STIFFNESS * (1.0 + CHANGES)[:, None] * (x**2).sum(axis=1)
    weights = Weights.of(energies, TEMPERATURE)
    assert weights.method == "cumulant"
    assert weights.effective.min() < 0.01 * len(x)
    found = weights(np.mean(x**2, axis=1))
    exact = CHANGES.std(ddof=1) / (BETA * STIFFNESS)
    assert abs(found.sigma - exact) < 4.0 * found.sigma_statistical
    assert found.sigma_statistical < 0.1 * exact
    assert found.shift > 1.0  # the mean of 400 hardly varies, so members are far outside of it


def test_statistical_errors_are_what_repeated_runs_scatter_by() -> None:
    rng = np.random.default_rng(2)
    results = []
    for _ in range(60):
        x = rng.normal(size=500) / np.sqrt(BETA * STIFFNESS)
        energies = 0.5 * STIFFNESS * (1.0 + CHANGES)[:, None] * x**2
        found = Weights.of(energies, TEMPERATURE, blocks=20)(x**2)
        results.append([found.mean, found.statistical, found.sigma, found.sigma_statistical])
    mean, statistical, sigma, sigma_statistical = np.array(results).T
    # a standard deviation from 60 runs is known to 9 %
    assert statistical.mean() == pytest.approx(mean.std(ddof=1), rel=0.3)
    assert sigma_statistical.mean() == pytest.approx(sigma.std(ddof=1), rel=0.35)


def test_a_memory_makes_the_error_larger() -> None:
    """Of frames repeated 20 times, the error is that of the different ones."""
    x, energies = oscillator(400)
    once = Weights.of(energies, TEMPERATURE)(x**2)
    often = Weights.of(np.repeat(energies, 20, axis=1), TEMPERATURE)(np.repeat(x, 20) ** 2)
    assert often.statistical == pytest.approx(once.statistical, rel=1e-9)
    assert often.n_frames == 8000


def test_curves_are_many_numbers() -> None:
    x, energies = oscillator(2000)
    weights = Weights.of(energies, TEMPERATURE)
    curve = weights(np.stack([x**2, x, np.ones_like(x)], axis=1))
    for k, column in enumerate((x**2, x)):
        one = weights(column)
        for name in ("mean", "sigma", "statistical", "sigma_statistical"):
            assert getattr(curve, name)[k] == pytest.approx(getattr(one, name), rel=1e-9, abs=1e-15)
    assert curve.sigma[2] == pytest.approx(0.0, abs=1e-12)
    assert curve.is_curve
    assert not weights(x).is_curve


def test_nonsense_is_refused() -> None:
    x, energies = oscillator(100)
    for temperature in (0.0, -300.0, float("nan"), float("inf")):
        with pytest.raises(InvalidArgumentError, match="temperature"):
            Weights.of(energies, temperature)
    for factor in (0.0, -1.0, float("nan")):
        with pytest.raises(InvalidArgumentError, match="factor"):
            Weights.of(energies, TEMPERATURE, factor=factor)
    with pytest.raises(InvalidArgumentError, match="blocks"):
        Weights.of(energies, TEMPERATURE, blocks=1)
    with pytest.raises(InvalidArgumentError, match="'best' is not one of auto, direct, cumulant"):
        Weights.of(energies, TEMPERATURE, method="best")
    with pytest.raises(UncertaintyError, match="1 member"):
        Weights.of(energies[:1], TEMPERATURE)
    with pytest.raises(DataError, match=r"19 frames.*at least 20"):
        Weights.of(energies[:, :19], TEMPERATURE)
    with pytest.raises(DataError, match="n_members, n_frames"):
        Weights.of(energies[0], TEMPERATURE)
    broken = energies.copy()
    broken[1, 3] = np.nan
    with pytest.raises(DataError, match="finite"):
        Weights.of(broken, TEMPERATURE)
    weights = Weights.of(energies, TEMPERATURE)
    with pytest.raises(DataError, match=r"x: shape \(99,\)"):
        weights(x[:-1], name="x")
    with pytest.raises(DataError, match="finite"):
        weights(np.where(x == x.max(), np.inf, x))
    with pytest.raises(DataError, match="members and frames"):
        weights(x, per_member=True)


def test_weights_of_one_block_are_refused() -> None:
    """All weight of a member in one block: nothing is left without it."""
    x, energies = oscillator(100)
    far = energies.copy()
    far[0, 10:] += 1000.0
    with pytest.raises(DataError, match="cumulant"):
        Weights.of(far, TEMPERATURE, method="direct")(x)
    assert np.isfinite(Weights.of(far, TEMPERATURE)(x).sigma)
