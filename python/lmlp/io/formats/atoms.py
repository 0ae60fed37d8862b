"""Frames of ``ase.Atoms``: everything that they hold, and the stored results of their calculators."""

from __future__ import annotations

from typing import Any

import numpy as np

from lmlp.errors import DataError
from lmlp.io.frame import Frame

# results of calculators that belong to the structure, whatever their length
_OF_STRUCTURE = ("stress", "dipole", "polarizability", "dielectric_tensor", "magmom")


def frame_of(atoms: Any, source: str, *, made_up: bool = False) -> Frame:
    """Copy atoms and the stored results of a calculation; raw forces, as the calculator has them.

    Args:
        atoms: of ASE.
        source: file and frame.
        made_up: the energy is none, the reader puts 0.

    Raises:
        DataError: no atoms, or atoms that are no element.
    """
    results = dict(getattr(atoms.calc, "results", {})) if atoms.calc is not None else {}
    results = {k: v for k, v in results.items() if v is not None}
    if made_up:
        results = {k: v for k, v in results.items() if "energy" not in k}
    columns = {k: v for k, v in atoms.arrays.items() if k not in ("numbers", "positions")}
    entries = dict(atoms.info)
    for name, value in results.items():
        per_atom = np.ndim(value) > 0 and np.shape(value)[0] == len(atoms) and name not in _OF_STRUCTURE
        store = columns if per_atom else entries
        if name in store and not _equal(store[name], value):
            store[f"info.{name}"] = store.pop(name)
            name = f"calculator.{name}"
        store[name] = value
    constrained = sorted({int(i) for c in atoms.constraints for i in np.ravel(getattr(c, "index", []))})
    if len(atoms) == 0 or (atoms.numbers < 1).any():
        raise DataError(f"{source}: a frame without atoms, or with atoms that are no element")
    return Frame(
        numbers=np.array(atoms.numbers, dtype=np.int32),
        positions=np.array(atoms.positions, dtype=np.float64),
        cell=np.array(atoms.cell, dtype=np.float64),
        pbc=np.array(atoms.pbc, dtype=bool),
        source=source,
        entries=entries,
        columns=columns,
        constrained=constrained,
    )


def _equal(a: Any, b: Any) -> bool:
    try:
        x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    except (TypeError, ValueError):
        return bool(a == b)
    return x.shape == y.shape and bool(np.allclose(x, y, rtol=0.0, atol=1e-6))
