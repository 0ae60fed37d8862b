"""Atomic environments: the full pair list of one or several structures, grouped by center."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


class AtomsLike(Protocol):
    """What has atoms: ``ase.Atoms``, :class:`lmlp.structure.Structure`.

    Attributes:
        numbers: atomic numbers ``[n]``.
        positions: Å ``[n, 3]``.
        cell: rows are the cell vectors in Å, turned into an array ``[3, 3]``.
        pbc: periodic along each cell vector ``[3]``.
    """

    @property
    def numbers(self) -> np.ndarray: ...  # noqa: D102
    @property
    def positions(self) -> np.ndarray: ...  # noqa: D102
    @property
    def cell(self) -> Any: ...  # noqa: D102
    @property
    def pbc(self) -> np.ndarray: ...  # noqa: D102


@dataclass(frozen=True)
class Environments:
    """Full pair list in compressed rows; what the core computes on.

    Pair p of center i lies in ``offsets[i] <= p < offsets[i + 1]``. Periodic images are separate neighbors.

    Attributes:
        offsets: int64 ``[n_centers + 1]``.
        neighbors: index of the neighbor atom, int64 ``[n_pairs]``.
        vectors: r_ij = r_j − r_i + S·cell in Å, float64 ``[n_pairs, 3]``.
        shifts: periodic image S of the neighbor, int32 ``[n_pairs, 3]``.
    """

    offsets: np.ndarray
    neighbors: np.ndarray
    vectors: np.ndarray
    shifts: np.ndarray

    @property
    def n_centers(self) -> int:
        """Number of centers."""
        return len(self.offsets) - 1

    @property
    def n_pairs(self) -> int:
        """Number of pairs; each is listed from both sides."""
        return len(self.neighbors)

    def part(self, first: int, last: int) -> Environments:
        """Return the centers ``first`` to ``last - 1`` and their pairs; arrays are shared, not copied."""
        pairs = slice(int(self.offsets[first]), int(self.offsets[last]))
        return Environments(
            offsets=self.offsets[first : last + 1] - self.offsets[first],
            neighbors=self.neighbors[pairs],
            vectors=self.vectors[pairs],
            shifts=self.shifts[pairs],
        )

    @property
    def centers(self) -> np.ndarray:
        """Index of the center of each pair, int64 ``[n_pairs]``."""
        return np.repeat(np.arange(self.n_centers, dtype=np.int64), np.diff(self.offsets))
