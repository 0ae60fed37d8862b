"""What must not change the energy, and how forces turn with the structure."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import make_supercell
from scipy.spatial.transform import Rotation

from tests.physics.conftest import Model

# Rounding only: sums run over the same numbers in another order. Measured below 1e-13 eV and eV/Å.
TOLERANCE = 1e-11


def compute(atoms: Atoms, model: Model) -> tuple[float, np.ndarray, np.ndarray]:
    atoms.calc = model.calculator()
    return atoms.get_potential_energy(), atoms.get_forces(), atoms.get_potential_energies()


def test_translation(model: Model) -> None:
    atoms = model.crystal()
    energy, forces, _ = compute(atoms, model)
    atoms.positions += [1.234, -7.1, 0.77]
    moved, moved_forces, _ = compute(atoms, model)
    assert moved == pytest.approx(energy, abs=TOLERANCE)
    np.testing.assert_allclose(moved_forces, forces, atol=TOLERANCE)


def test_rotation_and_reflection(model: Model) -> None:
    atoms = model.crystal()
    energy, forces, _ = compute(atoms, model)
    stress = atoms.get_stress(voigt=False)
    rotation = Rotation.from_rotvec([0.4, -1.1, 0.7]).as_matrix()
    for matrix in (rotation, -rotation):
        turned = Atoms(atoms.symbols, atoms.positions @ matrix.T, cell=atoms.cell.array @ matrix.T, pbc=True)
        turned_energy, turned_forces, _ = compute(turned, model)
        assert turned_energy == pytest.approx(energy, abs=TOLERANCE)
        np.testing.assert_allclose(turned_forces, forces @ matrix.T, atol=TOLERANCE)
        np.testing.assert_allclose(turned.get_stress(voigt=False), matrix @ stress @ matrix.T, atol=TOLERANCE)


def test_uncertainty_of_a_turned_structure(model: Model) -> None:
    if not model.mapped:
        pytest.skip("σ of components depends on how a structure lies")
    atoms = model.crystal()
    matrix = -Rotation.from_rotvec([0.4, -1.1, 0.7]).as_matrix()
    turned = Atoms(atoms.symbols, atoms.positions @ matrix.T, cell=atoms.cell.array @ matrix.T, pbc=True)
    calculator = model.calculator(uncertainty=True)
    names = (
        "energy_uncertainty",
        "grades",
        "grade",
        "distances",
        "stress_uncertainty",
        "pressure_uncertainty",
    )
    for name in names:
        expected = calculator.get_property(name, atoms)
        np.testing.assert_allclose(calculator.get_property(name, turned), expected, rtol=1e-10)


def test_permutation(model: Model) -> None:
    atoms = model.crystal()
    energy, forces, energies = compute(atoms, model)
    order = np.random.default_rng(3).permutation(len(atoms))
    permuted, permuted_forces, permuted_energies = compute(atoms[order], model)
    assert permuted == pytest.approx(energy, abs=TOLERANCE)
    np.testing.assert_allclose(permuted_forces, forces[order], atol=TOLERANCE)
    np.testing.assert_allclose(permuted_energies, energies[order], atol=TOLERANCE)


def test_elements_matter(model: Model) -> None:
    atoms = model.crystal()
    energy, _, _ = compute(atoms, model)
    swapped = atoms.copy()
    swapped.symbols[[0, 1]] = list(swapped.symbols[[1, 0]])
    assert abs(compute(swapped, model)[0] - energy) > 1e-4


def test_supercell_is_extensive(model: Model) -> None:
    atoms = model.crystal(n_atoms=6)
    energy, forces, _ = compute(atoms, model)
    stress = atoms.get_stress()
    large = make_supercell(atoms, [[2, 0, 0], [0, 1, 0], [0, 1, 2]], order="cell-major")
    large_energy, large_forces, _ = compute(large, model)
    assert large_energy == pytest.approx(4 * energy, abs=4 * TOLERANCE)
    np.testing.assert_allclose(large_forces, np.tile(forces, (4, 1)), atol=TOLERANCE)
    np.testing.assert_allclose(large.get_stress(), stress, atol=TOLERANCE)


def test_atoms_outside_the_cell(model: Model) -> None:
    atoms = model.crystal()
    energy, forces, _ = compute(atoms, model)
    scattered = atoms.copy()
    shifts = np.random.default_rng(4).integers(-3, 4, (len(atoms), 3))
    scattered.positions += shifts @ atoms.cell.array
    other, other_forces, _ = compute(scattered, model)
    assert other == pytest.approx(energy, abs=TOLERANCE)
    np.testing.assert_allclose(other_forces, forces, atol=TOLERANCE)
    np.testing.assert_allclose(scattered.get_stress(), atoms.get_stress(), atol=TOLERANCE)


def test_equivalent_cells(model: Model) -> None:
    atoms = model.crystal()
    energy, forces, _ = compute(atoms, model)
    skewed = atoms.copy()
    skewed.set_cell(np.array([[1, 0, 0], [1, 1, 0], [-1, 0, 1]]) @ atoms.cell.array)
    other, other_forces, _ = compute(skewed, model)
    assert other == pytest.approx(energy, abs=TOLERANCE)
    np.testing.assert_allclose(other_forces, forces, atol=TOLERANCE)


def test_no_net_force_and_no_net_torque(model: Model) -> None:
    atoms = model.molecule()
    forces = atoms.get_forces()
    assert np.abs(forces).max() > 1e-3
    np.testing.assert_allclose(forces.sum(axis=0), 0.0, atol=TOLERANCE)
    np.testing.assert_allclose(np.cross(atoms.positions, forces).sum(axis=0), 0.0, atol=TOLERANCE)


def test_energies_sum_to_the_energy(model: Model) -> None:
    atoms = model.crystal()
    assert atoms.get_potential_energies().sum() == pytest.approx(atoms.get_potential_energy(), abs=TOLERANCE)
