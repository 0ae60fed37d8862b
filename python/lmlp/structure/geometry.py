"""What a structure's geometry says about it: shortest distance, bonded neighbors, equal geometries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lmlp.structure import Structure

BOND_FACTOR = 1.2
"""Atoms closer than this times the sum of their covalent radii count as bonded."""

LARGEST_CUTOFF = 8.0  # Å; a shortest distance beyond it is of no interest
SAME_POSITION = 1e-4  # Å; codes print positions to 1e-5 or better


@dataclass(frozen=True)
class Geometry:
    """Derived quantities of one structure.

    Attributes:
        shortest: shortest distance in Å, periodic images included; None when nothing is within 8 Å.
        pair: the two atoms of the shortest distance.
        relative: smallest distance divided by the sum of the covalent radii, None likewise.
        bonds: number of bonded neighbors per atom ``[n_atoms]``.
        bond_tightness: mean over atoms of Σ exp(−3 (d/d_covalent − 1)) over bonded neighbors, dimensionless.
    """

    shortest: float | None
    pair: tuple[int, int] | None
    relative: float | None
    bonds: np.ndarray
    bond_tightness: float


def analyze(structure: Structure) -> Geometry:
    """Find shortest distance and bonds of one structure."""
    from ase.data import covalent_radii

    from lmlp.neighbors import find_neighbors

    radii = covalent_radii[structure.numbers]
    cutoff = 2 * BOND_FACTOR * float(radii.max())
    while True:
        pairs = find_neighbors(structure.positions, structure.cell, structure.pbc, cutoff)
        if pairs.n_pairs or cutoff >= LARGEST_CUTOFF:
            break
        cutoff = min(2 * cutoff, LARGEST_CUTOFF)
    n_atoms = len(structure)
    if not pairs.n_pairs:
        return Geometry(None, None, None, np.zeros(n_atoms, dtype=np.int64), 0.0)
    centers = pairs.centers
    distances = np.linalg.norm(pairs.vectors, axis=1)
    relative = distances / (radii[centers] + radii[pairs.neighbors])
    bonded = relative < BOND_FACTOR
    first = int(distances.argmin())
    return Geometry(
        shortest=float(distances[first]),
        pair=(int(centers[first]), int(pairs.neighbors[first])),
        relative=float(relative.min()),
        bonds=np.bincount(centers[bonded], minlength=n_atoms),
        bond_tightness=float(np.exp(-3.0 * (relative[bonded] - 1.0)).sum() / n_atoms),
    )


def n_shapes(geometries: Sequence[Geometry]) -> int:
    """Return how many geometries there are at least; turned and mirrored ones are counted once."""
    steps = np.array([1e-3, 1e-4])  # Å of the shortest distance, and of the tightness of bonds
    shapes = np.array([(g.shortest or 0.0, g.bond_tightness) for g in geometries]).reshape(-1, 2)
    return len(np.unique(np.round(shapes / steps), axis=0))


def equal_geometries(structures: Sequence[Structure]) -> list[list[int]]:
    """Return groups of indices of structures with the same atoms in the same order at the same places.

    Places are counted from the first atom: a translation makes no difference.
    """
    groups: dict[tuple[bytes, bytes], list[int]] = {}
    for index, s in enumerate(structures):
        groups.setdefault((s.numbers.tobytes(), s.pbc.tobytes()), []).append(index)
    found: list[list[int]] = []
    for members in groups.values():
        if len(members) > 1:
            found += _equal_among(structures, members)
    return sorted(found)


def _relative(structure: Structure) -> np.ndarray:
    """Positions from the first atom, and the cell where it matters, as one vector."""
    cell = structure.cell[structure.pbc].ravel()
    return np.concatenate([(structure.positions - structure.positions[0]).ravel(), cell])


def _equal_among(structures: Sequence[Structure], members: list[int]) -> list[list[int]]:
    vectors = np.array([_relative(structures[i]) for i in members])
    # A few random averages per structure: those of equal structures are equal within the tolerance, and only
    # structures with equal averages are compared.
    weights = np.random.default_rng(0).dirichlet(np.ones(vectors.shape[1]), size=4)
    prints = vectors @ weights.T
    order = np.argsort(prints[:, 0], kind="stable")
    vectors, prints = vectors[order], prints[order]
    first = np.searchsorted(prints[:, 0], prints[:, 0] - SAME_POSITION)
    group = np.full(len(order), -1)
    for i in range(len(order)):
        near = np.arange(first[i], i)
        near = near[(np.abs(prints[near] - prints[i]) < SAME_POSITION).all(axis=1)]
        for j in near[::-1]:
            if np.abs(vectors[i] - vectors[j]).max(initial=0.0) < SAME_POSITION:
                group[j] = j if group[j] < 0 else group[j]
                group[i] = group[j]
                break
    return [sorted(members[k] for k in order[group == g]) for g in np.unique(group[group >= 0])]
