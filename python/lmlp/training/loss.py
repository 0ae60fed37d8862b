"""Loss per structure: q² (ΔE/N)² + w_F (1/3N) Σ|ΔF|² + w_σ (V/N)² (1/9) Σ|Δσ|²."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lmlp.dataset.batches import Labels, References
from lmlp.dataset.predict import predictions
from lmlp.dataset.store import Store
from lmlp.model.potential import Batch, BatchPrediction, EnsemblePotential, predicted_stress
from lmlp.training.config import LossConfig


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms, at one moment of a run.

    Attributes:
        energy: q in 1/Å.
        force: w_F.
        stress: w_σ in 1/Å²; the stress enters as virial per atom in eV.
    """

    energy: float = 10.0
    force: float = 1.0
    stress: float = 1.0

    @classmethod
    def at(cls, config: LossConfig, energy: float) -> LossWeights:
        """Return the weights that settings give, with the weight that energies have now."""
        return cls(energy, config.force, config.stress)


@dataclass(frozen=True)
class Errors:
    """Mean squared errors per structure, members first if the batch is shared; 0 where there is no label.

    Attributes:
        energy: (ΔE/N)² in eV² ``[…, n_structures]``.
        force: (1/3N) Σ|ΔF|² in eV²/Å² ``[…, n_structures]``, or None.
        stress: (1/9) Σ|VΔσ/N|² in eV² ``[…, n_structures]``, or None.
    """

    energy: Tensor
    force: Tensor | None
    stress: Tensor | None

    def loss(self, weights: LossWeights, force: Tensor | None = None) -> Tensor:
        """Return the loss of each structure, with another force term ``[n_structures]`` if there is one."""
        total = weights.energy**2 * self.energy
        force = self.force if force is None else force
        if force is not None:
            total = total + weights.force * force
        if self.stress is not None:
            total = total + weights.stress * self.stress
        return total


def structure_errors(prediction: BatchPrediction, batch: Batch, labels: Labels) -> Errors:
    """Compare a prediction with its references."""
    energy = labels.has_energy * ((prediction.energies - labels.energies) / batch.n_atoms) ** 2
    force = stress = None
    if prediction.forces is not None:
        squares = ((prediction.forces - labels.forces) ** 2).sum(dim=-1)
        total = squares.new_zeros(*squares.shape[:-1], batch.n_structures + 1)
        total = total.index_add(-1, batch.structure, squares)[..., :-1]
        force = labels.has_forces * total / (3 * batch.n_atoms)
    found = predicted_stress(prediction, batch, labels.volumes) if labels.stress is not None else None
    if labels.stress is not None and found is not None:
        per_atom = (found - labels.stress) * (labels.volumes / batch.n_atoms)[:, None, None]
        stress = labels.has_stress * (per_atom**2).mean(dim=(-1, -2))
    return Errors(energy, force, stress)


def structure_losses(
    potential: EnsemblePotential,
    store: Store,
    references: References,
    ids: np.ndarray,
    weights: LossWeights,
    *,
    forces: bool,
) -> np.ndarray:
    """Return the loss of each of some structures, mean over the members ``[len(ids)]``."""
    found = [np.zeros(0)]
    for prediction, batch, labels in predictions(potential, store, references, ids, forces=forces):
        with torch.no_grad():
            loss = structure_errors(prediction, batch, labels).loss(weights)
        found.append(loss.double().mean(dim=0).numpy())
    return np.concatenate(found)
