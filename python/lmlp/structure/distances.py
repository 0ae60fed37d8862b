"""How close atoms of two elements come in a data set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from lmlp.elements import atomic_number
from lmlp.errors import GeometryError, UnknownElementError
from lmlp.neighbors import find_neighbors
from lmlp.structure import Structure
from lmlp.structure.radii import covalent_radii

_REACH = 1.3  # of the sum of the two largest covalent radii; farther apart, nothing is of interest

# Atoms closer than this (Å) count as being at the same place, as in the core: no real structure comes near.
COINCIDENT = 1e-6


def shortest_distances(
    structures: Iterable[Structure], elements: Sequence[str], cutoff: float = 6.0
) -> dict[str, float]:
    """Find the shortest distance of each pair of elements, periodic images included.

    Args:
        structures: read once, one after the other.
        elements: in species order; they contain those of the structures.
        cutoff: largest distance of interest in Å; where all radii are known, bonds are enough.

    Returns:
        Å by pair, named ``H-O`` in species order; pairs that do not come close are missing. The order of the
        structures does not matter.

    Raises:
        GeometryError: coincident atoms; the structure is named.
    """
    reach = _bonds(elements, cutoff)
    lookup = np.full(1024, -1)
    lookup[[atomic_number(e) for e in elements]] = np.arange(len(elements))
    shortest = np.full((len(elements), len(elements)), np.inf)
    for index, s in enumerate(structures):
        try:
            env = find_neighbors(s.positions, s.cell, s.pbc, reach)
        except GeometryError as error:
            raise GeometryError(f"{s.source or f'structure {index}'}: {error}") from error
        species = lookup[s.numbers]
        distances = np.linalg.norm(env.vectors, axis=1)
        if distances.size and distances.min() < COINCIDENT:
            pair = int(distances.argmin())
            name, atoms = s.source or f"structure {index}", (env.centers[pair], env.neighbors[pair])
            raise GeometryError(f"{name}: atoms {atoms[0]} and {atoms[1]} are at the same place")
        np.minimum.at(shortest, (species[env.centers], species[env.neighbors]), distances)
    return {
        f"{elements[i]}-{elements[j]}": float(shortest[i, j])
        for i in range(len(elements))
        for j in range(i, len(elements))
        if np.isfinite(shortest[i, j])
    }


def _bonds(elements: Sequence[str], cutoff: float) -> float:
    try:
        return min(cutoff, _REACH * 2.0 * float(covalent_radii(elements).max()))
    except UnknownElementError:
        return cutoff


def joined_distances(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, float]:
    """Return the shorter of two distances of each pair."""
    return {name: min(a.get(name, np.inf), b.get(name, np.inf)) for name in {**a, **b}}
