"""One reference structure: atoms, cell and labels, in Å, eV, eV/Å and eV/Å³."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Structure:
    """Atoms and what is known of them.

    Attributes:
        numbers: atomic numbers, int32 ``[n_atoms]``.
        positions: Å, float64 ``[n_atoms, 3]``.
        cell: rows are the cell vectors in Å, float64 ``[3, 3]``; zero rows where there is none.
        pbc: periodic along each cell vector, bool ``[3]``.
        energy: total energy in eV, or None.
        forces: eV/Å ``[n_atoms, 3]``, or None; never altered by constraints.
        stress: eV/Å³ ``[3, 3]``, tension positive, or None.
        source: where it came from, e.g. ``train.xyz:17`` (0-based frame), for messages.
        info: further entries of the frame (``config_type`` …).
        columns: further entries of the atoms (``magmoms``, ``tags`` …), first axis ``n_atoms``.
    """

    numbers: np.ndarray
    positions: np.ndarray
    cell: np.ndarray
    pbc: np.ndarray
    energy: float | None = None
    forces: np.ndarray | None = None
    stress: np.ndarray | None = None
    source: str = ""
    info: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def volume(self) -> float:
        """Volume of the cell in Å³, 0 without a cell."""
        return float(abs(np.linalg.det(self.cell)))
