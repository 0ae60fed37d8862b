"""Maps in front of the networks and energies of the atoms."""

import numpy as np
import pytest
from lmlp.errors import InvalidArgumentError
from lmlp.model.scaling import (
    feature_moments,
    fit_atomic_energies,
    fit_input_map,
    left_over,
    standardization,
    useful_columns,
)


@pytest.fixture
def sample():
    """Correlated features of two elements far from zero; column 3 is constant for element 1."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(5, 5))
    features = 1e3 + rng.normal(size=(200, 5)) @ mixing * np.array([1, 10, 0.1, 1, 5])
    species = rng.integers(0, 2, 200)
    features[species == 1, 3] = 7.0
    return features, species


def widths(rows):
    """σ with 30 % of the median in quadrature, of features that vary."""
    sigma = rows.std(0)
    return np.hypot(sigma, 0.3 * np.median(sigma))


def test_moments_do_not_depend_on_the_chunks(sample):
    features, species = sample
    whole = feature_moments([(features, species)], 2, 5)
    parts = feature_moments([(features[i : i + 7], species[i : i + 7]) for i in range(0, 200, 7)], 2, 5)
    for e in range(2):
        rows = features[species == e]
        np.testing.assert_allclose(parts.mean[e], rows.mean(0), rtol=1e-13)
        np.testing.assert_allclose(parts.scatter[e] / len(rows), np.cov(rows.T, bias=True), atol=1e-9)
    np.testing.assert_allclose(parts.scatter, whole.scatter, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(parts.minimum, whole.minimum)
    np.testing.assert_array_equal(parts.maximum, whole.maximum)


def test_decorrelated_inputs_have_regularized_unit_covariance(sample):
    features, species = sample
    moments = feature_moments([(features, species)], 2, 5)
    epsilon = 0.3
    inputs = fit_input_map(moments, epsilon)(features, species)
    for e in range(2):
        rows = features[species == e][:, [0, 1, 2, 4] if e else slice(None)]
        correlation = np.cov(rows.T, bias=True) / np.outer(widths(rows), widths(rows))
        values = np.sort(np.linalg.eigvalsh(correlation))[::-1]
        covariance = np.cov(inputs[species == e].T, bias=True)
        np.testing.assert_allclose(np.diag(covariance)[: len(values)], values / (values + epsilon), atol=1e-9)
        np.testing.assert_allclose(covariance - np.diag(np.diag(covariance)), 0, atol=1e-9)


def test_decorrelation_equals_the_inverse_square_root_up_to_a_rotation(sample):
    features, species = sample
    rows = features[species == 0]
    moments = feature_moments([(features, species)], 2, 5)
    inputs = fit_input_map(moments, 0.1)(rows, np.zeros(len(rows), int))
    scaled = (rows - rows.mean(0)) / widths(rows)
    values, axes = np.linalg.eigh(scaled.T @ scaled / len(rows) + 0.1 * np.eye(5))
    symmetric = scaled @ (axes / np.sqrt(values)) @ axes.T
    np.testing.assert_allclose(inputs @ inputs.T, symmetric @ symmetric.T, atol=1e-9)


def test_without_a_floor_every_input_has_unit_variance(sample):
    features, species = sample
    moments = feature_moments([(features, species)], 2, 5)
    inputs = fit_input_map(moments, None, floor=0.0)(features, species)[species == 0]
    np.testing.assert_allclose(inputs.std(0), 1, atol=1e-9)
    large = fit_input_map(moments, None, floor=100.0)(features, species)[species == 0]
    sigma = features[species == 0].std(0)
    np.testing.assert_allclose(large.std(0), sigma / np.hypot(sigma, 100 * np.median(sigma)), atol=1e-12)


def test_weak_directions_are_dropped_and_standardization_alone_keeps_all(sample):
    features, species = sample
    moments = feature_moments([(features, species)], 2, 5)
    assert fit_input_map(moments, 0.1, keep=0.2).n_inputs < 5
    plain = fit_input_map(moments, None)
    inputs = plain(features, species)[species == 0]
    np.testing.assert_allclose(inputs.mean(0), 0, atol=1e-9)
    rows = features[species == 0]
    np.testing.assert_allclose(inputs.std(0), rows.std(0) / widths(rows), atol=1e-9)
    with pytest.raises(InvalidArgumentError, match="epsilon=0"):
        fit_input_map(moments, 0.0)


def test_constant_features_give_no_input_even_off_the_training_value(sample):
    features, species = sample
    moments = feature_moments([(features, species)], 2, 5)
    moved = features.copy()
    moved[:, 3] += 1.0
    for epsilon in (None, 0.1):
        inputs = fit_input_map(moments, epsilon)
        same, other = (inputs(f, species)[species == 1] for f in (features, moved))
        np.testing.assert_allclose(same, other, atol=1e-12)
        assert np.isfinite(same).all()


def test_useless_columns_are_found(sample):
    features, species = sample
    more = np.column_stack([features, np.zeros(200), features[:, 1], features[:, 0] * (1 + 1e-3)])
    kept, constant, twins = useful_columns(feature_moments([(more, species)], 2, 8))
    assert kept.tolist() == [0, 1, 2, 3, 4, 7]  # 3 varies for one element, 7 is no exact copy
    assert constant == [5]
    assert twins == [(6, 1)]


def test_what_varies_by_rounding_only_is_constant(sample):
    """Far tails of Gaussians: their standardization would make an input of rounding differences."""
    features, species = sample
    widest = np.ptp(features[species == 0], axis=0).max()
    tails = np.random.default_rng(1).random((200, 3)) * widest * np.array([1e-9, 1e-30, 1e-6])
    tails[species == 1, 2] *= 1e-6  # far for one element only
    moments = feature_moments([(np.column_stack([features, tails]), species)], 2, 8)
    kept, constant, twins = useful_columns(moments)
    assert kept.tolist() == [0, 1, 2, 3, 4, 7]
    assert constant == [5, 6]
    assert twins == []
    scale, _, varies = standardization(moments)
    assert varies[:, 5:].tolist() == [[False, False, True], [False, False, False]]
    assert scale[1, 7] == 1.0  # in a model that learns on, nothing blows up when the function wakes up
    sigma = np.column_stack([features, tails])[species == 0].std(0)
    least = 0.3 * np.median(sigma[varies[0]])
    assert sigma[7] < 1e-3 * least  # once in a while it will be far off what it was: no huge input then
    np.testing.assert_allclose(scale[0, 7], 1 / least, rtol=1e-6)


class TestAtomicEnergies:
    numbers = (1, 6, 8)
    true = np.array([-13.5, -1029.0, -2041.0])

    def fit(self, counts, energies, **more):
        return fit_atomic_energies(np.array(counts), np.array(energies), list(self.numbers), **more)

    def test_exact_for_enough_compositions(self):
        counts = np.array([[4, 1, 0], [2, 0, 1], [0, 1, 2], [6, 2, 1]])
        np.testing.assert_allclose(self.fit(counts, counts @ self.true), self.true, rtol=1e-12)

    def test_one_molecule_stays_near_neutral_atoms(self):
        counts = [[12, 12, 3]] * 4
        total = float(np.array(counts[0]) @ self.true)
        found = self.fit(counts, [total - 0.1, total + 0.1, total, total])
        assert found @ counts[0] == pytest.approx(total, abs=1e-6)
        np.testing.assert_allclose(found, self.true, rtol=0.2)  # crude, but hydrogen is no carbon

    def test_one_composition_of_a_pseudopotential_code_stays_near_zero(self):
        counts = [[0, 4, 8]] * 3
        found = self.fit(counts, [-100.0] * 3)
        assert found @ counts[0] == pytest.approx(-100.0, abs=1e-9)
        assert abs(found).max() < 20

    def test_cells_of_one_atom_are_structures_like_others(self):
        """Equations of state are of one atom per cell: none of them is a free atom that fixes its element."""
        counts = [[1, 0, 0], [1, 0, 0], [4, 0, 0], [2, 0, 0]]
        found = self.fit(counts, [-13.0, -14.0, -54.0, -27.0])
        assert found[0] == pytest.approx(-13.5, abs=1e-9)

    def test_given_values_are_kept_and_what_they_lack_is_told(self):
        counts = np.array([[0, 1, 0], [4, 1, 0], [2, 1, 1], [1, 1, 3], [2, 6, 0]])
        energies = counts @ self.true
        found = self.fit(counts, energies, given={6: self.true[1] + 5.0})
        assert found[1] == self.true[1] + 5.0
        # together with what is left over the energies are those of the free fit
        np.testing.assert_allclose(found + left_over(counts, energies, found), self.true, atol=1e-6)
        np.testing.assert_allclose(left_over(counts, energies, self.true), 0.0, atol=1e-9)

    def test_what_is_left_over_of_one_composition_is_shared_by_its_atoms(self):
        counts = np.array([[4, 1, 0]] * 3)
        rest = left_over(counts, counts @ self.true - 25.0, self.true)
        assert counts[0] @ rest == pytest.approx(-25.0, abs=1e-9)
        assert abs(rest).max() < 10.0
