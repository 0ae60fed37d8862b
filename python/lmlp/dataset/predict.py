"""What a potential says of structures of a data set, some at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from lmlp.dataset.batches import Labels, References, make_batch
from lmlp.dataset.store import Store
from lmlp.model.potential import Batch, BatchPrediction, EnsemblePotential

_AT_A_TIME = 16


def predictions(
    potential: EnsemblePotential,
    store: Store,
    references: References,
    ids: np.ndarray,
    *,
    forces: bool = True,
) -> Iterator[tuple[BatchPrediction, Batch, Labels]]:
    """Let all members predict some structures.

    Args:
        potential: with the weights in question.
        store: pair lists and inputs.
        references: labels.
        ids: structures of the data set, in any order.
        forces: whether forces are wanted.

    Yields:
        prediction, batch and labels of up to 16 structures, in the order of ``ids``.
    """
    for start in range(0, len(ids), _AT_A_TIME):
        batch, labels = make_batch(store, references, [ids[start : start + _AT_A_TIME]], shared=True)
        yield potential.predict(batch, forces=forces), batch, labels


def energy_errors(
    potential: EnsemblePotential, store: Store, references: References, ids: np.ndarray
) -> np.ndarray:
    """Return the errors of the ensemble mean in eV/atom ``[len(ids)]``, NaN without a reference."""
    found = [np.zeros(0)]
    with torch.no_grad():
        for prediction, batch, labels in predictions(potential, store, references, ids, forces=False):
            error = (prediction.energies.double().mean(dim=0) - labels.energies) / batch.n_atoms
            found.append(np.where(labels.has_energy.numpy() > 0, error.double().numpy(), np.nan))
    return np.concatenate(found)
