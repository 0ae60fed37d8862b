"""Processes that train one model together: each evaluates a share of every batch, all take the same step."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from lmlp.errors import LMLPError, TrainingError

T = TypeVar("T")

# A process that has died is noticed at once, as its connection closes; this bounds only the wait for one that
# is busy (the first one, evaluating all held-out structures at the end).
_PATIENCE = timedelta(hours=12)


class Workers:
    """This process alone; the base of :class:`Group`.

    Attributes:
        rank: number of this process.
        size: number of processes.
    """

    rank = 0
    size = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def share(self, groups: Sequence[np.ndarray], *, alike: bool = False) -> list[np.ndarray]:
        """Return which structures of each member this process evaluates.

        Args:
            groups: structures of each member.
            alike: all members have the same structures, and those of a process must be the same, too.
        """
        return list(groups)

    def positions(self, groups: Sequence[np.ndarray], *, alike: bool = False) -> np.ndarray:
        """Return where the structures of :meth:`share` stand among all, members one after the other."""
        return np.arange(sum(len(g) for g in groups))

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Sum tensors over all processes, in place."""

    def largest(self, values: Sequence[float]) -> list[float]:
        """Return the largest of each value among all processes."""
        return list(values)

    def together(self, function: Callable[[], T]) -> T:
        """Let the first process do something; all get what it returns, or the error that it raises."""
        return function()

    def wait(self) -> None:
        """Wait until all processes are here."""


class Group(Workers):
    """Several processes that torch has connected."""

    def __init__(self) -> None:
        self.rank = dist.get_rank()
        self.size = dist.get_world_size()

    def _mine(self, groups: Sequence[np.ndarray], alike: bool) -> list[np.ndarray]:
        """Positions within each member's group; who gets the odd one alternates, unless they are alike."""
        parts = [np.array_split(np.arange(len(g)), self.size) for g in groups]
        return [p[(self.rank + (0 if alike else m)) % self.size] for m, p in enumerate(parts)]

    def share(self, groups: Sequence[np.ndarray], *, alike: bool = False) -> list[np.ndarray]:
        """Return which structures of each member this process evaluates."""
        return [g[mine] for g, mine in zip(groups, self._mine(groups, alike), strict=True)]

    def positions(self, groups: Sequence[np.ndarray], *, alike: bool = False) -> np.ndarray:
        """Return where the structures of :meth:`share` stand among all, members one after the other."""
        starts = np.cumsum([0, *(len(g) for g in groups)])
        mine = self._mine(groups, alike)
        return np.concatenate([start + own for start, own in zip(starts, mine, strict=False)])

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Sum tensors over all processes, in place and in one message; all get the same bits."""
        flat = torch.cat([t.reshape(-1) for t in tensors])
        self._call(lambda: dist.all_reduce(flat))
        done = 0
        for t in tensors:
            t.copy_(flat[done : done + t.numel()].view_as(t))
            done += t.numel()

    def largest(self, values: Sequence[float]) -> list[float]:
        """Return the largest of each value among all processes."""
        tensor = torch.tensor(list(values), dtype=torch.float64)
        self._call(lambda: dist.all_reduce(tensor, op=dist.ReduceOp.MAX))
        return [float(v) for v in tensor]

    def together(self, function: Callable[[], T]) -> T:
        """Let the first process do something; all get what it returns, or the error that it raises."""
        box: list[object] = [None, None]
        if self.is_first:
            try:
                box[0] = function()
            except LMLPError as error:
                box[1] = error
        self._call(lambda: dist.broadcast_object_list(box, src=0))
        if isinstance(box[1], LMLPError):
            raise box[1]
        return box[0]  # type: ignore[return-value]

    def wait(self) -> None:
        """Wait until all processes are here."""
        self._call(dist.barrier)

    def _call(self, function: Callable[[], object]) -> None:
        """Exchange something; a lost process becomes an error that says so."""
        try:
            function()
        except RuntimeError as error:
            text = str(error).splitlines()[0][:200]
            raise TrainingError(
                f"process {self.rank} of {self.size}: the others cannot be reached ({text}); start again "
                "with --resume, with any number of processes"
            ) from error


@contextmanager
def connected() -> Iterator[Workers]:
    """Connect the processes that ``torchrun`` has started; without it, this process is alone.

    Raises:
        TrainingError: the processes do not find each other.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or "MASTER_ADDR" not in os.environ:
        yield Workers()
        return
    try:
        dist.init_process_group("gloo", timeout=_PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise TrainingError(f"the processes of torchrun do not find each other: {error}") from error
    try:
        yield Group()
    finally:
        dist.destroy_process_group()
