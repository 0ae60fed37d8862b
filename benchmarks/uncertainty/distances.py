"""Distances of atoms from the training atoms in their symmetry functions; no ensemble needed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

N_AXES = 32
NEIGHBORS = 5
_FLOOR = 0.03  # of the width of a function, in medians of all
_MOST = 4000  # training atoms per element that neighbors are sought among
_ROWS = 1024


@dataclass(frozen=True)
class Whitening:
    """Training atoms of one element: their leading axes, and the mean variance of the others.

    Attributes:
        shift, width: of each function ``[n_features]``.
        axes: ``[n_features, n_axes]``.
        variances: of the axes ``[n_axes]``.
        rest: mean variance of the other directions.
    """

    shift: np.ndarray
    width: np.ndarray
    axes: np.ndarray
    variances: np.ndarray
    rest: float

    @classmethod
    def of(cls, features: np.ndarray, n_axes: int) -> Whitening:
        """Find the axes of training atoms ``[n, n_features]``."""
        width = features.std(axis=0)
        width = np.hypot(width, _FLOOR * np.median(width))
        shift = features.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov(((features - shift) / width).T))
        rest = max(float(values[:-n_axes].mean()), 1e-12)
        leading = np.maximum(values[: -n_axes - 1 : -1], rest)
        return cls(shift, width, vectors[:, : -n_axes - 1 : -1], leading, rest)

    def coordinates(self, features: np.ndarray) -> np.ndarray:
        """Return coordinates along the axes in standard deviations ``[n, n_axes]``."""
        return ((features - self.shift) / self.width) @ self.axes / np.sqrt(self.variances)

    def distance(self, features: np.ndarray) -> np.ndarray:
        """Return the Mahalanobis distance ``[n]``: leading axes, and one variance for all others."""
        y = (features - self.shift) / self.width
        along = y @ self.axes
        across = np.maximum((y**2).sum(axis=1) - (along**2).sum(axis=1), 0.0)
        return np.sqrt((along**2 / self.variances).sum(axis=1) + across / self.rest)


class Distances:
    """Two distances of atoms from the training atoms of their element.

    Args:
        features, species: of the training atoms.
        n_elements: number of elements.
        seed: of the choice of training atoms that neighbors are sought among.
    """

    def __init__(self, features: np.ndarray, species: np.ndarray, n_elements: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._parts = []
        for e in range(n_elements):
            mine = features[species == e]
            n_axes = min(N_AXES, mine.shape[1] - 1)
            whitening = Whitening.of(mine, n_axes)
            chosen = rng.permutation(len(mine))[:_MOST]
            self._parts.append((whitening, whitening.coordinates(mine[chosen])))

    def mahalanobis(self, features: np.ndarray, species: np.ndarray) -> np.ndarray:
        """Return the Mahalanobis distance of each atom."""
        found = np.empty(len(species))
        for e, (whitening, _) in enumerate(self._parts):
            found[species == e] = whitening.distance(features[species == e])
        return found

    def nearest(self, features: np.ndarray, species: np.ndarray) -> np.ndarray:
        """Return the mean distance to the nearest training atoms along the axes."""
        found = np.empty(len(species))
        for e, (whitening, known) in enumerate(self._parts):
            mine = whitening.coordinates(features[species == e])
            rows = [mine[i : i + _ROWS] for i in range(0, len(mine), _ROWS)]
            nearest = [np.partition(cdist(r, known), NEIGHBORS, axis=1)[:, :NEIGHBORS].mean(1) for r in rows]
            found[species == e] = np.concatenate([np.zeros(0), *nearest])
        return found
