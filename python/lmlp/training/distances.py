"""How close atoms of two elements come in a data set."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from lmlp.errors import UnknownElementError
from lmlp.io.radii import covalent_radii
from lmlp.model.baseline import pair_name
from lmlp.training.dataset import Dataset
from lmlp.training.store import find_block

_CHUNK = 256  # structures whose pair lists are held at once
_REACH = 1.3  # of the sum of the two largest covalent radii; farther apart, nothing is of interest


def shortest_distances(dataset: Dataset, n: int, cutoff: float) -> dict[str, float]:
    """Find the shortest distance of each pair of elements, periodic images included.

    Args:
        dataset: the structures.
        n: look at the first ``n`` of them.
        cutoff: largest distance of interest in Å; where all radii are known, bonds are enough.

    Returns:
        Å by pair, named ``H-O`` in species order; pairs that do not come close are missing.

    Raises:
        GeometryError: coincident atoms; the structure is named.
    """
    elements = dataset.elements
    with suppress(UnknownElementError):
        cutoff = min(cutoff, _REACH * 2.0 * float(covalent_radii(elements).max()))
    shortest = np.full((len(elements), len(elements)), np.inf)
    for start in range(0, n, _CHUNK):
        ids = np.arange(start, min(start + _CHUNK, n))
        atoms = slice(int(dataset.first_atom[ids[0]]), int(dataset.first_atom[ids[-1] + 1]))
        block = find_block(dataset, ids, cutoff)
        centers = np.repeat(dataset.species[atoms], np.diff(block.pair_offsets))
        distances = np.linalg.norm(block.vectors, axis=1)
        np.minimum.at(shortest, (centers, block.neighbor_species), distances)
    return {
        pair_name(elements[i], elements[j]): float(shortest[i, j])
        for i in range(len(elements))
        for j in range(i, len(elements))
        if np.isfinite(shortest[i, j])
    }


def joined_distances(a: dict[str, float], b: dict[str, float]) -> dict[str, float]:
    """Return the shorter of two distances of each pair."""
    return {name: min(a.get(name, np.inf), b.get(name, np.inf)) for name in {**a, **b}}
