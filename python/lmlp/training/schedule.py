"""How far a run is, and the step sizes and loss weights that follow from it."""

from __future__ import annotations

import math
import time

from torch.optim import Optimizer

from lmlp.dataset.batches import References
from lmlp.training.config import LossConfig, OptimizerConfig
from lmlp.training.loss import LossWeights


class Progress:
    """Share of the run that is done: by steps or by time, whichever is further.

    Args:
        n_steps: planned steps, or None.
        seconds: planned time for all steps, or None.
        elapsed: seconds used before (resumed runs).
    """

    def __init__(self, n_steps: int | None, seconds: float | None, elapsed: float = 0.0) -> None:
        self.n_steps = n_steps
        self.seconds = seconds
        self._start = time.monotonic() - elapsed

    @property
    def elapsed(self) -> float:
        """Seconds used so far."""
        return time.monotonic() - self._start

    def share(self, step: int) -> float:
        """Return the share done after ``step`` steps, 0 to 1; depends on the clock only with a time limit."""
        by_steps = step / self.n_steps if self.n_steps else 0.0
        by_time = self.elapsed / self.seconds if self.seconds else 0.0
        return min(max(by_steps, by_time), 1.0)

    def remaining(self, step: int) -> float | None:
        """Estimate the seconds left, None before the first step."""
        share = self.share(step)
        return self.elapsed * (1.0 - share) / share if share > 0 else None


def step_factor(config: OptimizerConfig, share: float) -> float:
    """Return the factor on the step size."""
    if config.warmup > 0 and share < config.warmup:
        return max(share / config.warmup, 1e-3)
    rest = 1.0 - (share - config.warmup) / (1.0 - config.warmup)
    if config.decay == "constant":
        return 1.0
    if config.decay == "cosine":
        rest = 0.5 * (1.0 - math.cos(math.pi * rest))
    return max(rest, config.final)


def set_step_size(optimizer: Optimizer, config: OptimizerConfig, share: float) -> float:
    """Anneal the optimizer; returns the step size now in force (s_max), but for factors of single groups."""
    size = step_factor(config, share) * (config.max_step if config.name == "core" else adam_lr(config))
    for group in optimizer.param_groups:
        mine = size * group["step_factor"]
        if config.name == "core":
            group["step_sizes"] = (config.min_step, max(mine, config.min_step))
        else:
            group["lr"] = mine
    return size


def adam_lr(config: OptimizerConfig) -> float:
    """First step size of AdamW."""
    return 3e-3 if config.lr is None else config.lr


def loss_weights(config: LossConfig, share: float) -> LossWeights:
    """Return the weights of the loss terms."""
    energy = config.energy
    if config.final_energy is not None and energy > 0 and config.final_energy > 0:
        energy = energy ** (1.0 - share) * config.final_energy**share
    elif config.final_energy is not None:
        energy = energy * (1.0 - share) + config.final_energy * share
    return LossWeights.at(config, energy)


def wants_forces(references: References, config: LossConfig) -> bool:
    """Tell whether the loss has terms of forces or stress that some structure has references for."""
    labeled = references.has_forces.any() or references.has_stress.any()
    return bool(labeled) and (config.force > 0 or config.stress > 0)
