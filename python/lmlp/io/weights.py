"""Weights of labels in a data file: 0 says that the label is not there.

Names are those of MACE (``config_energy_weight`` …, ``config_weight``), of GPUMD (``weight``) and of gap_fit
(the column ``force_mask``, true for atoms that are left out), and their likes, in any case.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lmlp.errors import DataError
from lmlp.io.frame import Frame
from lmlp.io.keys import NONE, DataKeys
from lmlp.io.notes import Notes

_STEMS = {
    "energy": ("energy",),
    "forces": ("forces", "force"),
    "stress": ("stress", "stresses"),
    "virial": ("virial", "virials"),
}
_NAMES = {
    f"{prefix}{stem}_weight{plural}": label
    for label, stems in _STEMS.items()
    for stem in stems
    for prefix in ("", "config_")
    for plural in ("", "s")
}
_WHOLE = ("config_weight", "weight")
_SIGMAS = {f"{stem}_sigma" for stems in _STEMS.values() for stem in stems}


def obey_weights(
    frame: Frame, names: dict[str, str | None], keys: DataKeys, notes: Notes
) -> dict[str, str | None] | None:
    """Leave out what has a weight of 0.

    Args:
        frame: with its entries.
        names: label -> name in the file, None for a label that is not read.
        keys: ``keys.weights`` says what happens to weights that are neither 0 nor 1.
        notes: hear what is left out.

    Returns:
        names without the labels that are left out; None if the whole structure is.

    Raises:
        DataError: a weight that is no number ≥ 0, or neither 0 nor 1.
    """
    if not any(names.values()) or not any(_is_about_weights(n) for n in (*frame.entries, *frame.columns)):
        return names
    zero: dict[str, str] = {}
    given: set[str] = set()
    for key, value in frame.entries.items():
        label = _NAMES.get(key.lower())
        if key.lower() in _SIGMAS:
            notes.add(f"{key} is not used: lmlp has no weights of single structures", frame.source)
        elif key.lower() in _WHOLE:
            if _is_zero(frame, key, value, keys):
                notes.add(f"{key} is 0: the structure is left out", frame.source)
                return None
        elif label is not None and (names[label] or (label == "stress" and names["virial"])):
            given.add(label)
            if _is_zero(frame, key, value, keys):
                zero[label] = f"{key} is 0"
    if names["forces"] and (reason := _masked_forces(frame, keys)):
        zero.setdefault("forces", reason)
    if "stress" in zero and "virial" not in given:
        zero.setdefault("virial", zero["stress"])
    found = dict(names)
    for label, reason in zero.items():
        if names[label]:
            found[label] = None
            notes.add(f"{reason}: no {label}", frame.source)
    return found


def _is_about_weights(name: str) -> bool:
    return any(word in name.lower() for word in ("weight", "mask", "sigma"))


def _is_zero(frame: Frame, key: str, value: Any, keys: DataKeys) -> bool:
    number = np.asarray(value)
    if number.size != 1 or number.dtype.kind not in "ifu" or not 0.0 <= float(number.item()) < np.inf:
        raise DataError(f"{frame.source}: {key}={value!r} is no weight; weights are numbers, 0 or larger")
    weight = float(number.item())
    if weight not in (0.0, 1.0) and keys.weights != NONE:
        raise DataError(f"{frame.source}: {key}={weight:g}: {_NO_WEIGHTS}")
    return weight == 0.0


_NO_WEIGHTS = (
    "lmlp has no weights of single structures or atoms, only 0 (left out) and 1; to ignore the others: "
    '--weights-key none (keys.weights: none, in Python DataKeys(weights="none"))'
)


def _masked_forces(frame: Frame, keys: DataKeys) -> str:
    """Say why a column leaves out the forces of a structure; they are all there or none is."""
    for key, column in frame.columns.items():
        if key.lower() == "force_mask":
            if column.dtype.kind not in "bi" or not np.isin(column, (0, 1)).all():
                raise DataError(f"{frame.source}: {key} must be a column of T (left out) and F")
            if column.any():
                return f"{key} leaves out atoms, which is possible for whole structures only"
        elif key.lower() == "forces_mask" and np.unique(column).size > 1 and keys.weights != NONE:
            raise DataError(
                f"{frame.source}: {key} may mark what is there or what is not; call it force_mask (T: left "
                "out), or ignore it: --weights-key none"
            )
        elif _NAMES.get(key.lower()) == "forces":
            if column.dtype.kind not in "if" or not (np.isfinite(column) & (column >= 0)).all():
                raise DataError(f"{frame.source}: {key} has entries that are no weights")
            if not np.isin(column, (0, 1)).all() and keys.weights != NONE:
                raise DataError(f"{frame.source}: {key} has weights other than 0 and 1: {_NO_WEIGHTS}")
            if (column == 0).any():
                return f"{key} is 0 for atoms, and forces are left out for whole structures only"
    return ""
