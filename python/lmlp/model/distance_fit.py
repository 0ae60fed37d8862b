"""From the training atoms to the distance: moments, principal axes, quantile (docs/uncertainty.md).

Each element has a Gaussian of its own: leading principal axes with their variances, all other directions with
their mean variance (probabilistic principal component analysis: M. E. Tipping and C. M. Bishop, J. R. Stat.
Soc. B 61, 611, 1999).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmlp.model.distance import QUANTILE, FeatureDistance
from lmlp.model.scaling import FeatureMoments, standardization

AXES = 64
"""Principal axes at most."""
ATOMS_PER_AXIS = 30
"""With fewer, atoms like the training atoms are too far from them: 7 % beyond 1 with 7 atoms per axis."""
FLOOR = 0.03
"""Of the median σ of an element's functions, added to each σ in quadrature."""
SLIGHTEST = 1e-3
"""Of the root mean square of an element's functions, likewise. The atoms of a perfect crystal are all alike;
without it, the noise of their positions would be the unit of the distance."""


@dataclass(frozen=True)
class TrainedDistance:
    """A distance and what it comes from.

    Attributes:
        distance: by species.
        atoms: training atoms by species ``[n_elements]``; 0: as an earlier model had it.
    """

    distance: FeatureDistance
    atoms: np.ndarray

    def fields(self, elements: Sequence[str]) -> dict[str, Any]:
        """Return the fields of ``ModelData``."""
        atoms = {name: int(n) for name, n in zip(elements, self.atoms, strict=True)}
        return {
            "distance": {"quantile": QUANTILE, "atoms": atoms},
            "distance_shift": self.distance.shift,
            "distance_scale": self.distance.scale,
            "distance_axes": self.distance.axes,
        }


def fit_distance(
    moments: FeatureMoments,
    chunks: Iterable[tuple[np.ndarray, np.ndarray]],
    before: FeatureDistance | None = None,
) -> TrainedDistance | None:
    """Fit the distance to training atoms.

    The unit of a function is its width: σ with the floors. Variances are those of the atoms and of one more,
    whose variance is one width² in all directions, as n atoms span no more than n directions. The quantile
    counts at least a tenth of √n_features, the root mean square distance in a Gaussian: atoms that are all
    alike have a finite distance to others.

    Args:
        moments: of the training atoms.
        chunks: the same atoms: features ``[n, n_features]`` and species ``[n]``.
        before: of an earlier model, for elements without atoms here; its species are the first ones.

    Returns:
        None if an element has neither atoms nor a distance before: nobody can tell how far others are.
    """
    absent = np.flatnonzero(moments.count < 1)
    if len(absent) and (before is None or absent[-1] >= len(before.shift)):
        return None
    widths = _widths(moments)
    n_elements, n_features = widths.shape
    n_axes = np.minimum(min(AXES, n_features - 1), moments.count.astype(int) // ATOMS_PER_AXIS)
    rest, axes = np.ones(n_elements), np.zeros((n_elements, int(n_axes.max()), n_features))
    for e in np.flatnonzero(moments.count):
        values, vectors = _principal(moments.scatter[e], moments.count[e], widths[e])
        k = n_axes[e]
        rest[e] = values[k:].mean()
        axes[e, :k] = np.sqrt(1.0 - rest[e] / values[:k, None]) * vectors[:k]
    unit = widths * np.sqrt(rest)[:, None]
    quantiles = _quantiles(FeatureDistance(moments.mean, 1.0 / unit, axes), chunks, n_elements)
    scale = 1.0 / (unit * np.maximum(quantiles, 0.1 * np.sqrt(n_features))[:, None])
    fitted = FeatureDistance(moments.mean.copy(), scale, axes)
    if before is not None:
        fitted = _with_earlier(fitted, before, absent)
    return TrainedDistance(fitted, moments.count.astype(np.int64))


def _with_earlier(fitted: FeatureDistance, before: FeatureDistance, species: np.ndarray) -> FeatureDistance:
    """Return a distance with that of some species from an earlier one."""
    shift, scale = fitted.shift.copy(), fitted.scale.copy()
    n_elements, n_fitted, n_features = fitted.axes.shape
    axes = np.zeros((n_elements, max(n_fitted, before.axes.shape[1]), n_features))
    axes[:, :n_fitted] = fitted.axes
    for e in species:
        shift[e], scale[e], axes[e] = before.shift[e], before.scale[e], 0.0
        axes[e, : before.axes.shape[1]] = before.axes[e]
    used = np.flatnonzero(axes.any(axis=(0, 2)))
    return FeatureDistance(shift, scale, np.ascontiguousarray(axes[:, : used[-1] + 1 if len(used) else 0]))


def _widths(moments: FeatureMoments) -> np.ndarray:
    """Return the width of each function ``[n_elements, n_features]``, greater than 0."""
    _, _, varies = standardization(moments)
    count = np.maximum(moments.count, 1.0)[:, None]
    sigma = np.sqrt(np.diagonal(moments.scatter, axis1=1, axis2=2) / count) * varies
    floors = np.empty(len(sigma))
    for e, row in enumerate(sigma):
        median = np.median(row[varies[e]]) if varies[e].any() else 0.0
        floors[e] = np.hypot(FLOOR * median, SLIGHTEST * np.sqrt(np.mean(moments.mean[e] ** 2)))
    floors[floors == 0.0] = SLIGHTEST  # there is no atom, or none has a neighbor
    return np.asarray(np.hypot(sigma, floors[:, None]))


def _principal(scatter: np.ndarray, count: float, width: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return variances ``[n]``, largest first, and axes ``[n, n]`` in widths, of the atoms and one more."""
    values, vectors = np.linalg.eigh((scatter / np.outer(width, width) + np.eye(len(width))) / (count + 1.0))
    return np.maximum(values[::-1], 1.0 / (count + 1.0)), vectors[:, ::-1].T


def _quantiles(
    distance: FeatureDistance, chunks: Iterable[tuple[np.ndarray, np.ndarray]], n_elements: int
) -> np.ndarray:
    found: list[list[np.ndarray]] = [[] for _ in range(n_elements)]
    for features, species in chunks:
        distances = distance(features, species)
        for e in np.unique(species):
            found[e].append(distances[species == e])
    return np.array([np.quantile(np.concatenate(parts), QUANTILE) if parts else 0.0 for parts in found])
