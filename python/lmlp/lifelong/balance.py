"""Weights of the tasks in the loss: small errors count as much as large ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lmlp.selection.sampler import Strategy

_SAMPLED = 100  # structures of a task that its level is measured on
_MOST_BY_SIZE = 2.0  # a batch of a stream must not weigh as much as the data it came after
_CLIP = 10.0  # losses above so many medians count as that


class TaskBalance:
    """Weight of each structure in the loss: ∝ L^−κ, L the mean loss of its task, for earlier ones also ∝ 1/n.

    L of an earlier task is that before the session, so that it is pulled back to where it was; L of the new
    task is its present one. With κ = 1 the loss counts relative errors (the gradient is that of Σ log L),
    with κ = 0 absolute ones. n is the number of the task's structures in the pool over the mean of the
    earlier tasks, between 1/2 and 2: a task of few structures is held as well as one of many. The mean
    weight of an epoch's draws is 1.

    Args:
        levels: L of each task before the session ``[n_tasks]``, NaN where it is not known.
        exponent: κ.
        tasks: task of each structure ``[n]``; the last task is the new one.
        pool: structures that are drawn from.
        sampler: draws, and knows the present level of the new task.
    """

    def __init__(
        self,
        levels: np.ndarray,
        exponent: float,
        tasks: np.ndarray,
        pool: np.ndarray,
        sampler: Strategy,
    ) -> None:
        self.levels = levels
        self.exponent = exponent
        self.tasks = tasks
        self.sampler = sampler
        sizes = np.bincount(tasks[pool], minlength=len(levels)).astype(float)
        old, new = float(sizes[:-1].sum()), float(sizes[-1])
        draws = sampler.divide(sampler.n_draws, [int(old), int(new)])
        sizes[:-1] *= draws[0] / max(old, 1.0)
        sizes[-1] *= draws[1] / max(new, 1.0)
        self.shares = sizes / sizes.sum()  # of each task in the draws
        self.sizes = np.ones(len(levels))
        earlier = self.shares[:-1] > 0
        if earlier.any():
            part = self.shares[:-1][earlier]
            self.sizes[:-1][earlier] = np.clip(part / part.mean(), 1 / _MOST_BY_SIZE, _MOST_BY_SIZE)

    def __call__(self, ids: np.ndarray) -> np.ndarray:
        """Return the weights of some structures ``[len(ids)]``."""
        now, present = self.levels.copy(), self.sampler.ledger.level[-1]
        if np.isfinite(present):
            now[-1] = present
        known = np.isfinite(now) & (now > 0)
        weights = 1.0 / self.sizes
        weights[known] *= now[known] ** -self.exponent
        weights[known] /= (self.shares[known] * weights[known]).sum() / self.shares[known].sum()
        return np.asarray(weights[self.tasks[ids]])


def task_levels(
    losses_of: Callable[[np.ndarray], np.ndarray], tasks: np.ndarray, ids: np.ndarray, seed: int
) -> np.ndarray:
    """Mean loss of each task, over at most 100 of some structures.

    Args:
        losses_of: tells the loss of each of some structures.
        tasks: number of the task of each structure.
        ids: structures to draw from.
        seed: of the draw.

    Returns:
        ``[n_tasks]``, NaN for a task that has none of the structures.
    """
    levels = np.full(int(tasks.max()) + 1, np.nan)
    for task in np.unique(tasks[ids]):
        mine = np.random.default_rng([seed, 5, int(task)]).permutation(ids[tasks[ids] == task])[:_SAMPLED]
        losses = losses_of(mine)
        levels[task] = np.minimum(losses, _CLIP * np.median(losses)).mean()
    return levels
