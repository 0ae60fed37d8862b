"""Random models and the random structures behind them."""

from __future__ import annotations

import numpy as np
import pytest
from lmlp.descriptor.compute import Descriptor
from lmlp.errors import InvalidArgumentError, UnknownElementError
from lmlp.export.random_model import TYPICAL_FORCE, RandomModelOptions, random_model
from lmlp.export.random_structure import list_pairs, random_structure
from lmlp.export.reference_potential import reference_results
from lmlp.export.writing import model_file_bytes
from lmlp.neighbors import find_neighbors
from lmlp.structure import Structure

from .models import same_bits, small_descriptor, small_model


def test_equal_seeds_give_equal_models() -> None:
    assert model_file_bytes(small_model(seed=3)) == model_file_bytes(small_model(seed=3))
    assert not same_bits(small_model(seed=3), small_model(seed=4))


@pytest.mark.parametrize("elements", [("H", "O"), ("Cu",), ("Nb", "Mo", "H")])
def test_scales(elements: tuple[str, ...]) -> None:
    """Inputs and forces are of order 1 on another structure than the one that set the scales."""
    model = small_model(elements=elements)
    n = 12 * len(elements)
    structure = random_structure(list(elements), n, np.random.default_rng(99))
    environments = list_pairs(structure, 4.0)
    species = np.arange(n) % len(elements)
    features = Descriptor(model.descriptor, model.elements).features(
        environments, species[environments.neighbors]
    )
    inputs = (features - model.shift[0, species]) * model.scale[0, species]
    assert 0.3 < inputs.std() < 3
    gradients = reference_results(model, environments, species).pair_gradients.mean(0)
    forces = np.zeros((n, 3))
    np.add.at(forces, environments.centers, gradients)
    np.add.at(forces, environments.neighbors, -gradients)
    assert TYPICAL_FORCE / 4 < np.sqrt((forces**2).mean()) < TYPICAL_FORCE * 4


def test_members_differ_and_have_a_grade() -> None:
    model = small_model(n_members=4)
    assert model.energy_rmse == 0.005
    assert model.force_rmse == 0.1
    assert all(np.abs(w - w[:1]).max(axis=(1, 2, 3))[1:].min() > 0 for w in model.weights)
    # members share most of their weights
    first = model.weights[0].reshape(4, -1)
    assert np.corrcoef(first)[0, 1] > 0.9


def test_constant_functions_keep_scale_one() -> None:
    """Nothing of weight d in water: the function is 0 everywhere."""
    functions = [*small_descriptor()["functions"], {"kind": "radial", "weight": "d", "eta": 0.1}]
    model = random_model(
        small_descriptor(functions=functions), ["H", "O"], RandomModelOptions(2, (4,), n_atoms=16)
    )
    assert (model.scale[:, :, -1] == 1).all()
    assert (model.shift[:, :, -1] == 0).all()


@pytest.mark.parametrize("options", [{"n_members": 0}, {"hidden_layers": ()}, {"hidden_layers": (5, 0)}])
def test_impossible_options(options: dict) -> None:
    with pytest.raises(InvalidArgumentError, match="at least 1"):
        random_model(small_descriptor(), ["H"], RandomModelOptions(**options))


@pytest.mark.parametrize("elements", [["H"], ["O", "H"], ["Cu", "Zr"], ["Cs", "I"], ["Og"]])
def test_random_structures_are_condensed(elements: list[str]) -> None:
    structure = random_structure(elements, 40, np.random.default_rng(0))
    again = random_structure(elements, 40, np.random.default_rng(0))
    assert (structure.positions == again.positions).all()
    assert len(set(structure.numbers.tolist())) == len(elements)
    assert 8 < structure.volume / 40 < 20  # Å³ per atom: water 10, copper 12, niobium 18
    distances = np.linalg.norm(list_pairs(structure, 5.0).vectors, axis=1)
    assert distances.min() > 0.5
    angles = structure.cell @ structure.cell.T
    assert np.abs(angles[~np.eye(3, dtype=bool)]).max() > 1  # triclinic


def test_random_structure_of_nothing_known() -> None:
    with pytest.raises(UnknownElementError, match="'Xx' is not a chemical element"):
        random_structure(["Xx"], 3, np.random.default_rng(0))


@pytest.mark.parametrize("pbc", [(True, True, True), (False, False, False), (True, False, True)])
def test_pairs_are_those_of_the_cell_list(pbc: tuple[bool, bool, bool]) -> None:
    """Brute force and the core's cell list, with images of the same atom and atoms outside the cell."""
    rng = np.random.default_rng(1)
    cell = np.array([[3.0, 0.2, 0.0], [-0.4, 4.0, 0.5], [0.3, 0.1, 2.5]])
    positions = rng.uniform(-1, 2, (5, 3)) @ cell
    mine = list_pairs(Structure(np.ones(5), positions, cell, np.array(pbc)), 4.5)
    core = find_neighbors(positions, cell, np.array(pbc), 4.5)
    keys = []
    for environments in (mine, core):
        rows = zip(environments.centers, environments.neighbors, map(tuple, environments.shifts), strict=True)
        keys.append(
            {
                (int(i), int(j), *map(int, s)): v
                for (i, j, s), v in zip(rows, environments.vectors, strict=True)
            }
        )
    assert len(keys[0]) == mine.n_pairs
    assert set(keys[0]) == set(keys[1])
    for key, vector in keys[0].items():
        np.testing.assert_allclose(vector, keys[1][key], atol=1e-13)


def test_singular_cell() -> None:
    flat = np.array([[1.0, 0, 0], [2.0, 0, 0], [0, 0, 1]])
    with pytest.raises(InvalidArgumentError, match="is singular"):
        list_pairs(Structure(np.ones(1), np.zeros((1, 3)), flat, np.ones(3, dtype=bool)), 2.0)
