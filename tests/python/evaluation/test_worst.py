"""What is drawn of the worst structures, and that it stays bounded."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from lmlp.evaluation.tables import worst_structures
from lmlp.evaluation.worst import (
    MOST_ATOMS,
    N_PICTURES,
    structure_picture,
    surroundings,
    unit_cell,
    worst_section,
)
from lmlp.structure import Structure

from tests.python.evaluation.test_environments import result

SKEWED = np.array([[8.0, 0.0, 0.0], [3.0, 7.0, 0.0], [-2.0, 1.0, 9.0]])


def scattered(n: int, pbc: tuple[bool, bool, bool] = (True, True, True), seed: int = 0) -> Atoms:
    rng = np.random.default_rng(seed)
    cell = SKEWED * max(1.0, (n / 40) ** (1 / 3))
    positions = rng.uniform(-1.5, 2.5, (n, 3)) @ cell  # outside of the cell too
    return Atoms(f"O{n}", positions=positions, cell=cell, pbc=pbc)


def plain(atoms: Atoms) -> Structure:
    return result(atoms).structure


@pytest.mark.parametrize("pbc", [(True, True, True), (True, False, True), (False, True, False)])
def test_atoms_are_put_into_the_cell_along_periodic_directions(pbc) -> None:
    structure = plain(scattered(20, pbc))
    positions, chosen, copies = unit_cell(structure)
    assert (copies, chosen.tolist()) == (1, list(range(20)))
    moved = np.linalg.solve(structure.cell.T, (positions - structure.positions).T).T
    np.testing.assert_allclose(moved, np.round(moved), atol=1e-9)  # by whole cell vectors
    np.testing.assert_allclose(moved[:, ~np.array(pbc)], 0.0, atol=1e-9)
    if all(pbc):
        fractions = np.linalg.solve(structure.cell.T, positions.T).T
        assert fractions.min() >= -0.02 - 1e-9
        assert fractions.max() < 0.98


def test_molecules_are_drawn_as_they_are() -> None:
    structure = plain(molecule("CH3CH2OH"))
    positions, _, copies = unit_cell(structure)
    np.testing.assert_array_equal(positions, structure.positions)
    assert copies == 1
    picture, remark = structure_picture(result(molecule("CH3CH2OH")))
    assert picture.cell is None
    assert remark == ""
    assert len(picture.bonds) == 8


def test_small_cells_are_repeated() -> None:
    positions, chosen, copies = unit_cell(plain(bulk("Si")))
    assert (copies, len(positions)) == (8, 16)
    assert chosen.tolist() == [0, 1] * 8
    # a piece of the crystal: some atom has its four neighbors
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    assert ((distances > 0.1) & (distances < 2.5)).sum(axis=1).max() == 4
    assert "8 times" in structure_picture(result(bulk("Si")))[1]


def test_large_structures_are_cut_around_the_worst_atom() -> None:
    atoms = scattered(400)
    errors = np.zeros((400, 3))
    errors[123] = (0.3, 0.0, 0.4)
    picture, remark = structure_picture(result(atoms, errors))
    assert len(picture.symbols) == MOST_ATOMS
    assert picture.cell is None
    assert picture.marked == (0, "O 123: 500 meV/Å")
    assert f"{MOST_ATOMS} of 400 atoms" in remark
    positions, chosen = surroundings(plain(atoms), 123)
    assert chosen[0] == 123
    # nearest images; in a skewed cell, rounding of fractions is exact within the smallest half height
    exact = atoms.get_distances(123, chosen, mic=True)
    reach = 0.5 / np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0).max()
    near = exact < reach
    assert near.sum() > 20
    np.testing.assert_allclose(np.linalg.norm(positions, axis=1)[near], exact[near], atol=1e-9)


def test_the_worst_atom_is_marked_and_no_bonds_hide_metals() -> None:
    atoms = bulk("Ni", cubic=True) * (2, 2, 2)
    errors = np.zeros((32, 3))
    errors[17, 1] = -1.25
    picture, _ = structure_picture(result(atoms, errors))
    assert picture.marked == (17, "Ni 17: 1,250 meV/Å")
    assert picture.errors is not None
    assert picture.errors.argmax() == 17
    assert len(picture.bonds) == 0
    np.testing.assert_array_equal(picture.cell, atoms.cell.array)


def test_bonds_at_the_rim_are_those_of_the_structure() -> None:
    u = 0.305
    near, far = (u, u, 0), (0.5 + u, 0.5 - u, 0.5)
    fractions = [(0, 0, 0), (0.5, 0.5, 0.5), near, (-u, -u, 0), far, (0.5 - u, 0.5 + u, 0.5)]
    rutile = Atoms("Ti2O4", scaled_positions=fractions, cell=[4.594, 4.594, 2.959], pbc=True)
    picture, _ = structure_picture(result(rutile))
    pairs = {"".join(sorted(picture.symbols[k] for k in bond)) for bond in picture.bonds}
    assert pairs == {"OTi"}  # and not TiTi of atoms that have lost their oxygen atoms to the next cell
    assert len(picture.bonds) > 30


def test_pictures_are_bounded_and_rows_belong_to_them() -> None:
    pytest.importorskip("matplotlib")
    rng = np.random.default_rng(0)
    results = [result(molecule("H2O"), scale * rng.normal(size=(3, 3))) for scale in range(9)]
    rows = worst_structures(results)
    text = worst_section(results, rows)
    assert text.count("<img") == N_PICTURES < len(rows)
    for row in rows:
        assert row["worst_atom"] in text
    lengths = [max(np.linalg.norm(r.force_errors, axis=1)) for r in results]
    assert [row["worst_atom_error"] for row in rows] == pytest.approx(sorted(lengths, reverse=True))
