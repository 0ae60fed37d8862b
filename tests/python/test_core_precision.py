"""Mixed precision: networks in single, everything else in double.

Measured differences from double: ten members, eeacsf-153, water: 1e-8 eV per atom, 2e-7 eV/Å; a trained model
of 3BPA with four members: 2e-8 eV per atom, 1.5e-6 eV/Å where forces are of 1 eV/Å.
"""

import numpy as np
import pytest
from lmlp import _core
from lmlp.calculators.ase import LMLPCalculator
from lmlp.calculators.backends import open_backend
from lmlp.descriptor.presets import make_preset
from lmlp.errors import InvalidArgumentError
from lmlp.export.random_model import RandomModelOptions, random_model
from lmlp.export.writing import write_model_file

from tests.python.activations import ACTIVATIONS
from tests.python.core_case import EVERYTHING, Case
from tests.python.model_files import arrays, header, model_bytes, safetensors_bytes


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("precision") / "model.pt"
    options = RandomModelOptions(n_members=4, hidden_layers=(102, 61, 44))
    spec = make_preset("eeacsf-153", ["H", "O"], 5.0)
    write_model_file(random_model(spec, ["H", "O"], options), path, verify=False)
    return path


def water():
    from ase.build import molecule

    atoms = molecule("H2O", cell=[3.1, 3.1, 3.1], pbc=True) * (3, 3, 3)
    atoms.rattle(0.1, seed=1)
    return atoms


def test_errors_against_double(model):
    atoms = water()
    exact, mixed = (LMLPCalculator(model, precision=name, uncertainty=True) for name in ("double", "mixed"))
    for calculator in (exact, mixed):
        calculator.calculate(atoms)
    energies = mixed.results["energies"] - exact.results["energies"]
    forces = mixed.results["forces"] - exact.results["forces"]
    assert np.abs(exact.results["forces"]).max() > 0.1
    # single precision is used at all, and costs some of its roundings of 6e-8 of a few eV and eV/Å
    assert 1e-10 < np.abs(energies).max() < 1e-6
    assert 1e-10 < np.abs(forces).max() < 3e-6
    # deviations of members are differences of numbers of the same size
    assert np.abs(mixed.results["forces_std"] - exact.results["forces_std"]).max() < 3e-6


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden_layers", [[], [1], [13, 7], [20, 5, 12, 3]])
def test_networks_against_numpy(tmp_path, activation, hidden_layers):
    case = Case(
        tmp_path, activation=activation, hidden_layers=hidden_layers, atomic_energies={"H": 0.1, "O": -2}
    )
    results = case.evaluate(member_energies=True, precision="mixed")
    expected = case.member_energies()
    # energies are of order 1 to 10 eV: 1e-5 is some ten roundings in single precision; measured 2e-6
    np.testing.assert_allclose(results["member_energies"], expected, rtol=0, atol=1e-5)
    gradients = case.evaluate()["pair_gradients"]
    scale = np.abs(gradients).max()
    np.testing.assert_allclose(
        case.evaluate(precision="mixed")["pair_gradients"], gradients, rtol=0, atol=1e-5 * scale
    )


def test_features_of_small_spread_keep_their_digits(tmp_path):
    """Features of order 1 that differ by 1e-6: centered and scaled in double, before they are rounded."""
    case = Case(tmp_path, n_atoms=64, atomic_energies={"H": 0, "O": 0})
    case.cell = 10.0 * np.eye(3)
    sites = 2.5 * np.stack(np.meshgrid(*[np.arange(4)] * 3), axis=-1).reshape(-1, 3)
    case.species = (sites.sum(1) / 2.5 % 2).astype(np.int32)
    case.environments = case.list_at(sites + 1e-6 * np.random.default_rng(0).normal(size=sites.shape))
    features = case.features()
    mean = np.stack([features[case.species == s].mean(0) for s in (0, 1)])
    case.arrays["shift"] = np.broadcast_to(mean, (3, 2, 5))
    case.arrays["scale"] = np.full((3, 2, 5), 1e6)
    case.path.write_bytes(model_bytes(case.header, safetensors_bytes(case.arrays)))
    case.potential = _core.Potential(case.path)
    # rounding the features themselves would give 1e6 roundings in single precision: 0.1
    np.testing.assert_allclose(
        case.evaluate(member_energies=True, precision="mixed")["member_energies"],
        case.member_energies(),
        rtol=0,
        atol=1e-5,
    )


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_sizes_beyond_single_precision(tmp_path, size):
    """Inputs of the networks are of order 1 whatever the unit of a feature."""
    case = Case(tmp_path, atomic_energies={"H": 0, "O": 0})
    expected = case.evaluate(**EVERYTHING)
    case.arrays["scale"] = case.arrays["scale"] * size
    case.arrays["layers.0.weight"] = case.arrays["layers.0.weight"] / size
    case.path.write_bytes(model_bytes(case.header, safetensors_bytes(case.arrays)))
    found = _core.Potential(case.path).evaluate(
        case.environments.offsets,
        case.species,
        case.species[case.environments.neighbors],
        case.environments.vectors,
        precision="mixed",
    )
    np.testing.assert_allclose(found["energies"], expected["energies"], rtol=0, atol=1e-5)
    scale = np.abs(expected["pair_gradients"]).max()
    np.testing.assert_allclose(found["pair_gradients"], expected["pair_gradients"], rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_saturated_networks_stay_finite(tmp_path, activation):
    entries = header(activation=activation)
    case = Case(tmp_path, activation=activation)
    case.arrays = {name: 1e3 * array for name, array in arrays(entries).items()}
    case.path.write_bytes(model_bytes(entries, safetensors_bytes(case.arrays)))
    case.potential = _core.Potential(case.path)
    results = case.evaluate(member_energies=True, precision="mixed")
    np.testing.assert_allclose(results["member_energies"], case.member_energies(), rtol=1e-5)
    assert np.isfinite(results["pair_gradients"]).all()


def test_unknown_precisions_are_refused(model):
    with pytest.raises(InvalidArgumentError, match=r"'half'.*double.*mixed"):
        LMLPCalculator(model, precision="half")
    with pytest.raises(InvalidArgumentError, match="backend='core'"):
        open_backend(model, "torchscript", precision="mixed")
    nothing = (np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros((0, 3)))
    with pytest.raises(InvalidArgumentError, match=r"'single'.*double and mixed"):
        _core.Potential(model).evaluate(*nothing, precision="single")


def test_copies_of_a_calculator_keep_the_precision(model):
    import copy
    import pickle

    atoms = water()
    calculator = LMLPCalculator(model, precision="mixed")
    expected = calculator.get_forces(atoms)
    for other in (copy.deepcopy(calculator), pickle.loads(pickle.dumps(calculator))):
        other.reset()
        assert np.array_equal(other.get_forces(atoms), expected)
