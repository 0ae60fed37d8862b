"""What is known of each structure: how often it is drawn, whether it is parked or suspected, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch

ACTIVE, PARKED, SUSPECT = 0, 1, 2
NAMES = ("active", "parked", "suspect")


@dataclass
class Ledger:
    """The book that a sampler keeps; memory, balance and report read it.

    Attributes:
        factor: relative chance to be drawn ``[n]``.
        status: ``ACTIVE``, ``PARKED`` or ``SUSPECT`` ``[n]``.
        uses: how often members have drawn it ``[n]``.
        reason: why it is parked or suspected, empty for the others; one text per structure.
        level: mean loss of each task, NaN before it is known ``[n_tasks]``.
    """

    factor: np.ndarray
    status: np.ndarray
    uses: np.ndarray
    reason: list[str]
    level: np.ndarray

    @classmethod
    def opened(cls, factors: np.ndarray, statuses: np.ndarray, n_tasks: int) -> Ledger:
        """Return the ledger of structures that have not been used."""
        n = len(factors)
        return cls(
            factor=np.array(factors, float),
            status=np.array(statuses, np.int64),
            uses=np.zeros(n, dtype=np.int64),
            reason=[""] * n,
            level=np.full(n_tasks, np.nan),
        )

    def with_status(self, status: int) -> np.ndarray:
        """Return the structures of a status, ascending."""
        return np.flatnonzero(self.status == status)

    def status_name(self, i: int) -> str:
        """Return ``active``, ``parked`` or ``suspect``."""
        return NAMES[int(self.status[i])]

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return pack(self)

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`state`."""
        unpack(self, state)


def pack(record: Any) -> dict[str, Any]:
    """Return the fields of a dataclass of arrays and lists for a checkpoint: arrays as tensors."""
    values = {f.name: getattr(record, f.name) for f in fields(record)}
    return {k: torch.from_numpy(v.copy()) if isinstance(v, np.ndarray) else v for k, v in values.items()}


def unpack(record: Any, state: dict[str, Any]) -> None:
    """Set the fields of a dataclass to what :func:`pack` has kept."""
    for f in fields(record):
        value = state[f.name]
        setattr(record, f.name, value.numpy().copy() if isinstance(value, torch.Tensor) else value)


def outcome(ledger: Ledger, names: Sequence[str], others: Mapping[int, str] | None = None) -> dict[str, Any]:
    """Return as plain data how many structures are parked, and the suspects with the reasons.

    Args:
        ledger: after training.
        names: of the structures.
        others: reasons of suspects that were found in another way.
    """
    reasons = {i: ledger.reason[i] for i in ledger.with_status(SUSPECT).tolist()}
    reasons.update(others or {})
    return {
        "parked": len(ledger.with_status(PARKED)),
        "suspects": [{"source": names[i], "reason": reasons[i]} for i in sorted(reasons)],
    }
