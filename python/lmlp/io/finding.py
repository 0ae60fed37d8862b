"""Something to know about data before training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lmlp.structure import Structure


@dataclass(frozen=True)
class Finding:
    """Something to know before training.

    Attributes:
        level: ``error`` (training makes no sense), ``warning`` (look at it) or ``note``.
        code: short fixed name, e.g. ``duplicates``.
        message: one sentence with numbers.
        frames: sources of the structures concerned.
    """

    level: str
    code: str
    message: str
    frames: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the finding for JSON."""
        return {"level": self.level, "code": self.code, "message": self.message, "frames": self.frames}


def sources(structures: Sequence[Structure]) -> list[str]:
    """Return where each structure came from."""
    return [s.source for s in structures]


def file_of(structure: Structure) -> str:
    """Return the file that a structure came from."""
    return structure.source.rpartition(":")[0]
