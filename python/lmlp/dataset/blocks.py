"""Pair lists of some structures in flat arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lmlp.dataset.arrays import Dataset
from lmlp.environments import Environments
from lmlp.errors import GeometryError
from lmlp.neighbors import find_neighbors


@dataclass(frozen=True)
class PairBlock:
    """Pair lists of some structures, one after the other; atoms sorted by species.

    Attributes:
        first_atom: first atom of each structure and the end ``[n_structures + 1]``.
        pair_offsets: first pair of each atom and the end ``[n_atoms + 1]``.
        neighbors: neighbor's index within its structure ``[n_pairs]``.
        neighbor_species: int32 ``[n_pairs]``.
        vectors: Å ``[n_pairs, 3]``.
    """

    first_atom: np.ndarray
    pair_offsets: np.ndarray
    neighbors: np.ndarray
    neighbor_species: np.ndarray
    vectors: np.ndarray

    @property
    def n_bytes(self) -> int:
        """Memory of the arrays."""
        arrays = (self.first_atom, self.pair_offsets, self.neighbors, self.neighbor_species, self.vectors)
        return sum(a.nbytes for a in arrays)

    @property
    def environments(self) -> Environments:
        """The pair list with neighbors counted through the block."""
        start = np.repeat(self.first_atom[:-1], np.diff(self.first_atom))
        shift = np.repeat(start, np.diff(self.pair_offsets))
        nothing = np.zeros((len(self.neighbors), 3), dtype=np.int32)
        return Environments(self.pair_offsets, self.neighbors + shift, self.vectors, nothing)


def join(blocks: Sequence[PairBlock]) -> PairBlock:
    """Put blocks one after the other."""
    if len(blocks) == 1:
        return blocks[0]

    def offsets(arrays: list[np.ndarray]) -> np.ndarray:
        return np.concatenate([[0], np.cumsum(np.concatenate([np.diff(a) for a in arrays]))]).astype(np.int64)

    return PairBlock(
        offsets([b.first_atom for b in blocks]),
        offsets([b.pair_offsets for b in blocks]),
        np.concatenate([b.neighbors for b in blocks]),
        np.concatenate([b.neighbor_species for b in blocks]),
        np.concatenate([b.vectors for b in blocks]),
    )


def find_block(dataset: Dataset, ids: Sequence[int] | np.ndarray, cutoff: float) -> PairBlock:
    """Find the neighbors of some structures.

    Raises:
        GeometryError: names the structure.
    """
    offsets, neighbors, species, vectors = [np.zeros(1, dtype=np.int64)], [], [], []
    n_pairs = 0
    for i in ids:
        s = dataset.structures[i]
        atoms = slice(dataset.first_atom[i], dataset.first_atom[i + 1])
        try:
            env = find_neighbors(s.positions[dataset.order[atoms]], s.cell, s.pbc, cutoff)
        except GeometryError as error:
            raise GeometryError(f"{s.source or f'structure {i}'}: {error}") from error
        offsets.append(env.offsets[1:] + n_pairs)
        n_pairs += env.n_pairs
        neighbors.append(env.neighbors)
        species.append(dataset.species[atoms][env.neighbors])
        vectors.append(env.vectors)
    sizes = [len(dataset.structures[i]) for i in ids]
    return PairBlock(
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        np.concatenate(offsets),
        np.concatenate(neighbors),
        np.concatenate(species),
        np.concatenate(vectors),
    )


def ragged(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the concatenation of ``arange(start, start + count)``."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(starts - (ends - counts), counts) + np.arange(total)
