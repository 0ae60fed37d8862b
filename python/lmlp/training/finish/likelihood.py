"""Likelihood of forces: errors of the ensemble mean on the scale that the members' own spread tells.

The error of an atom's force is taken for a Gaussian whose components have the variance

    v_i = (a_e² + b_e² s_i²) / 3,

s_i the length of the members' standard deviation and a_e, b_e the floor and the factor of its element. Per
structure of N atoms, the term that takes the place of the mean squared error is

    v̄ (1/3N) Σ_i [ 3 log(v_i / v̄) + |ΔF_i|² / v_i ].

Where v_i = v̄, its gradient by the mean force is that of the mean squared error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmlp.dataset.batches import Labels, References
from lmlp.dataset.store import Store
from lmlp.model.potential import Batch, BatchPrediction, EnsemblePotential
from lmlp.training.calibration import evaluate_held_out, force_maps

_LEAST_FLOOR = 0.1  # of the root mean square error: bounds what atoms weigh whose spread vanishes by symmetry


@dataclass(frozen=True)
class ForceLikelihood:
    """Force term of the loss, of batches that all members share.

    Attributes:
        floors: a_e in eV/Å, float64 ``[n_elements]``.
        factors: b_e, float64 ``[n_elements]``.
        variance: v̄ in eV²/Å².
    """

    floors: Tensor
    factors: Tensor
    variance: float

    def __call__(self, prediction: BatchPrediction, batch: Batch, labels: Labels, n_members: int) -> Tensor:
        """Return the term of each structure in eV²/Å² ``[n_structures]``, the same for every member's copy.

        Args:
            prediction: with forces; every member has the same structures in the same order.
            batch, labels: what it is of.
            n_members: number of members.
        """
        assert prediction.forces is not None
        parts = []
        slots = zip(pairwise(batch.element_slots), self.floors.tolist(), self.factors.tolist(), strict=True)
        for (start, end), floor, factor in slots:
            forces = prediction.forces[start:end].view(n_members, -1, 3)
            mean = forces.mean(dim=0)
            error = mean - labels.forces[start:end].view(n_members, -1, 3)[0]
            spread = ((forces - mean) ** 2).sum(dim=(0, 2)) / (n_members - 1)
            variance = (floor**2 + factor**2 * spread) / 3.0
            of_atoms = 3.0 * torch.log(variance / self.variance) + (error**2).sum(dim=-1) / variance
            parts.append(of_atoms.repeat(n_members))
        values = torch.cat(parts)
        total = values.new_zeros(batch.n_structures + 1).index_add(0, batch.structure, values)[:-1]
        return labels.has_forces * self.variance * total / (3 * batch.n_atoms)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"floors": self.floors, "factors": self.factors, "variance": self.variance}

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> ForceLikelihood:
        """Return the likelihood that :meth:`state` has kept."""
        return cls(state["floors"], state["factors"], float(state["variance"]))


def fit_force_likelihood(
    potential: EnsemblePotential, store: Store, references: References, ids: np.ndarray
) -> ForceLikelihood:
    """Fit floors and factors to errors and spread of the present weights.

    Args:
        potential: several members.
        store, references: of the data set.
        ids: structures with forces.
    """
    held = evaluate_held_out(potential, store, references, ids)
    squares = (held.force_error**2).sum(axis=1)
    maps = force_maps(held, potential.network.n_elements)
    floors = []
    for e, spread_map in enumerate(maps):
        own = squares[held.force_species == e]
        least = _LEAST_FLOOR * float(np.sqrt(np.mean(own if len(own) else squares)))
        floors.append(max(spread_map.floor, least))
    factors = [spread_map.factor for spread_map in maps]
    return ForceLikelihood(
        torch.tensor(floors, dtype=torch.float64),
        torch.tensor(factors, dtype=torch.float64),
        float(np.mean(squares)) / 3.0,
    )
