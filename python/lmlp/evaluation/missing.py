"""Reference data that lack labels: what is missing, and under which names it might be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lmlp.io.labels import CONSTRAINED, LABEL_KEYS
from lmlp.io.read import read_frames
from lmlp.structure import Structure

_LABELS = ("energy", "forces", "stress")
_NAMED = 20


@dataclass(frozen=True)
class Missing:
    """What data lack.

    Attributes:
        nothing: there is no label at all.
        text: in words, with the names that the data have.
    """

    nothing: bool
    text: str


def missing_labels(structures: Sequence[Structure], files: Sequence[str]) -> Missing | None:
    """Tell whether no structure has an energy, or none has forces; None if there are both.

    Args:
        structures: as read.
        files: where they come from; read once more for the names that they have.
    """
    present = [name for name in _LABELS if any(getattr(s, name) is not None for s in structures)]
    absent = [name for name in _LABELS[:2] if name not in present]
    if not absent:
        return None
    what = "no label" if not present else "no " + " and no ".join(absent)
    text = f"{what} is recognized in {len(structures)} structures; {_names(files)}"
    return Missing(not present, f"{text}; --energy-key and --forces-key name what is not recognized")


def _names(files: Sequence[str]) -> str:
    frames = [frame for file in files for frame in read_frames(file)]
    hidden = (CONSTRAINED, LABEL_KEYS)
    entries = dict.fromkeys(name for f in frames for name in f.entries if name not in hidden)
    columns = dict.fromkeys(name for f in frames for name in f.columns)
    return f"frames have {_listed(list(entries))}, atoms have {_listed(list(columns))}"


def _listed(names: list[str]) -> str:
    return (", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")) or "no further entries"
