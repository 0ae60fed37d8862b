"""The distance against a Gaussian written out, and where there are few atoms or atoms that are all alike."""

import numpy as np
import pytest
from lmlp.model.distance import QUANTILE
from lmlp.model.distance_fit import ATOMS_PER_AXIS, AXES, FLOOR, SLIGHTEST, fit_distance
from lmlp.model.scaling import feature_moments


def fitted(features, species=None, n_elements=1, before=None):
    species = np.zeros(len(features), int) if species is None else species
    moments = feature_moments([(features, species)], n_elements, features.shape[1])
    halves = [(features[k::2], species[k::2]) for k in range(2)]
    return fit_distance(moments, halves, before)


def sample(n, n_features, seed=0, rank=5):
    """Features along a few directions, and a little along all."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(rank, n_features)) * np.geomspace(1.0, 0.1, rank)[:, None]
    return 1.0 + rng.normal(size=(n, rank)) @ mixing + 0.02 * rng.normal(size=(n, n_features))


@pytest.mark.parametrize(("n", "n_axes"), [(6000, AXES), (300, 10)])
def test_it_is_the_mahalanobis_distance_of_the_gaussian(n, n_axes):
    n_features = 80
    x = sample(n, n_features)
    found = fitted(x).distance
    assert found.axes.shape == (1, n_axes, n_features)
    assert n_axes == min(AXES, n // ATOMS_PER_AXIS)
    center, sigma = x.mean(axis=0), x.std(axis=0)
    floor = np.hypot(FLOOR * np.median(sigma), SLIGHTEST * np.sqrt(np.mean(center**2)))
    width = np.hypot(sigma, floor)
    z = (x - center) / width
    values, vectors = np.linalg.eigh((z.T @ z + np.eye(n_features)) / (n + 1))
    values, vectors = values[::-1], vectors[:, ::-1]
    rest = values[n_axes:].mean()
    model = vectors @ np.diag([*values[:n_axes], *[rest] * (n_features - n_axes)]) @ vectors.T
    new = sample(50, n_features, seed=1) * 1.1

    def raw(features):
        y = (features - center) / width
        return np.sqrt(np.einsum("nf,fg,ng->n", y, np.linalg.inv(model), y))

    expected = raw(new) / np.quantile(raw(x), QUANTILE)
    np.testing.assert_allclose(found(new, np.zeros(50, int)), expected, rtol=1e-8)


def test_training_atoms_are_within_and_others_are_not():
    x = sample(20000, 40)
    found = fitted(x).distance
    species = np.zeros(20000, int)
    assert np.mean(found(x, species) > 1.0) == pytest.approx(1.0 - QUANTILE, abs=1e-4)
    # measured: 0.0012
    assert np.mean(found(sample(20000, 40, seed=7), species) > 1.0) < 0.002
    off = np.random.default_rng(1).normal(size=(20, 40)) * 0.2  # along directions of little variance, too
    assert (found(x[:20] + off, species[:20]) > 1.5).all()


def test_each_element_has_its_own():
    x = np.concatenate([sample(900, 20), 5.0 + 3.0 * sample(600, 20, seed=2)])
    species = np.repeat([0, 1], [900, 600])
    both = fitted(x, species, 2)
    assert both.atoms.tolist() == [900, 600]
    assert both.fields(["H", "O"])["distance"] == {"quantile": QUANTILE, "atoms": {"H": 900, "O": 600}}
    for e in range(2):
        alone = fitted(x[species == e])
        np.testing.assert_allclose(
            both.distance(x, species)[species == e],
            alone.distance(x[species == e], np.zeros((species == e).sum(), int)),
            rtol=1e-9,
        )
    assert both.distance(x[:5], np.ones(5, int)).min() > 3.0


@pytest.mark.parametrize("n", [1, 2, 500])
@pytest.mark.parametrize("noise", [0.0, 1e-13, 1e-9])
def test_atoms_that_are_all_alike_have_a_finite_distance_to_others(n, noise):
    rng = np.random.default_rng(3)
    center = np.r_[rng.uniform(0.1, 2.0, 20), np.zeros(4)]
    x = center + noise * rng.normal(size=(n, 24))
    found = fitted(x).distance
    assert np.isfinite(found.scale).all()
    assert (found.scale > 0).all()
    zero = np.zeros(n, int)
    assert found(x, zero).max() < 1e-3  # the noise of positions is not the unit
    size = np.sqrt(np.mean(center**2))
    direction = rng.normal(size=(1, 24))
    # the width of a function, the variance of one atom among n + 1, and a tenth of a usual distance
    direction *= SLIGHTEST * size * 0.1 * np.sqrt(24 / (n + 1)) / np.linalg.norm(direction)
    np.testing.assert_allclose(found(center + direction, zero[:1]), 1.0, rtol=1e-3)


def test_atoms_without_neighbors():
    found = fitted(np.zeros((40, 6))).distance
    assert found(np.zeros((1, 6)), np.zeros(1, int)) == 0.0
    assert np.isfinite(found(np.ones((1, 6)), np.zeros(1, int))).all()
    assert found(np.ones((1, 6)), np.zeros(1, int)) > 1.0


def test_one_function_and_few_atoms():
    x = np.linspace(1.0, 2.0, 100)[:, None]
    found = fitted(x).distance
    assert found.axes.shape == (1, 0, 1)
    assert found(np.array([[2.0], [3.5]]), np.zeros(2, int)) == pytest.approx([1.0, 4.0], rel=2e-2)


def test_elements_without_atoms_keep_what_they_had_or_there_is_none():
    x, species = np.concatenate([sample(900, 20), sample(100, 20)]), np.repeat([0, 1], [900, 100])
    before = fitted(x, species, 2).distance
    new = np.concatenate([2.0 * sample(300, 20, seed=4), sample(90, 20, seed=5)])
    kinds = np.repeat([0, 2], [300, 90])
    found = fitted(new, kinds, 3, before)
    assert found.atoms.tolist() == [300, 0, 90]
    rows = sample(7, 20, seed=6)
    ones = np.ones(7, int)
    np.testing.assert_array_equal(found.distance(rows, ones), before(rows, ones))
    alone = fitted(new[:300]).distance
    np.testing.assert_allclose(found.distance(rows, 0 * ones), alone(rows, 0 * ones), rtol=1e-9)
    assert fitted(new, kinds, 3) is None
    assert fitted(new[:300], kinds[:300], 3, before) is None
