"""Lifelong adaptive selection: train on what is not learned yet, park what is, exclude what cannot be.

Rule in outline from Eckhoff & Reiher, JCTC 2023, 19, 3509 (doi 10.1021/acs.jctc.3c00279); docs/lifelong.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from lmlp.selection.ledger import ACTIVE, PARKED, SUSPECT, Ledger, pack, unpack
from lmlp.selection.likes import Likes
from lmlp.selection.rule import SelectionRule
from lmlp.selection.sampler import divided


@dataclass
class _History:
    """What the rule remembers of each structure ``[n]``.

    Attributes:
        low_uses, high_uses: in a row at the smallest and largest factor.
        log_loss: logarithm of the loss over the mean of its task, averaged over uses.
        log_loss_before: the same when the factor reached its largest.
        since: epoch of the last use of a parked structure.
    """

    low_uses: np.ndarray
    high_uses: np.ndarray
    log_loss: np.ndarray
    log_loss_before: np.ndarray
    since: np.ndarray


class AdaptiveSelection:
    """Chooses the structures of each epoch by what the losses of earlier epochs say; a ``Strategy``.

    One factor S per structure serves all members. Draws of an epoch depend on the seed, the epoch and the
    factors at its beginning; the losses seen meanwhile take effect when it ends, so that a resumed run draws
    the same.

    Args:
        members: training structures of each member.
        tasks: number of the task that each structure of the data set belongs to ``[n]``.
        new: number of the task that is new, None if none is.
        batch_size: structures per step and member.
        seed: of the draws.
        rule: numbers.
        factors: factors to start from ``[n]``; default ``rule.new`` for new structures and 1 for others.
        statuses: to start from ``[n]``; default: all active.
        n_draws: structures per epoch and member; default ``rule.share`` of those of the first member.
        likes: the structures most like each one, which suspects are compared with; None: no comparison.
    """

    unused: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        members: Sequence[np.ndarray],
        tasks: np.ndarray,
        *,
        new: int | None = None,
        batch_size: int = 8,
        seed: int = 0,
        rule: SelectionRule | None = None,
        factors: np.ndarray | None = None,
        statuses: np.ndarray | None = None,
        n_draws: int | None = None,
        likes: Likes | None = None,
    ) -> None:
        self.members = [np.asarray(ids) for ids in members]
        self.tasks = np.asarray(tasks)
        self.new = new
        self.batch_size = batch_size
        self.seed = seed
        self.rule = rule or SelectionRule()
        # structures per epoch and member; the share of what is parked goes to the others
        self.n_draws = n_draws or max(1, round(self.rule.share * len(self.members[0])))
        trained = set(self.tasks[np.concatenate(self.members)].tolist())
        self.old_share = self.rule.share_of_old(len(trained - {new}))
        n = len(self.tasks)
        if factors is None:
            factors = np.where(self.tasks == new, self.rule.new, 1.0) if new is not None else np.ones(n)
        whole = np.zeros(n, dtype=np.int64)
        self.ledger = Ledger.opened(
            np.clip(np.asarray(factors, float), self.rule.smallest, self.rule.largest),
            whole if statuses is None else statuses,
            int(self.tasks.max()) + 1 if n else 0,
        )
        unknown = np.full(n, np.nan)
        self._history = _History(whole.copy(), whole.copy(), unknown.copy(), unknown.copy(), whole.copy())
        self.likes = likes
        self._seen: list[tuple[np.ndarray, np.ndarray]] = []

    # Drawing --------------------------------------------------------------------------------------

    @property
    def n_steps(self) -> int:
        """Steps per epoch."""
        return max(1, round(self.n_draws / self.batch_size))

    def batches(self, epoch: int) -> list[list[np.ndarray]]:
        """Return the steps of an epoch, each with the structure indices of every member."""
        parts = [
            np.array_split(self._draw(ids, np.random.default_rng([self.seed, m, epoch]), epoch), self.n_steps)
            for m, ids in enumerate(self.members)
        ]
        return [list(step) for step in zip(*parts, strict=True)]

    def _draw(self, ids: np.ndarray, generator: np.random.Generator, epoch: int) -> np.ndarray:
        """Draw without replacement, with probability ∝ S, a share of it from earlier tasks."""
        status = self.ledger.status[ids]
        parked = ids[status == PARKED]
        waited = epoch - self._history.since[parked]
        due = parked[np.argsort(-waited, kind="stable")]
        checks = due[: min(int((waited >= self.rule.recheck_every).sum()), max(1, self.n_draws // 10))]
        active = ids[status == ACTIVE]
        old = self.tasks[active] != self.new
        pools = [active[old], active[~old]] if self.new is not None else [active, active[:0]]
        counts = self.divide(self.n_draws - len(checks), [len(p) for p in pools])
        drawn = [checks, *(self._weighted(p, k, generator) for p, k in zip(pools, counts, strict=True))]
        missing = self.n_draws - sum(map(len, drawn))
        if missing > 0:  # nearly all is parked: those that have waited longest
            drawn.append(due[len(checks) : len(checks) + missing])
        return generator.permutation(np.concatenate(drawn))

    def divide(self, total: int, sizes: Sequence[int]) -> tuple[int, int]:
        """Return the draws from earlier tasks and from the new one, of so many structures of each."""
        if self.new is None:
            return min(total, sizes[0]), 0
        return divided(total, sizes, self.old_share)

    def _weighted(self, ids: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
        """Draw ``count`` without replacement (Efraimidis & Spirakis: largest log(u)/S)."""
        keys = np.log(generator.random(len(ids))) / self.ledger.factor[ids]
        return ids[np.argsort(-keys, kind="stable")[:count]]

    # Learning from losses -------------------------------------------------------------------------

    def observe(self, ids: np.ndarray, losses: np.ndarray) -> None:
        """Take note of the losses of a step; a structure may occur once per member."""
        self._seen.append((np.asarray(ids, np.int64), np.asarray(losses, float)))

    def finish_epoch(self, epoch: int) -> None:
        """Let the losses of an epoch take effect."""
        if not self._seen:
            return
        ids, losses = (np.concatenate(parts) for parts in zip(*self._seen, strict=True))
        self._seen = []
        self._update_levels(ids, losses)
        relative = losses / np.maximum(self.ledger.level[self.tasks[ids]], 1e-300)
        for i, loss in zip(ids.tolist(), relative.tolist(), strict=True):
            self._use(i, max(loss, 1e-30), epoch)
        for i in np.flatnonzero(
            (self._history.high_uses >= self.rule.suspect_after) & (self.ledger.status == ACTIVE)
        ):
            self._judge(int(i), epoch)

    def _update_levels(self, ids: np.ndarray, losses: np.ndarray) -> None:
        """Follow each task's mean loss, as if drawn with equal probabilities; outliers count as clipped."""
        level = self.ledger.level
        for task in np.unique(self.tasks[ids]):
            mine = self.tasks[ids] == task
            clipped = np.minimum(losses[mine], self.rule.clip * np.median(losses[mine]))
            mean = float(np.average(clipped, weights=1.0 / self.ledger.factor[ids[mine]]))
            before = level[task]
            level[task] = mean if np.isnan(before) else before + (1 - self.rule.memory) * (mean - before)

    def _use(self, i: int, loss: float, epoch: int) -> None:
        book, past, rule = self.ledger, self._history, self.rule
        book.uses[i] += 1
        last = past.log_loss[i]
        now = float(np.log(loss))
        past.log_loss[i] = now if np.isnan(last) else last + (1 - rule.memory) * (now - last)
        if book.status[i] == PARKED:
            past.since[i] = epoch
            if loss >= 1.0:
                book.status[i], past.low_uses[i], book.factor[i], book.reason[i] = ACTIVE, 0, 1.0, ""
            else:
                self._park(i)
            return
        if loss > rule.raise_above:
            book.factor[i] = min(book.factor[i] * rule.up, rule.largest)
        elif loss < rule.lower_below:
            book.factor[i] = max(book.factor[i] * rule.down, rule.smallest)
        low = book.factor[i] <= rule.smallest and loss < rule.lower_below
        past.low_uses[i] = past.low_uses[i] + 1 if low else 0
        if past.low_uses[i] >= rule.redundant_after:
            past.since[i] = epoch
            self._park(i)
        if book.factor[i] < rule.largest:
            past.high_uses[i] = 0
            return
        if past.high_uses[i] == 0:
            past.log_loss_before[i] = past.log_loss[i]
        past.high_uses[i] += 1

    def _park(self, i: int) -> None:
        book = self.ledger
        book.status[i] = PARKED
        book.reason[i] = f"redundant: {self._loss(i)}, at factor {book.factor[i]:.2g}"

    def _judge(self, i: int, epoch: int) -> None:
        """Exclude a structure whose loss is far above those of its task and does not fall."""
        book, past, rule = self.ledger, self._history, self.rule
        if past.log_loss[i] < past.log_loss_before[i] + np.log1p(-rule.improvement):
            past.high_uses[i] = 0  # it is being learned: give it time
            return
        others = past.log_loss[(self.tasks == self.tasks[i]) & np.isfinite(past.log_loss)]
        middle = float(np.median(others))
        width = 1.4826 * float(np.median(np.abs(others - middle)))
        far = past.log_loss[i] > middle + rule.suspect_deviations * width
        if far and past.log_loss[i] > np.log(rule.suspect_loss) and self._unlike_its_likes(i):
            book.status[i], past.since[i] = SUSPECT, epoch
            book.reason[i] = (
                f"suspect (wrong label, or more than the model can describe): {self._loss(i)}, "
                f"not falling in {past.high_uses[i]} uses at the largest factor"
            )

    def _loss(self, i: int) -> str:
        loss = np.exp(self._history.log_loss[i])
        return f"loss {loss:.2g} times the mean of its task in use {self.ledger.uses[i]}"

    def _unlike_its_likes(self, i: int) -> bool:
        """Tell whether a loss is far above those of similar structures; one of these may be wrong itself."""
        log_loss, limit = self._history.log_loss, self.rule.suspect_likes
        if self.likes is None or not limit or self.likes.near[i, 0] < 0:
            return True
        near = self.likes.near[i]
        losses = log_loss[near[(self.ledger.status[near] != SUSPECT) & np.isfinite(log_loss[near])]]
        if len(losses) < len(near) // 2:
            return False  # not before they have been used
        allowed = 2.0 * np.log(limit * self.likes.remoteness[i])
        return bool(log_loss[i] > np.sort(losses)[-2] + allowed)

    # State ----------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return everything that changes, as tensors."""
        seen = [np.concatenate(parts) for parts in zip(*self._seen, strict=True)] if self._seen else []
        return {
            "ledger": self.ledger.state(),
            "history": pack(self._history),
            "seen": [torch.from_numpy(a) for a in seen],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`state`."""
        self.ledger.restore(state["ledger"])
        unpack(self._history, state["history"])
        seen = [a.numpy() for a in state["seen"]]
        self._seen = [(seen[0], seen[1])] if seen else []
