"""How far atoms are from those that a model is trained on."""

from __future__ import annotations

import numpy as np

from lmlp.dataset.store import Store
from lmlp.model.distance import FeatureDistance
from lmlp.model.distance_fit import TrainedDistance, fit_distance
from lmlp.model.scaling import feature_moments

MOST_ATOMS = 50_000
"""Of each element: 50 of them are beyond the quantile."""


def training_distance(
    store: Store, ids: np.ndarray, seed: int, before: FeatureDistance | None = None
) -> TrainedDistance | None:
    """Fit the distance from the atoms of training structures; of more than enough a part, by lot.

    Args:
        store: before its inputs are set, while it has the features in memory.
        ids: training structures, ascending.
        seed: of the lots.
        before: of an earlier model, for elements without atoms here.
    """
    chosen = _enough(store.dataset.counts[ids], seed)
    ids = ids[chosen]
    n_elements, n_features = store.dataset.counts.shape[1], store.descriptor.n_features
    moments = feature_moments(store.feature_chunks(ids), n_elements, n_features)
    return fit_distance(moments, store.feature_chunks(ids), before)


def _enough(counts: np.ndarray, seed: int) -> np.ndarray:
    """Choose rows of ``counts [n, n_elements]`` with at least MOST_ATOMS atoms of each element, or all."""
    if (counts.sum(axis=0) <= MOST_ATOMS).all():
        return np.arange(len(counts))
    order = np.random.default_rng([seed, 5]).permutation(len(counts))
    before = np.cumsum(counts[order], axis=0) - counts[order]
    wanted = ((before < MOST_ATOMS) & (counts[order] > 0)).any(axis=1)
    return np.sort(order[wanted])
