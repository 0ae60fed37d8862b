"""Locality, and smoothness where atoms enter and leave the neighborhood."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from ase import Atoms

from tests.physics.conftest import Model


def test_an_atom_beyond_the_cutoff_is_not_felt(model: Model) -> None:
    atoms = model.molecule()
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    far = Atoms(
        model.elements[:1], [[atoms.positions[:, 0].max() + model.calculator().facts.cutoff, 0.0, 0.0]]
    )
    far.calc = model.calculator()
    both = atoms + far
    both.calc = model.calculator()
    np.testing.assert_allclose(both.get_forces()[:-1], forces, atol=1e-13)
    np.testing.assert_array_equal(both.get_forces()[-1], 0.0)
    assert both.get_potential_energy() == pytest.approx(energy + far.get_potential_energy(), abs=1e-12)


def test_forces_depend_on_atoms_within_two_cutoffs_only(model: Model) -> None:
    # F_0 depends on atoms that share a center with atom 0: at most two cutoffs away
    cutoff = model.calculator().facts.cutoff
    chain = Atoms(
        [model.elements[i % 3] for i in range(12)], [[0.29 * cutoff * i, 0.1 * (i % 2), 0] for i in range(12)]
    )
    chain.calc = model.calculator()
    force = chain.get_forces()[0]
    outside = np.flatnonzero(chain.positions[:, 0] > 2.0 * cutoff)
    assert len(outside) > 0
    chain.positions[outside] += [0.0, 0.5, 0.3]
    np.testing.assert_allclose(chain.get_forces()[0], force, atol=1e-13)
    inside = int(np.flatnonzero(chain.positions[:, 0] < 1.5 * cutoff)[-1])
    chain.positions[inside] += [0.0, 0.5, 0.3]
    assert np.abs(chain.get_forces()[0] - force).max() > 1e-10


def approach(model: Model, distance: float) -> Atoms:
    """A molecule and one atom at a distance from its outermost atom, farther from all others."""
    atoms = model.molecule(n_atoms=6)
    outermost = atoms.positions[atoms.positions[:, 0].argmax()]
    atoms = atoms + Atoms(model.elements[1], [outermost + np.array([distance, 0.0, 0.0])])
    atoms.calc = model.calculator()
    return atoms


def test_nothing_jumps_at_the_cutoff(model: Model) -> None:
    cutoff = model.calculator().facts.cutoff
    outside = approach(model, cutoff)
    energy, forces = outside.get_potential_energy(), outside.get_forces()
    largest = []
    for gap in (0.2, 0.1, 0.05, 0.01):
        inside = approach(model, cutoff - gap)
        change = np.abs(inside.get_forces() - forces).max()
        largest.append(max(change, abs(inside.get_potential_energy() - energy)))
    # felt well inside, and vanishing faster than any power toward the cutoff; by free atoms like its square
    assert largest[0] > 1e-9
    assert all(later <= earlier for earlier, later in pairwise(largest))
    assert largest[-1] < (0.05 * largest[-2] if model.free_atoms else 1e-10)


def test_forces_are_continuous_along_a_path(model: Model) -> None:
    # an atom passes through the neighborhoods of all others; a jump would stay when the steps are halved
    def largest_step(n: int) -> float:
        atoms = model.molecule(n_atoms=6)
        atoms = atoms + Atoms(model.elements[1], [[0.0, 0.0, 0.0]])
        atoms.calc = model.calculator()
        top = atoms.positions[:-1].max(axis=0) + 1.2
        forces = []
        for x in np.linspace(-7.0, 12.0, n):
            atoms.positions[-1] = [x, top[1], top[2]]
            forces.append(atoms.get_forces())
        return float(np.abs(np.diff(np.array(forces), axis=0)).max())

    coarse, fine = largest_step(201), largest_step(401)
    assert fine < 0.6 * coarse
