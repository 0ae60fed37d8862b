"""The optimizer of a training: parameter groups by element."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from lmlp.model.network import EnsembleNetwork
from lmlp.model.potential import EnsemblePotential
from lmlp.optim import CoRe
from lmlp.training.config import StepsConfig
from lmlp.training.schedule import adam_lr


@dataclass(frozen=True)
class Pace:
    """How the networks of an element learn.

    Attributes:
        step_factor: on the step sizes.
        rests: whether the share ``frozen`` of their weights rests.
    """

    step_factor: float = 1.0
    rests: bool = True


def clip_gradients(grads: Sequence[Tensor], limit: float) -> None:
    """Scale each member's gradient to at most ``limit``."""
    squares = torch.stack([g.flatten(1).square().sum(dim=1) for g in grads]).sum(dim=0)
    factor = (limit / (squares.sqrt() + 1e-12)).clamp(max=1.0)
    for g in grads:
        g.mul_(factor.view(-1, *[1] * (g.ndim - 1)))


def decay_factors(atoms: np.ndarray, power: float) -> list[float]:
    """Return (n_max/n)^power of the numbers of atoms, 1 for elements without any."""
    counts = np.asarray(atoms, float)
    return [float((counts.max() / n) ** power) if n > 0 else 1.0 for n in counts]


def make_optimizer(
    config: StepsConfig,
    potential: EnsemblePotential,
    atoms: np.ndarray,
    paces: Sequence[Pace] | None = None,
) -> Optimizer:
    """Make the optimizer; biases and the scale/shift layer are neither decayed nor frozen.

    Args:
        config: settings.
        potential: its networks are optimized.
        atoms: of each element in the training structures ``[n_elements]``: weights of elements with few atoms
            decay faster.
        paces: of each element; default all alike.
    """
    o = config.optimizer
    network = potential.network
    paces = paces or [Pace()] * len(atoms)
    groups: list[dict[str, Any]] = []
    for factor in dict.fromkeys(p.step_factor for p in paces):
        mine = [e for e, p in enumerate(paces) if p.step_factor == factor]
        free = {"params": _free(network, mine), "weight_decay": 0.0, "frozen": 0.0}
        groups.append({**free, "step_factor": factor})
    for e, (decay, pace) in enumerate(zip(decay_factors(atoms, o.rare_decay), paces, strict=True)):
        weights = network.weights[e * network.n_layers : (e + 1) * network.n_layers]
        groups.append(
            {
                "params": list(weights),
                "weight_decay": decay * o.weight_decay,
                "frozen": o.frozen if pace.rests else 0.0,
                "step_factor": pace.step_factor,
            }
        )
    if o.name == "adamw":
        return torch.optim.AdamW(groups, lr=adam_lr(o), betas=o.adam_betas, fused=True)
    return CoRe(
        groups,
        lr=1e-3 if o.lr is None else o.lr,
        step_sizes=(o.min_step, o.max_step),
        etas=o.etas,
        betas=o.betas,
        score_history=o.score_history,
        stacked=1,
    )


def _free(network: EnsembleNetwork, elements: Sequence[int]) -> list[torch.nn.Parameter]:
    """Return what is neither decayed nor frozen of some elements."""
    n = network.n_layers
    biases = [network.biases[e * n + layer] for e in elements for layer in range(n)]
    return [*(network.scales[e] for e in elements), *(network.shifts[e] for e in elements), *biases]
