"""One frame as the file has it, before anyone decides which entry is the energy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Frame:
    """Atoms and every entry of a frame under the names of the file.

    Attributes:
        numbers: atomic numbers, int32 ``[n_atoms]``.
        positions: Å, float64 ``[n_atoms, 3]``.
        cell: rows are the cell vectors in Å, float64 ``[3, 3]``.
        pbc: bool ``[3]``.
        source: file and 0-based frame, e.g. ``train.xyz:17``.
        entries: per-structure entries.
        columns: per-atom entries, first axis ``n_atoms``.
        spellings: texts of entries that would be written otherwise (lmlp.io.formats.comment).
        constrained: indices of atoms that a constraint holds.
    """

    numbers: np.ndarray
    positions: np.ndarray
    cell: np.ndarray
    pbc: np.ndarray
    source: str
    entries: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    spellings: dict[str, str | None] = field(default_factory=dict)
    constrained: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.numbers)
