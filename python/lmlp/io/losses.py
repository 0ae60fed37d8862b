"""What a file format has no place for, so that nothing goes missing without a word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from lmlp.io.formats.comment import SPELLINGS
from lmlp.io.labels import CONSTRAINED, LABEL_KEYS
from lmlp.structure import Structure

RUNNER, EXTXYZ, HDF5 = "input.data", "extended XYZ", "HDF5"
_OWN = {LABEL_KEYS, CONSTRAINED, SPELLINGS}
# entries that would be read as labels or cell; what is in the fields of the structure is written instead
_LABELS = {"energy", "stress", "virial"}
_KEYS_OF_FORMAT = {"lattice", "properties", "pbc"}
_COLUMNS_OF_FORMAT = {"species", "pos", "forces", "numbers", "positions"}
_NOT_IN_NAMES = " \t\"'{}[]\\=,:"


def writable_entries(structure: Structure, kind: str) -> list[str]:
    """Return the keys of ``info`` that a format (RUNNER, EXTXYZ, HDF5) can hold."""
    keys = [k for k in structure.info if k not in _OWN and k not in _LABELS]
    if kind == RUNNER:
        return [k for k in keys if k == "comment" or (k == "charge" and _is_number(structure.info[k]))]
    if kind == EXTXYZ:
        return [k for k in keys if k.lower() not in _KEYS_OF_FORMAT and k.isprintable() and k]
    return keys


def writable_columns(structure: Structure, kind: str) -> list[str]:
    """Return the names of ``columns`` that a format can hold."""
    if kind == RUNNER:
        return []
    names = [n for n in structure.columns if n != "forces"]
    if kind == HDF5:
        return [n for n in names if structure.columns[n].dtype.kind in "biufUSO"]
    return [n for n in names if _is_name(n) and _are_words(structure.columns[n])]


def _is_name(name: str) -> bool:
    usable = bool(name) and name.isprintable() and not any(c in _NOT_IN_NAMES for c in name)
    return usable and name != "Z" and name.lower() not in _COLUMNS_OF_FORMAT


def _are_words(column: np.ndarray) -> bool:
    """Tell whether values can stand in columns divided by spaces."""
    if column.size == 0 or column.dtype.kind not in "biufUSO":
        return False
    return column.dtype.kind in "biuf" or all(
        isinstance(w, str) and w.isprintable() and w.split() == [w] for w in column.ravel()
    )


def _is_number(value: object) -> bool:
    return np.ndim(value) == 0 and np.asarray(value).dtype.kind in "iuf"  # type: ignore[arg-type]


def losses(structures: Iterable[Structure], kind: str) -> dict[str, int]:
    """Return what is left out when structures are written, with the number of structures that have it."""
    lost: Counter[str] = Counter()
    for s in structures:
        entries, columns = writable_entries(s, kind), writable_columns(s, kind)
        lost.update(f"entry {k}" for k in s.info if k not in _OWN and k not in entries)
        lost.update(f"column {n}" for n in s.columns if n not in columns)
        if kind == RUNNER:
            lost.update(["stress"] if s.stress is not None else [])
            lost.update(["constraints"] if s.info.get(CONSTRAINED) else [])
            lost.update(
                ["cell of structures that are not periodic"] if s.cell.any() and not s.pbc.any() else []
            )
    return {name: lost[name] for name in sorted(lost, key=lambda name: (name == "stress", name))}
