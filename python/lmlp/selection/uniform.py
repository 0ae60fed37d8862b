"""Plain rehearsal: earlier structures and new ones are drawn with equal chances, whatever their losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from lmlp.selection.ledger import Ledger
from lmlp.selection.likes import Likes
from lmlp.selection.rule import SelectionRule
from lmlp.selection.sampler import divided


class UniformRehearsal:
    """Draws without looking at losses; nothing becomes parked or suspected. A ``Strategy``.

    Args:
        members: training structures of each member.
        tasks: number of the task that each structure of the data set belongs to ``[n]``.
        new: number of the new task.
        batch_size: structures per step and member.
        seed: of the draws.
        rule: ``old_share`` of the draws belongs to earlier tasks, and ``memory`` averages their levels.
        factors, statuses: what is known of earlier structures stays in the ledger, no draw depends on it;
            new structures are like all others.
        likes: of no use here.
        n_draws: structures per epoch and member.
    """

    unused: ClassVar[frozenset[str]] = frozenset(
        {
            "down",
            "improvement",
            "largest",
            "lower_below",
            "new",
            "raise_above",
            "recheck_every",
            "redundant_after",
            "smallest",
            "suspect_after",
            "up",
        }
    )

    def __init__(
        self,
        members: Sequence[np.ndarray],
        tasks: np.ndarray,
        *,
        new: int,
        batch_size: int,
        seed: int,
        rule: SelectionRule,
        factors: np.ndarray,
        statuses: np.ndarray,
        n_draws: int,
        likes: Likes,
    ) -> None:
        self.members = [np.asarray(ids) for ids in members]
        self.tasks, self.new = np.asarray(tasks), new
        self.batch_size, self.seed, self.rule, self.n_draws = batch_size, seed, rule, n_draws
        trained = set(self.tasks[np.concatenate(self.members)].tolist())
        self.old_share = rule.share_of_old(len(trained - {new}))
        known = np.where(self.tasks == new, 1.0, factors)
        self.ledger = Ledger.opened(known, statuses, int(self.tasks.max()) + 1)
        self._sums = np.zeros((2, len(self.ledger.level)))  # losses of the epoch and their number, by task

    @property
    def n_steps(self) -> int:
        """Steps per epoch."""
        return max(1, round(self.n_draws / self.batch_size))

    def divide(self, total: int, sizes: Sequence[int]) -> tuple[int, int]:
        """Return the draws from earlier tasks and from the new one, of so many structures of each."""
        return divided(total, sizes, self.old_share)

    def batches(self, epoch: int) -> list[list[np.ndarray]]:
        """Return the steps of an epoch, each with the structure indices of every member."""
        parts = []
        for m, ids in enumerate(self.members):
            generator = np.random.default_rng([self.seed, m, epoch])
            old = self.tasks[ids] != self.new
            pools = (ids[old], ids[~old])
            counts = self.divide(self.n_draws, [len(p) for p in pools])
            drawn = [generator.permutation(p)[:k] for p, k in zip(pools, counts, strict=True)]
            parts.append(np.array_split(generator.permutation(np.concatenate(drawn)), self.n_steps))
        return [list(step) for step in zip(*parts, strict=True)]

    def observe(self, ids: np.ndarray, losses: np.ndarray) -> None:
        """Count uses, and take note of the losses of the tasks."""
        np.add.at(self.ledger.uses, ids, 1)
        np.add.at(self._sums[0], self.tasks[ids], losses)
        np.add.at(self._sums[1], self.tasks[ids], 1.0)

    def finish_epoch(self, epoch: int) -> None:
        """Follow each task's mean loss."""
        level, seen = self.ledger.level, self._sums[1] > 0
        mean = np.divide(self._sums[0], self._sums[1], where=seen, out=np.zeros(len(level)))
        known = seen & np.isfinite(level)
        level[known] += (1 - self.rule.memory) * (mean[known] - level[known])
        level[seen & ~known] = mean[seen & ~known]
        self._sums[:] = 0.0

    def state(self) -> dict[str, Any]:
        """Return everything that changes, as tensors."""
        return {"ledger": self.ledger.state(), "sums": torch.from_numpy(self._sums.copy())}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`state`."""
        self.ledger.restore(state["ledger"])
        self._sums = state["sums"].numpy().copy()
