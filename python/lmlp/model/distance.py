"""How far an atom's surroundings are from those of the training atoms (docs/uncertainty.md).

The symmetry functions G of the training atoms of an element have a mean, variances along the leading
principal axes, and one mean variance along all others. The Mahalanobis distance by these moments, divided by
its 99.9 % quantile over the training atoms, is

    d = √( |y|² − |A y|² ),   y = scale ∘ (G − shift),

with the axes A scaled so that what they take away leaves each its own variance. It needs no ensemble.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

QUANTILE = 0.999
"""Share of the training atoms with a distance below 1."""


@dataclass(frozen=True)
class FeatureDistance:
    """The distance, by species.

    Attributes:
        shift: mean of the training atoms, float64 ``[n_elements, n_features]``.
        scale: likewise.
        axes: A, float64 ``[n_elements, n_axes, n_features]``.
    """

    shift: np.ndarray
    scale: np.ndarray
    axes: np.ndarray

    def __call__(self, features: np.ndarray, species: np.ndarray) -> np.ndarray:
        """Return d ≥ 0 of atoms ``[n]`` from their symmetry functions ``[n, n_features]``."""
        distances = np.empty(len(features))
        for e in np.unique(species):
            rows = np.flatnonzero(species == e)
            y = self.scale[e] * (features[rows] - self.shift[e])
            along = y @ self.axes[e].T
            squares = np.einsum("nf,nf->n", y, y) - np.einsum("na,na->n", along, along)
            distances[rows] = np.sqrt(np.maximum(squares, 0.0))
        return distances
