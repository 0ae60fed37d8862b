"""Reference data that lack labels: what is missing, and under which names it might be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lmlp.io.formats.comment import SPELLINGS
from lmlp.io.labels import CONSTRAINED, LABEL_KEYS
from lmlp.structure import Structure

_LABELS = ("energy", "forces", "stress")
_NAMED = 20
_OWN = (CONSTRAINED, LABEL_KEYS, SPELLINGS)


@dataclass(frozen=True)
class Missing:
    """What data lack.

    Attributes:
        nothing: there is no label at all.
        text: in words, with the names that the data have.
    """

    nothing: bool
    text: str


def missing_labels(structures: Sequence[Structure]) -> Missing | None:
    """Tell whether no structure has an energy, or none has forces; None if there are both."""
    present = [name for name in _LABELS if any(getattr(s, name) is not None for s in structures)]
    absent = [name for name in _LABELS[:2] if name not in present]
    if not absent:
        return None
    what = "no label" if not present else "no " + " and no ".join(absent)
    text = f"{what} is recognized in {len(structures)} structures; {_names(structures)}"
    return Missing(not present, f"{text}; --energy-key and --forces-key name what is not recognized")


def _names(structures: Sequence[Structure]) -> str:
    entries = dict.fromkeys(name for s in structures for name in s.info if name not in _OWN)
    columns = dict.fromkeys(name for s in structures for name in s.columns)
    return f"frames have {_listed(list(entries))}, atoms have {_listed(list(columns))}"


def _listed(names: list[str]) -> str:
    return (", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")) or "no further entries"
