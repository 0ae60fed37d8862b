"""Gradients of the loss by the weights, over the structures of all processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lmlp.dataset.batches import Labels, References, make_batch
from lmlp.dataset.store import Store
from lmlp.model.potential import Batch, EnsemblePotential
from lmlp.training.finish.likelihood import ForceLikelihood
from lmlp.training.loss import Errors, LossWeights, structure_errors
from lmlp.training.metrics import ErrorSums
from lmlp.training.workers import Workers

StructureWeights = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class BatchLoss:
    """Loss of a batch.

    Attributes:
        total: of all members; its gradients are those of each member's mean.
        structures: of each structure ``[n]``, members one after the other.
        errors: what it is made of.
        batch, labels: what it was computed from.
    """

    total: Tensor
    structures: Tensor
    errors: Errors
    batch: Batch
    labels: Labels


def batch_loss(
    potential: EnsemblePotential,
    store: Store,
    references: References,
    groups: Sequence[np.ndarray],
    weights: LossWeights,
    *,
    forces: bool,
    sizes: Sequence[int] | None = None,
    structure_weights: StructureWeights | None = None,
    likelihood: ForceLikelihood | None = None,
) -> BatchLoss:
    """Compute the loss of some structures so that it can be differentiated by the weights.

    Args:
        potential: its present weights.
        store, references: of the data set.
        groups: structures of each member.
        weights: of the terms.
        forces: whether forces and stress are part of it.
        sizes: structures that each member's mean is taken over; default those of its group.
        structure_weights: factors on the share of each structure; default 1.
        likelihood: of forces, in place of their squared errors; all groups are the same structures then.
    """
    batch, labels = make_batch(store, references, groups, sizes=sizes)
    prediction = potential.predict(batch, forces=forces, differentiable=True)
    errors = structure_errors(prediction, batch, labels)
    force = None if likelihood is None else likelihood(prediction, batch, labels, len(groups))
    found = errors.loss(weights, force)
    shares = labels.weights
    if structure_weights is not None:
        shares = shares * torch.from_numpy(structure_weights(np.concatenate(groups))).to(found)
    return BatchLoss((found * shares).sum(), found, errors, batch, labels)


class Gradients:
    """Computes gradients; they are in ``grad`` of the weights afterwards.

    Args:
        potential: its present weights.
        store, references: of the data set.
        workers: processes that share the structures.
        forces: whether forces and stress are part of the loss.
        weights: factors on the share of each structure; default 1.

    Attributes:
        likelihood: of forces, in place of their squared errors, of batches that all members share; or None.
    """

    likelihood: ForceLikelihood | None = None

    def __init__(
        self,
        potential: EnsemblePotential,
        store: Store,
        references: References,
        workers: Workers,
        *,
        forces: bool,
        weights: StructureWeights | None = None,
    ) -> None:
        self.potential, self.store, self.references = potential, store, references
        self.workers, self.forces, self.weights = workers, forces, weights
        self.parameters: list[Tensor] = list(potential.network.parameters())

    def __call__(
        self, groups: Sequence[np.ndarray], weights: LossWeights
    ) -> tuple[np.ndarray, np.ndarray, Tensor]:
        """Add the gradients of some structures to those that are there; none if a loss is not finite.

        Returns:
            structures in the order of the members, their losses, and the sums of their errors.
        """
        mine = self.workers.share(groups, alike=self.likelihood is not None)
        loss = batch_loss(
            self.potential,
            self.store,
            self.references,
            mine,
            weights,
            forces=self.forces,
            sizes=[len(g) for g in groups],
            structure_weights=self.weights,
            likelihood=self.likelihood,
        )
        found = loss.structures
        sums = ErrorSums.of(loss.errors, found, loss.batch, loss.labels, len(groups))
        losses = self._collect(groups, found, sums)
        if np.isfinite(losses).all():
            loss.total.backward()
            self._sum()
        return np.concatenate(groups), losses, sums

    def _collect(self, groups: Sequence[np.ndarray], found: Tensor, sums: Tensor) -> np.ndarray:
        """Put together the losses of a batch, and its errors, from all processes."""
        losses = torch.zeros(sum(len(g) for g in groups), dtype=torch.float64)
        places = self.workers.positions(groups, alike=self.likelihood is not None)
        losses[torch.from_numpy(places)] = found.detach().double()
        self.workers.add([losses, sums])
        return losses.numpy()

    def _sum(self) -> None:
        """Sum the gradients of all processes; one that has no structure of an element has none."""
        if self.workers.size == 1:
            return
        for p in self.parameters:
            if p.requires_grad and p.grad is None:
                p.grad = torch.zeros_like(p)
        self.workers.add([p.grad for p in self.parameters if p.grad is not None])

    def not_finite(self, groups: Sequence[np.ndarray], weights: LossWeights) -> np.ndarray:
        """Find the structures that alone give a gradient that is not finite."""
        nothing = np.zeros(0, dtype=np.int64)
        members = range(len(groups))
        alike = self.likelihood is not None
        bad = []
        for m, ids in enumerate(groups[:1] if alike else groups):
            for i in ids:
                for p in self.parameters:
                    p.grad = None
                self([np.array([i]) if k == m or alike else nothing for k in members], weights)
                if not all(torch.isfinite(p.grad).all() for p in self.parameters if p.grad is not None):
                    bad.append(i)
        return np.array(bad, dtype=np.int64)
