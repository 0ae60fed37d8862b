"""The core's potential: networks against numpy, derivatives, members."""

import numpy as np
import pytest
from lmlp import _core
from lmlp.environments import Environments
from lmlp.errors import UncertaintyError
from lmlp.neighbors import find_neighbors

from tests.python.activations import ACTIVATIONS
from tests.python.core_case import EVERYTHING, Case
from tests.python.model_files import DESCRIPTOR, arrays, header, model_bytes, safetensors_bytes


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return Case(tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden_layers", [[], [1], [6], [13, 7], [20, 5, 12, 3]])
def test_networks_against_numpy(tmp_path, activation, hidden_layers):
    # sizes below, at and above the eight rows that the kernel takes at once; 1 to 45 atoms of an element
    case = Case(
        tmp_path, activation=activation, hidden_layers=hidden_layers, atomic_energies={"H": 0.1, "O": -2}
    )
    results = case.evaluate(member_energies=True)
    expected = case.member_energies()
    # energies are of order 1 to 10 eV: 1e-12 is some thousand roundings
    np.testing.assert_allclose(results["member_energies"], expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(results["energies"], expected.mean(0), rtol=0, atol=1e-12)


def test_features_of_small_spread(tmp_path):
    """A nearly perfect crystal: features of order 1 that differ by 1e-6, standardized to order 1."""
    case = Case(tmp_path, n_atoms=64, atomic_energies={"H": 0, "O": 0})
    case.cell = 10.0 * np.eye(3)
    sites = 2.5 * np.stack(np.meshgrid(*[np.arange(4)] * 3), axis=-1).reshape(-1, 3)
    case.species = (sites.sum(1) / 2.5 % 2).astype(np.int32)
    case.environments = case.list_at(sites + 1e-6 * np.random.default_rng(0).normal(size=sites.shape))
    features = case.features()
    mean = np.stack([features[case.species == s].mean(0) for s in (0, 1)])
    assert np.abs(mean).max() > 1
    case.arrays["shift"] = np.broadcast_to(mean, (3, 2, 5))
    case.arrays["scale"] = np.full((3, 2, 5), 1e6)
    case.path.write_bytes(model_bytes(case.header, safetensors_bytes(case.arrays)))
    case.potential = _core.Potential(case.path)
    # Folding scale and shift into the first layer as they are would give 1e6 roundings: 1e-10.
    np.testing.assert_allclose(
        case.evaluate(member_energies=True)["member_energies"], case.member_energies(), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_saturated_networks_stay_finite(tmp_path, activation):
    entries = header(activation=activation)
    values = {name: 1e3 * array for name, array in arrays(entries).items()}
    case = Case(tmp_path, activation=activation)
    case.arrays = values
    case.path.write_bytes(model_bytes(entries, safetensors_bytes(values)))
    case.potential = _core.Potential(case.path)
    results = case.evaluate(member_energies=True)
    np.testing.assert_allclose(results["member_energies"], case.member_energies(), rtol=1e-12)
    assert np.isfinite(results["pair_gradients"]).all()


def test_pair_gradients_are_derivatives(case):
    gradients = case.evaluate()["pair_gradients"]
    rng = np.random.default_rng(0)
    h = 1e-4
    for p in rng.choice(case.environments.n_pairs, 12, replace=False):
        for x in range(3):
            energies = []
            for sign in (1, -1, 2, -2):
                vectors = case.environments.vectors.copy()
                vectors[p, x] += sign * h
                moved = Environments(
                    case.environments.offsets, case.environments.neighbors, vectors, case.environments.shifts
                )
                energies.append(case.evaluate(moved)["energies"].sum())
            slope = (8 * (energies[0] - energies[1]) - (energies[2] - energies[3])) / (12 * h)
            # total energies of 6e4 eV carry 1e-11 eV, divided by 1e-4 Å: 1e-7; h^4 terms are below
            assert slope == pytest.approx(gradients[p, x], abs=1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden_layers", [[], [6], [7, 4]])
def test_forces_are_derivatives_of_the_total_energy(tmp_path, activation, hidden_layers):
    energies = {"H": 0, "O": 0}
    case = Case(tmp_path, 12, activation=activation, hidden_layers=hidden_layers, atomic_energies=energies)
    gradients = case.evaluate()["pair_gradients"]
    forces = np.zeros((12, 3))
    np.add.at(forces, case.environments.centers, gradients)
    np.add.at(forces, case.environments.neighbors, -gradients)
    h = 1e-4
    for i in (0, 11):
        for x in range(3):
            energies = []
            for sign in (1, -1, 2, -2):
                moved = case.positions.copy()
                moved[i, x] += sign * h
                energies.append(case.evaluate(case.list_at(moved))["energies"].sum())
            slope = (8 * (energies[0] - energies[1]) - (energies[2] - energies[3])) / (12 * h)
            # energies of 10 eV carry 1e-14 eV, divided by 1e-4 Å, and h^4 times the fifth derivative
            assert -slope == pytest.approx(forces[i, x], abs=1e-8)


@pytest.mark.parametrize("precision", _core.precision_names())
def test_members(case, precision):
    plain = case.evaluate(precision=precision)
    members = case.evaluate(**EVERYTHING, precision=precision)
    # asking for members must not change a bit of the mean
    assert np.array_equal(plain["energies"], members["energies"])
    assert np.array_equal(plain["pair_gradients"], members["pair_gradients"])
    assert members["member_pair_gradients"].shape == (3, case.environments.n_pairs, 3)
    np.testing.assert_allclose(
        members["member_pair_gradients"].mean(0), plain["pair_gradients"], rtol=0, atol=1e-14
    )
    assert np.abs(members["member_pair_gradients"].std(0)).max() > 0.01
    assert set(plain) == {"energies", "pair_gradients"}
    assert set(case.evaluate(pair_gradients=False, precision=precision)) == {"energies"}


def test_each_member_is_the_model_of_that_member_alone(tmp_path, case):
    every = case.evaluate(member_energies=True, member_gradients=True)
    for m in range(3):
        entries = header(n_members=1)
        values = {
            name: array if name.startswith("feature") else array[m : m + 1]
            for name, array in case.arrays.items()
        }
        path = tmp_path / "one.pt"
        path.write_bytes(model_bytes(entries, safetensors_bytes(values)))
        pairs = case.environments
        alone = _core.Potential(path).evaluate(
            pairs.offsets, case.species, case.species[pairs.neighbors], pairs.vectors
        )
        # folding uses the shift of member 0, so bits may differ where members have shifts of their own
        np.testing.assert_allclose(every["member_energies"][m], alone["energies"], rtol=1e-14)
        np.testing.assert_allclose(
            every["member_pair_gradients"][m], alone["pair_gradients"], rtol=0, atol=1e-13
        )


def test_extrapolation_counts(case):
    counts = case.evaluate(extrapolation=True)["extrapolating"]
    features = case.features()
    low, high = case.arrays["feature_min"][case.species], case.arrays["feature_max"][case.species]
    expected = ((features < low) | (features > high)).sum(1)
    assert np.array_equal(counts, expected)
    assert 0 < counts.sum() < counts.size * 5


def test_extrapolation_needs_ranges(tmp_path):
    with pytest.raises(UncertaintyError, match="no feature ranges"):
        Case(tmp_path, ranges=False).evaluate(extrapolation=True)


def test_pairs_beyond_the_cutoff_change_nothing(case):
    wide = find_neighbors(case.positions, case.cell, True, 4.7)
    with_skin = case.evaluate(wide)
    distances = np.linalg.norm(wide.vectors, axis=1)
    assert (distances > 4.0).sum() > 100
    assert (with_skin["pair_gradients"][distances >= 4.0] == 0).all()
    # sums over neighbors in another grouping: a few roundings
    np.testing.assert_allclose(with_skin["energies"], case.evaluate()["energies"], rtol=1e-14)


def test_descriptor_of_the_tests_has_angles():
    assert {f["kind"] for f in DESCRIPTOR["functions"]} == {"radial", "angular"}
