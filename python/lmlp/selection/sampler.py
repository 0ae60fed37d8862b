"""Which structures each member sees at each step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

import numpy as np

from lmlp.selection.ledger import Ledger
from lmlp.selection.likes import Likes
from lmlp.selection.rule import SelectionRule

_WINDOW = 8  # blocks whose structures are mixed


class Sampler(Protocol):
    """Chooses the structures of each step; the trainer knows no more of it."""

    @property
    def n_steps(self) -> int:
        """Steps per epoch."""
        ...

    def batches(self, epoch: int) -> list[list[np.ndarray]]:
        """Return the steps of an epoch, each with the structures of every member.

        Asked twice within an epoch (a resumed run does), it answers the same.
        """
        ...

    def observe(self, ids: np.ndarray, losses: np.ndarray) -> None:
        """Hear of the losses of the structures of a step, all members one after the other."""
        ...

    def finish_epoch(self, epoch: int) -> None:
        """Hear that an epoch has ended; what was observed may change the choice from now on."""
        ...

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must keep: tensors, numbers, strings, lists and dicts."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`state`."""
        ...


class Strategy(Sampler, Protocol):
    """A sampler for learning sessions: it draws from earlier tasks and a new one, and keeps a ledger.

    Attributes:
        unused: fields of the selection rule that it has no use for; settings that name them are refused.
        ledger: what is known of each structure; memory, balance and report read it.
        n_draws: structures per epoch and member.
    """

    unused: ClassVar[frozenset[str]]
    ledger: Ledger
    n_draws: int

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
        """Begin to draw; the arguments are those of :class:`lmlp.selection.adaptive.AdaptiveSelection`."""
        ...

    def divide(self, total: int, sizes: Sequence[int]) -> tuple[int, int]:
        """Return how many of ``total`` draws come from earlier tasks and from the new one.

        Args:
            total: draws.
            sizes: structures of earlier tasks, and of the new one.
        """
        ...


def divided(total: int, sizes: Sequence[int], old_share: float) -> tuple[int, int]:
    """Divide draws between earlier tasks and the new one; what one of them lacks goes to the other.

    Args:
        total: draws.
        sizes: structures of earlier tasks, and of the new one; none is drawn twice.
        old_share: share of the earlier tasks.
    """
    old = min(round(old_share * total), sizes[0])
    fresh = min(total - old, sizes[1])
    return min(total - fresh, sizes[0]), fresh


class ShuffledBatches:
    """Every member passes through its own structures in its own random order.

    Args:
        members: training structures of each member, all of the same number.
        batch_size: structures per step and member.
        seed: the order depends on seed, member and epoch alone, so that a resumed run repeats it.
        block: so many consecutive structures stay near each other, for reading from disk.
    """

    def __init__(
        self, members: Sequence[np.ndarray], batch_size: int, seed: int, block: int | None = None
    ) -> None:
        self.members = [np.asarray(ids) for ids in members]
        self.batch_size = batch_size
        self.seed = seed
        self.block = block

    @property
    def n_steps(self) -> int:
        """Steps per epoch."""
        return max(1, round(len(self.members[0]) / self.batch_size))

    def batches(self, epoch: int) -> list[list[np.ndarray]]:
        """Return the steps of an epoch, each with the structure indices of every member."""
        parts = []
        for m, ids in enumerate(self.members):
            generator = np.random.default_rng([self.seed, m, epoch])
            parts.append(np.array_split(self._order(generator, ids), self.n_steps))
        return [list(step) for step in zip(*parts, strict=True)]

    def _order(self, generator: np.random.Generator, ids: np.ndarray) -> np.ndarray:
        """Shuffle; with blocks, shuffle these, and the structures of some neighboring blocks among them."""
        if self.block is None:
            return generator.permutation(ids)
        blocks = np.array_split(ids, max(1, round(len(ids) / self.block)))
        order = generator.permutation(len(blocks))
        windows = np.array_split(order, max(1, round(len(blocks) / _WINDOW)))
        parts = [generator.permutation(np.concatenate([blocks[b] for b in w])) for w in windows]
        return np.concatenate(parts)

    def observe(self, ids: np.ndarray, losses: np.ndarray) -> None:
        """Learn nothing: all structures are equal."""

    def finish_epoch(self, epoch: int) -> None:
        """Do nothing."""

    def state(self) -> dict[str, Any]:
        """Return nothing: orders follow from seed, member and epoch."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Do nothing."""


class SharedBatches(ShuffledBatches):
    """All members see the same structures at every step, out of those that any of them trains on.

    An epoch draws as many structures as each member has of its own, without drawing one twice.
    """

    @property
    def together(self) -> np.ndarray:
        """Structures that any member trains on, in ascending order."""
        return np.unique(np.concatenate(self.members))

    def batches(self, epoch: int) -> list[list[np.ndarray]]:
        """Return the steps of an epoch, each with the same structure indices for every member."""
        generator = np.random.default_rng([self.seed, len(self.members), epoch])
        drawn = self._order(generator, self.together)[: len(self.members[0])]
        return [[ids] * len(self.members) for ids in np.array_split(drawn, self.n_steps)]
