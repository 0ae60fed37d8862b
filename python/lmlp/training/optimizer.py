"""The optimizer of a training: parameter groups by element."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.optim import Optimizer

from lmlp.model.network import EnsembleNetwork
from lmlp.model.potential import EnsemblePotential
from lmlp.optim import CoRe
from lmlp.training.config import TrainConfig
from lmlp.training.schedule import adam_lr


def decay_factors(atoms: np.ndarray, power: float) -> list[float]:
    """Return (n_max/n)^power of the numbers of atoms, 1 for elements without any."""
    counts = np.asarray(atoms, float)
    return [float((counts.max() / n) ** power) if n > 0 else 1.0 for n in counts]


def make_optimizer(
    config: TrainConfig,
    potential: EnsemblePotential,
    atoms: np.ndarray,
    beginners: Mapping[int, float] | None = None,
) -> Optimizer:
    """Make the optimizer; biases and the scale/shift layer are neither decayed nor frozen.

    Args:
        config: settings.
        potential: its networks are optimized.
        atoms: of each element in the training structures ``[n_elements]``: weights of elements with few atoms
            decay faster.
        beginners: elements whose networks know nothing yet among others that do, and the factor on their step
            sizes; their weights are not frozen either.
    """
    o = config.optimizer
    network = potential.network
    steps = {e: (beginners or {}).get(e, 1.0) for e in range(len(atoms))}
    groups: list[dict[str, Any]] = []
    for factor in dict.fromkeys(steps.values()):
        mine = [e for e in steps if steps[e] == factor]
        free = _free(network, mine)
        groups.append({"params": free, "weight_decay": 0.0, "step_factor": factor, "frozen": 0.0})
    for e, decay in enumerate(decay_factors(atoms, o.rare_decay)):
        weights = network.weights[e * network.n_layers : (e + 1) * network.n_layers]
        rest = {"step_factor": steps[e], "frozen": 0.0 if e in (beginners or {}) else o.frozen}
        groups.append({"params": list(weights), "weight_decay": decay * o.weight_decay, **rest})
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
