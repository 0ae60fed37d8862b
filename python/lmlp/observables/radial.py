"""Radial distribution functions of frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms

from lmlp.elements import atomic_number
from lmlp.errors import DataError, InvalidArgumentError
from lmlp.neighbors import find_neighbors

LONGEST = 6.0
WIDTH = 0.05


@dataclass(frozen=True)
class RadialDistribution:
    """g(r): density of one element around another over its mean density, 1 far away.

    Attributes:
        first: atomic number of the centers.
        second: of the atoms around them.
        longest: Å.
        name: for messages.
    """

    first: int
    second: int
    longest: float = LONGEST
    name: str = "rdf"

    @classmethod
    def parse(cls, text: str) -> RadialDistribution:
        """Read ``O-H`` or ``O-H:8``, up to 8 Å.

        Raises:
            InvalidArgumentError: anything else.
        """
        pair, _, longest = text.partition(":")
        symbols = pair.split("-")
        name = f"rdf:{text}"
        try:
            numbers = [atomic_number(symbol) for symbol in symbols]
            length = float(longest) if longest else LONGEST
        except (ValueError, LookupError):
            numbers, length = [], 0.0
        if len(numbers) != 2 or not WIDTH <= length <= 100.0:
            raise InvalidArgumentError(f"{name!r}: give two elements as in rdf:O-H, or rdf:O-H:8 for 8 Å")
        return cls(numbers[0], numbers[1], length, name)

    @property
    def edges(self) -> np.ndarray:
        """Å ``[n_points + 1]``."""
        return np.asarray(np.linspace(0.0, self.longest, max(round(self.longest / WIDTH), 1) + 1))

    @property
    def centers(self) -> np.ndarray:
        """Middles of the intervals in Å ``[n_points]``."""
        return np.asarray(0.5 * (self.edges[1:] + self.edges[:-1]))

    def __call__(self, atoms: Atoms) -> np.ndarray:
        """Return g ``[n_points]``.

        Raises:
            DataError: a frame without three periodic directions, or without such a pair of atoms.
        """
        if not atoms.pbc.all() or atoms.cell.rank < 3:
            raise DataError(f"{self.name}: needs a cell that is periodic in three directions")
        first, second = atoms.numbers == self.first, atoms.numbers == self.second
        n_pairs = int(first.sum()) * int(second.sum()) - (
            int(first.sum()) if self.first == self.second else 0
        )
        if n_pairs == 0:
            raise DataError(f"{self.name}: there is no such pair of atoms")
        pairs = find_neighbors(atoms.positions, atoms.cell.array, atoms.pbc, self.longest)
        wanted = first[pairs.centers] & second[pairs.neighbors]
        found, edges = np.histogram(np.linalg.norm(pairs.vectors[wanted], axis=1), bins=self.edges)
        shells = 4.0 / 3.0 * np.pi * np.diff(edges**3)
        return np.asarray(found * (atoms.get_volume() / n_pairs) / shells)
