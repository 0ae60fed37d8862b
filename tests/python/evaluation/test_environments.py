"""Environments are named as a chemist would, and errors are those of their atoms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, bulk, fcc111, molecule
from lmlp.calculators.prediction import Prediction
from lmlp.evaluation.environments import (
    N_LISTED,
    AtomErrors,
    atom_errors,
    distance_curves,
    environment_table,
)
from lmlp.evaluation.result import StructureResult
from lmlp.structure import Structure


def result(atoms: Atoms, errors: np.ndarray | None = None) -> StructureResult:
    n = len(atoms)
    structure = Structure(
        atoms.numbers.astype(np.int32), atoms.positions, atoms.cell.array, atoms.pbc, forces=np.zeros((n, 3))
    )
    forces = np.zeros((n, 3)) if errors is None else errors
    return StructureResult(structure, "", Prediction(0.0, np.zeros(n), forces, np.zeros((3, 3))))


def labels(atoms: Atoms) -> list[str]:
    found = atom_errors([result(atoms)])
    assert found is not None
    return found.labels.tolist()


def test_names_of_molecules() -> None:
    ethanol = molecule("CH3CH2OH")
    expected = {"C [CH3]": 1, "C [CH2O]": 1, "O [CH]": 1, "H [O]": 1, "H [C]": 5}
    found = labels(ethanol)
    assert {name: found.count(name) for name in found} == expected
    assert labels(Atoms("H", positions=[[0, 0, 0]])) == ["H [0]"]


def test_names_of_crystals_count_periodic_images() -> None:
    assert labels(bulk("Ni")) == ["Ni [12]"]  # one atom: all its neighbors are images of itself
    assert labels(bulk("Mo")) == ["Mo [14]"]
    assert labels(bulk("Si")) == ["Si [Si4]"] * 2
    slab = labels(fcc111("Ni", (2, 2, 4), vacuum=8.0))
    assert (slab.count("Ni [9]"), slab.count("Ni [12]")) == (8, 8)


def test_metal_ions_are_bonded_to_anions_only() -> None:
    """In rutile, titanium atoms are 2.96 Å apart, as in the metal (2.9 Å)."""
    u = 0.305
    fractions = [
        (0, 0, 0),
        (0.5, 0.5, 0.5),
        (u, u, 0),
        (-u, -u, 0),
        (0.5 + u, 0.5 - u, 0.5),
        (0.5 - u, 0.5 + u, 0.5),
    ]
    rutile = Atoms("Ti2O4", scaled_positions=fractions, cell=[4.594, 4.594, 2.959], pbc=True)
    assert labels(rutile) == ["Ti [O6]"] * 2 + ["O [Ti3]"] * 4
    assert labels(bulk("Ti")) == ["Ti [12]"] * 2
    surface = fcc111("Ni", (2, 2, 4), vacuum=8.0)
    add_adsorbate(surface, "O", 1.2, "fcc")
    found = labels(surface)
    assert found.count("O [Ni3]") == 1
    assert found.count("Ni [10]") == 3  # nine nickel atoms and the oxygen atom


def test_one_set_of_elements_for_all_structures() -> None:
    found = atom_errors([result(molecule("CH4")), result(bulk("Ni")), result(molecule("H2O"))])
    assert found is not None
    assert found.labels.tolist() == ["C [H4]", *["H [C]"] * 4, "Ni [12]", "O [H2]", "H [O]", "H [O]"]
    np.testing.assert_array_equal(found.numbers, [6, 1, 1, 1, 1, 28, 8, 1, 1])
    assert found.nearest[5] == pytest.approx(3.52 / np.sqrt(2))
    methane, water = molecule("CH4"), molecule("H2O")
    for atoms, nearest in ((methane, found.nearest[:5]), (water, found.nearest[6:])):
        distances = atoms.get_all_distances() + np.diag(np.full(len(atoms), np.inf))
        np.testing.assert_allclose(nearest, distances.min(axis=1), rtol=1e-12)
    bare = result(molecule("CH4"))
    assert atom_errors([replace(bare, structure=replace(bare.structure, forces=None))]) is None


def synthetic(counts: dict[str, int], seed: int = 0) -> AtomErrors:
    names = np.repeat(list(counts), list(counts.values()))
    rng = np.random.default_rng(seed)
    n = len(names)
    numbers = np.where(np.char.startswith(names, "C"), 6, 1)
    return AtomErrors(
        numbers, names, rng.uniform(1.0, 2.0, n), rng.normal(size=(n, 3)), rng.normal(2.0, 1.0, (n, 3))
    )


def test_errors_by_environment() -> None:
    atoms = synthetic({"C [C3]": 40, "H [C]": 200, "C [H4]": 3, "C [O2]": 2})
    atoms.errors[40:240] *= 0.01
    table = environment_table(atoms)
    assert list(table) == ["C [C3]", "C, other", "H [C]"]  # by share; what is rare is taken together
    assert table["C, other"]["n_atoms"] == 5
    first = table["C [C3]"]
    assert first["force_rmse"] == pytest.approx(np.sqrt(np.mean(atoms.errors[:40] ** 2)))
    assert first["force_mae"] == pytest.approx(np.abs(atoms.errors[:40]).mean())
    assert first["reference_rms"] == pytest.approx(np.sqrt(np.mean(atoms.reference[:40] ** 2)))
    assert first["share"] == pytest.approx(np.sum(atoms.errors[:40] ** 2) / np.sum(atoms.errors**2))
    assert sum(entry["share"] for entry in table.values()) == pytest.approx(1.0)
    assert environment_table(None) == {}


def test_the_table_is_bounded() -> None:
    table = environment_table(synthetic({f"C [{k}]": 10 for k in range(60)}))
    assert len(table) == N_LISTED + 1
    assert sum(entry["n_atoms"] for entry in table.values()) == 600
    assert table["C, other"]["n_atoms"] == 10 * (60 - N_LISTED)


def test_errors_by_distance_find_a_law() -> None:
    atoms = synthetic({"C [C3]": 2000, "H [0]": 25})
    rng = np.random.default_rng(3)
    atoms.errors[:] = rng.choice([-1.0, 1.0], atoms.errors.shape) / atoms.nearest[:, None] ** 4
    atoms.nearest[-5:] = np.inf  # alone in space
    curves = distance_curves(atoms)
    assert list(curves) == ["C"]  # 20 atoms are two bins only
    distance, error = curves["C"]
    assert len(distance) == 10
    assert (np.diff(distance) > 0).all()
    # within a bin the error varies by a factor of 2 at most (a quarter of the range of distances)
    np.testing.assert_allclose(error, distance**-4.0, rtol=0.2)
    assert distance[0] == pytest.approx(1.005, abs=0.01)  # the closest percent is a bin of its own
