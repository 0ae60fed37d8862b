"""Something to know about data before training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lmlp.structure import Structure

_NAMED_FRAMES = 5


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

    def __str__(self) -> str:
        where = f" ({name_frames(self.frames)})" if self.frames else ""
        return f"{self.level}: {self.message}{where}"


def name_frames(frames: Sequence[str]) -> str:
    """Name the first frames, each file once: ``train.xyz: 3, 5, test.xyz: 1 and 7 more``."""
    words, last = [], ""
    for frame in frames[:_NAMED_FRAMES]:
        file, _, number = frame.rpartition(":")
        words.append(number if file == last else f"{file}: {number}")
        last = file
    more = f" and {len(frames) - _NAMED_FRAMES} more" if len(frames) > _NAMED_FRAMES else ""
    return ", ".join(words) + more


def sources(structures: Sequence[Structure]) -> list[str]:
    """Return where each structure came from."""
    return [s.source for s in structures]


def file_of(structure: Structure) -> str:
    """Return the file that a structure came from."""
    return structure.source.rpartition(":")[0]
