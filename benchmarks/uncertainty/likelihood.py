"""Last epochs with a likelihood of forces: the members see each other's spread."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch
from finish import finish_epochs, take_over
from lmlp.dataset.batches import make_batch
from lmlp.selection.sampler import ShuffledBatches
from lmlp.training.loss import LossWeights, structure_errors
from lmlp.training.trainer import Trainer
from maps import hypot_map
from prediction import Structures, predict
from torch import Tensor
from training import FINISH, Trained, cpu_seconds

Score = Callable[[Tensor, Tensor], Tensor]
"""From errors and variances of components to their scores; beside (error)² for small errors."""
SQUARES = "squares"
"""Squared errors of the members' forces as before: what the other conditions do without a likelihood."""
_TYPICAL = 100  # training structures that the first map is fitted on


def normal_score(error: Tensor, variance: Tensor) -> Tensor:
    """Negative logarithm of the normal density."""
    return 0.5 * torch.log(variance) + 0.5 * error**2 / variance


def crps(error: Tensor, variance: Tensor) -> Tensor:
    """Continuous ranked probability score of a normal distribution."""
    sigma = variance.sqrt()
    z = error / sigma
    density = torch.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)
    return sigma * (z * torch.erf(z / math.sqrt(2.0)) + 2.0 * density - 1.0 / math.sqrt(math.pi))


SCORES: dict[str, tuple[Score, Callable[[float], float]]] = {
    "NLL": (normal_score, lambda v: 2.0 * v),
    "CRPS": (crps, lambda v: math.sqrt(2.0 * math.pi * v)),
}
"""Score, and its factor so that at variance v small errors weigh as much as in a sum of squares."""


class SharedBatches(ShuffledBatches):
    """All members see the same structures in the same order."""

    def __init__(self, ids: np.ndarray, n_members: int, batch_size: int, seed: int) -> None:
        super().__init__([ids], batch_size, seed)
        self.n_members = n_members

    def batches(self, epoch: int) -> list[list[np.ndarray]]:
        """Return the steps of an epoch."""
        return [step * self.n_members for step in super().batches(epoch)]


class LikelihoodTrainer(Trainer):
    """Trains by squared errors of energies, and by a score of forces whose σ is the map of the spread.

    Attributes:
        name: of the score.
        factor: on it.
        floors, slopes: a² and b² of each element's map.
    """

    name: str
    factor: float
    floors: list[float]
    slopes: list[float]

    def use(self, name: str, structures: Structures) -> None:
        """Choose the score, with the map of the present spread on training structures."""
        self.name = name
        if name == SQUARES:
            return
        with self.using(self.average.values):
            members = predict(self.potential, structures)
        error = members.forces.mean(axis=0) - structures.forces
        spread = np.sqrt(members.forces.var(axis=0, ddof=1).sum(axis=1))
        squares, species = (error**2).sum(axis=1), structures.species
        n = self.potential.network.n_elements
        found = hypot_map([spread], squares, species, n)
        at = np.arange(n)
        floors = found([np.zeros(n)], at)
        self.floors = (floors**2).tolist()
        self.slopes = (found([np.ones(n)], at) ** 2 - floors**2).tolist()
        self.factor = SCORES[name][1](float(np.mean(squares)) / 3.0)

    def gradients(self, groups: Sequence[np.ndarray], weights: LossWeights) -> tuple[np.ndarray, np.ndarray]:
        """Compute the gradients of both terms; every group has the same structures."""
        self.optimizer.zero_grad()
        batch, labels = make_batch(self.store, self.references, groups)
        prediction = self.potential.predict(batch, forces=True, differentiable=True)
        errors = structure_errors(prediction, batch, labels)
        assert prediction.forces is not None
        total = (weights.energy**2 * errors.energy * labels.weights).sum()
        if errors.stress is not None:
            total = total + (weights.stress * errors.stress * labels.weights).sum()
        if self.name == SQUARES:
            assert errors.force is not None
            total = total + weights.force * (errors.force * labels.weights).sum()
        else:
            scores = self._scores(prediction.forces, labels.forces, batch.element_slots)
            total = total + weights.force * self.potential.n_members * self.factor * scores.mean()
        total.backward()
        self._batch_sums = torch.zeros_like(self.position.sums.values)
        return np.concatenate(groups), errors.loss(weights).detach().double().numpy()

    def _scores(self, forces: Tensor, references: Tensor, bounds: Sequence[int]) -> Tensor:
        """Score each component by mean and spread of the members; slots are by element, then member."""
        score, parts = SCORES[self.name][0], []
        for e, (start, end) in enumerate(pairwise(bounds)):
            by_member = forces[start:end].view(self.potential.n_members, -1, 3)
            error = by_member.mean(dim=0) - references[start:end].view(by_member.shape)[0]
            spread = by_member.var(dim=0).sum(dim=-1, keepdim=True)
            variance = (self.floors[e] + self.slopes[e] * spread) / 3.0
            parts.append(score(error, variance).flatten())
        return torch.cat(parts)


def finish_by(name: str, trained: Trained, n_members: int) -> tuple[list[Tensor], float]:
    """Repeat the last epochs of an ensemble with a score of :data:`SCORES`, or :data:`SQUARES`.

    All members see all structures that some member trained on: no best epoch is chosen any more.

    Returns:
        averaged weights at the end, and the CPU seconds of these epochs.
    """
    plan = trained.plan
    together = np.unique(np.concatenate(plan.split.train[:n_members]))
    sampler = SharedBatches(together, n_members, plan.config.batch_size, plan.config.seed)
    start = cpu_seconds()
    trainer = take_over(LikelihoodTrainer, trained, n_members, sampler)
    assert isinstance(trainer, LikelihoodTrainer)
    trainer.use(name, Structures(plan.store, plan.references, together[:: max(1, len(together) // _TYPICAL)]))
    epochs = finish_epochs(trained)
    n_steps = epochs * sampler.n_steps
    done = 0
    for epoch in range(epochs):
        for groups in sampler.batches(epoch):
            trainer.step(groups, 1.0 - FINISH * (1.0 - done / n_steps))
            done += 1
    return [v.clone() for v in trainer.average.values], cpu_seconds() - start
