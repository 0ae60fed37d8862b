"""The optimizer of a training: parameter groups by element."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.optim import Optimizer

from lmlp.model.potential import EnsemblePotential
from lmlp.optim import CoRe
from lmlp.training.config import TrainConfig
from lmlp.training.schedule import adam_lr


def decay_factors(atoms: np.ndarray, power: float) -> list[float]:
    """Return (n_max/n)^power of the numbers of atoms, 1 for elements without any."""
    counts = np.asarray(atoms, float)
    return [float((counts.max() / n) ** power) if n > 0 else 1.0 for n in counts]


def make_optimizer(config: TrainConfig, potential: EnsemblePotential, atoms: np.ndarray) -> Optimizer:
    """Make the optimizer; biases and the scale/shift layer are neither decayed nor frozen.

    Args:
        config: settings.
        potential: its networks are optimized.
        atoms: of each element in the training structures ``[n_elements]``: weights of elements with few atoms
            decay faster.
    """
    o = config.optimizer
    network = potential.network
    free = [*network.scales, *network.shifts, *network.biases]
    groups: list[dict[str, Any]] = [{"params": free, "weight_decay": 0.0}]
    for e, factor in enumerate(decay_factors(atoms, o.rare_decay)):
        weights = network.weights[e * network.n_layers : (e + 1) * network.n_layers]
        groups.append({"params": list(weights), "weight_decay": factor * o.weight_decay})
    if o.name == "adamw":
        return torch.optim.AdamW(groups, lr=adam_lr(o), betas=o.adam_betas, fused=True)
    groups[0]["frozen"] = 0.0
    return CoRe(
        groups,
        lr=1e-3 if o.lr is None else o.lr,
        step_sizes=(o.min_step, o.max_step),
        etas=o.etas,
        betas=o.betas,
        score_history=o.score_history,
        frozen=o.frozen,
        stacked=1,
    )
