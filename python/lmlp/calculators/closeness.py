"""A guard against structures whose atoms are closer than any that the model was trained on."""

from __future__ import annotations

import warnings

import numpy as np

from lmlp.calculators.facts import ModelFacts
from lmlp.environments import Environments
from lmlp.errors import GeometryError, InvalidArgumentError

_SHARE = 0.9
"""Of the shortest distance in the training data. Long runs come a little closer than a finite set."""

REACTIONS = ("warn", "stop")


class DistanceGuard:
    """Warns once, or raises, when two atoms are closer than a limit.

    Args:
        facts: of the model.
        rmin: Å for all pairs; ``data`` for 0.9 times the shortest distance of each pair of elements in the
            training data, where the model knows it; None for no limit.
        reaction: ``warn`` or ``stop``.
        owner: for how long it has warned, for the message.

    Raises:
        InvalidArgumentError: something else.
    """

    def __init__(
        self, facts: ModelFacts, rmin: float | str | None, reaction: str, owner: str = "calculator"
    ) -> None:
        if reaction not in REACTIONS:
            raise InvalidArgumentError(f"too_close = {reaction!r}: {' or '.join(REACTIONS)}")
        n = len(facts.elements)
        self._facts = facts
        self._owner = owner
        self._stop = reaction == "stop"
        self._told = False
        self._limits = np.zeros((n, n))
        if rmin == "data":
            for i in range(n):
                for j in range(i, n):
                    known = facts.shortest_distances.get(f"{facts.elements[i]}-{facts.elements[j]}", 0.0)
                    self._limits[i, j] = self._limits[j, i] = _SHARE * known
        elif rmin is not None:
            if isinstance(rmin, str) or not (np.isfinite(rmin) and rmin > 0.0):
                raise InvalidArgumentError(f"rmin = {rmin!r}: give Å above 0, 'data' or None")
            self._limits[:] = rmin
        self._from_data = rmin == "data"
        self._largest = float(self._limits.max(initial=0.0)) ** 2

    def check(self, environments: Environments, species: np.ndarray, name: str = "") -> None:
        """Look at all pairs of a structure.

        Args:
            environments: of the structure.
            species: of its atoms.
            name: of the structure if there are several, for the message.

        Raises:
            GeometryError: two atoms too close, with ``stop``.
        """
        if self._largest == 0.0 or self._told or environments.n_pairs == 0:
            return
        vectors = environments.vectors
        squares = np.einsum("pi,pi->p", vectors, vectors)
        near = np.flatnonzero(squares < self._largest)
        if not len(near):
            return
        centers = np.searchsorted(environments.offsets, near, side="right") - 1
        neighbors = environments.neighbors[near]
        limits = self._limits[species[centers], species[neighbors]]
        excess = np.sqrt(squares[near]) - limits
        worst = int(excess.argmin())
        if excess[worst] < 0.0:
            pair = int(centers[worst]), int(neighbors[worst])
            distance, limit = float(np.sqrt(squares[near[worst]])), float(limits[worst])
            self._react(f"{name}: " if name else "", pair, species, distance, limit)

    def _react(
        self, where: str, pair: tuple[int, int], species: np.ndarray, distance: float, limit: float
    ) -> None:
        i, j = sorted(pair)
        names = f"{self._facts.elements[species[i]]}-{self._facts.elements[species[j]]}"
        text = (
            f"{where}atoms {i} and {j} ({names}, counted from 0) are {distance:.4g} Å apart, closer than "
            f"rmin {limit:.4g} Å"
        )
        if self._from_data:
            text += f" ({_SHARE:g} times the shortest distance in the training data)"
        if self._stop:
            raise GeometryError(text)
        self._told = True
        warnings.warn(f"{text}; said once per {self._owner}", stacklevel=6)
