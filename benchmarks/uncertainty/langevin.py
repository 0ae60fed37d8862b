"""Markov chains of the weights: preconditioned stochastic-gradient Langevin steps from trained members.

The weights move by −ε G ∇L + √(2 ε T G) ξ, with ξ normal and the preconditioner G = 1/(√h + δ) of the second
moments h of CoRe, which stay as they were before the last epochs (arXiv 1512.07666, 2212.07959). T is a share
(τ) of the temperature at which exp(−L/T) is the likelihood of normal errors as large as the training errors.
"""

from __future__ import annotations

import numpy as np
import torch
from finish import finish_epochs, take_over
from lmlp.selection.sampler import ShuffledBatches
from lmlp.training.schedule import loss_weights
from lmlp.training.trainer import Trainer
from prediction import joined
from torch import Tensor
from training import Trained, cpu_seconds

STEP = 3e-5
SNAPSHOTS = 5
_LEAST = 0.1  # δ in root mean squares of √h


def sample(trained: Trained, n_chains: int, share: float) -> tuple[list[Tensor], float]:
    """Run a chain from each of the first members, over as many epochs as the last part of a training.

    Args:
        trained: the ensemble; chains start from its best weights.
        n_chains: how many of its members.
        share: τ.

    Returns:
        weights of all snapshots, chains together, and the CPU seconds of the chains.
    """
    plan = trained.plan
    sampler = ShuffledBatches(plan.split.train[:n_chains], plan.config.batch_size, plan.config.seed)
    start = cpu_seconds()
    trainer = take_over(Trainer, trained, n_chains, sampler)
    with torch.no_grad():
        for p, best in zip(trainer.parameters, trained.weights, strict=True):
            p.copy_(best[:n_chains])
    factors = preconditioners([trainer.optimizer.state[p]["square"] for p in trainer.parameters])
    temperature = share * likelihood_temperature(trainer)
    generator = torch.Generator().manual_seed(plan.config.seed)
    weights = loss_weights(plan.config.loss, 1.0)
    epochs = finish_epochs(trained)
    kept = []
    for epoch in range(epochs):
        for groups in sampler.batches(epoch):
            trainer.gradients(groups, weights)
            _move(trainer.parameters, factors, temperature, generator)
        if (epoch + 1) % max(1, epochs // SNAPSHOTS) == 0:
            kept.append([p.detach().clone() for p in trainer.parameters])
    return joined(kept), cpu_seconds() - start


def likelihood_temperature(trainer: Trainer) -> float:
    """T at which exp(−L/T) is the likelihood of force components with the training errors' variance."""
    ids = trainer.split.train[0]
    variance = float(np.mean(trainer.losses(ids)))
    components = 3 * trainer.store.dataset.n_atoms[ids].sum()
    return 2.0 * variance / float(components)


def preconditioners(squares: list[Tensor]) -> list[Tensor]:
    """Return G of each tensor: 1/(√h + δ), with δ a share of its root mean square, or else of that of all."""
    everywhere = torch.cat([s.flatten() for s in squares]).mean().sqrt()
    found = []
    for square in squares:
        least = _LEAST * torch.maximum(square.mean().sqrt(), _LEAST * everywhere)
        found.append(1.0 / (square.sqrt() + least))
    return found


@torch.no_grad()
def _move(
    parameters: list[Tensor], factors: list[Tensor], temperature: float, generator: torch.Generator
) -> None:
    for p, g in zip(parameters, factors, strict=True):
        assert p.grad is not None
        noise = torch.randn(p.shape, generator=generator, dtype=p.dtype)
        p.sub_(STEP * g * p.grad).add_(noise * (2.0 * STEP * temperature * g).sqrt())
