"""What a data set is read from, and who hears of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from lmlp.audit.report import DataReport
from lmlp.elements import atomic_number
from lmlp.io import DataKeys


@dataclass(frozen=True)
class Sources:
    """Files of a data set, and how they are read.

    Attributes:
        files: structures that serve training.
        held_out: files of structures that no member trains on; may be empty.
        keys: names of the labels.
        elements: chemical symbols in species order; None: those that occur, by atomic number.
        cutoff: of the model in Å; atoms without a neighbor within it are free atoms.
        on_disk: keep the arrays on disk: if they need more than ``memory``, or anyway.
        memory: bytes that the data may occupy.
        folder: where arrays on disk lie.
    """

    files: Sequence[Path]
    cutoff: float
    held_out: Sequence[Path] = ()
    keys: DataKeys = field(default_factory=DataKeys)
    elements: Sequence[str] | None = None
    on_disk: Literal["automatic", "always", "never"] = "never"
    memory: int = 2 * 2**30
    folder: Path = Path()

    @property
    def all_files(self) -> list[Path]:
        """All files, those held out last."""
        return [*self.files, *self.held_out]

    @property
    def numbers(self) -> list[int] | None:
        """Atomic numbers in species order, None for those that occur."""
        return None if self.elements is None else [atomic_number(e) for e in self.elements]


class Listener(Protocol):
    """Hears what was found in the data."""

    def on_data(self, report: DataReport, held_out: DataReport | None) -> None:
        """Hear the reports of the structures to train on, and of those held out."""
        ...

    def on_message(self, text: str) -> None:
        """Hear something worth telling."""
        ...


Once = Callable[[Callable[[], None]], None]  # lets one of several processes do a thing while the others wait


def alone(do: Callable[[], None]) -> None:
    """Do a thing: there is one process."""
    do()
