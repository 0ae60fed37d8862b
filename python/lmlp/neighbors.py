"""Full neighbor lists of a structure, computed by the core."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lmlp import _core
from lmlp.environments import Environments


def _arrays(
    positions: ArrayLike, cell: ArrayLike | None, pbc: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bring a structure into the shapes and types that the core expects."""
    atoms = np.asarray(positions, dtype=np.float64).reshape(-1, 3)
    matrix = np.zeros((3, 3)) if cell is None else np.asarray(cell, dtype=np.float64)
    return atoms, matrix, np.broadcast_to(np.asarray(pbc, dtype=bool), (3,))


def find_neighbors(
    positions: ArrayLike, cell: ArrayLike | None, pbc: ArrayLike, cutoff: float, *, n_threads: int = 0
) -> Environments:
    """Find every pair with |r_ij| < cutoff, from both sides and with all periodic images.

    Pairs are grouped by center and sorted by neighbor, then by shift. Shifts refer to the positions as given
    (atoms may lie outside the cell), as in :func:`ase.neighborlist.neighbor_list`.

    Args:
        positions: Å ``[n_atoms, 3]``.
        cell: rows are the cell vectors in Å ``[3, 3]``, right- or left-handed; rows along axes that are not
            periodic are not used. None: no cell.
        pbc: periodic along each cell vector, bool ``[3]`` or one bool.
        cutoff: Å.
        n_threads: 0 means OpenMP's default; the result is the same for every number.

    Raises:
        GeometryError: NaN or infinite coordinates, singular cell, more than 10⁶ periodic images.
        InvalidArgumentError: cutoff not positive, wrong shape.
    """
    offsets, neighbors, shifts, vectors = _core.find_neighbors(
        *_arrays(positions, cell, pbc), float(cutoff), n_threads
    )
    return Environments(offsets=offsets, neighbors=neighbors, vectors=vectors, shifts=shifts)


class VerletList:
    """A neighbor list that is reused while atoms move little.

    It holds all pairs within cutoff + skin of the positions it was built at, and is rebuilt when an atom has
    moved by more than skin/2 since, or when the cell, the boundaries or the number of atoms changed. Pairs
    between cutoff and cutoff + skin remain in it: descriptors ignore them.

    Threads may share one, but it is rebuilt at each change of structure. A copy or a pickle has no history.

    Args:
        cutoff: Å.
        skin: Å; 0 rebuilds whenever an atom moves.
    """

    def __init__(self, cutoff: float, skin: float = 0.5) -> None:
        self._list = _core.VerletList(float(cutoff), float(skin))

    def __reduce__(self) -> tuple[type[VerletList], tuple[float, float]]:
        return VerletList, (self.cutoff, self.skin)

    @property
    def cutoff(self) -> float:
        """Radius in Å within which no pair is ever missing."""
        return float(self._list.cutoff)

    @property
    def skin(self) -> float:
        """Further radius in Å that makes reuse possible."""
        return float(self._list.skin)

    @property
    def n_builds(self) -> int:
        """How often the list was built."""
        return int(self._list.n_builds)

    def update(
        self, positions: ArrayLike, cell: ArrayLike | None, pbc: ArrayLike, *, n_threads: int = 0
    ) -> Environments:
        """Return the list with vectors at these positions; arguments and errors as in `find_neighbors`.

        ``offsets``, ``neighbors`` and ``shifts`` are the same arrays until the next rebuild: do not write to
        them.
        """
        offsets, neighbors, shifts, vectors = self._list.update(*_arrays(positions, cell, pbc), n_threads)
        return Environments(offsets=offsets, neighbors=neighbors, vectors=vectors, shifts=shifts)
