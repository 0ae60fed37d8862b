"""From the entries of a frame to a structure with labels: which key, which shape, which sign."""

from __future__ import annotations

from typing import Any

import numpy as np

from lmlp.errors import DataError, GeometryError
from lmlp.io.declared import convert_units
from lmlp.io.formats.comment import SPELLINGS
from lmlp.io.frame import Frame
from lmlp.io.keys import LABELS, NONE, DataKeys, candidates, is_free_energy
from lmlp.io.notes import Notes
from lmlp.io.weights import obey_weights
from lmlp.structure import Structure

LABEL_KEYS = "label_keys"
"""Entry of ``Structure.info``: label -> name in the file."""

CONSTRAINED = "constrained_atoms"
"""Entry of ``Structure.info``: indices of atoms that a constraint holds."""

STRESS_ASYMMETRY = (
    0.01  # of the largest component; codes print symmetric tensors with rounding, not with torques
)
SAME_STRESS = 1e-4  # eV/Å³ (16 MPa): stress and −virial/V of one frame may differ by rounding only
SAME_VALUE = 1e-6


def to_structure(frame: Frame, keys: DataKeys, notes: Notes) -> Structure | None:
    """Pick the labels of a frame by ``keys``, in eV and Å.

    Returns:
        the structure; None if the file says that it is left out. ``notes`` hear why, and what was converted.

    Raises:
        DataError, GeometryError: ambiguous or impossible labels or geometry; the frame is named.
    """
    _check_geometry(frame)
    read = {label: _choose(label, frame, keys) for label in LABELS}
    names = obey_weights(frame, read, keys, notes)
    if names is None:
        return None
    frame = convert_units(frame, names, keys, notes)
    used = {label: name for label, name in names.items() if name is not None}
    # a label of weight 0 goes too: written again, it would be one
    gone = {name for label, name in read.items() if name is not None}
    info = {k: v for k, v in frame.entries.items() if k not in gone}
    stress = _stress(frame, names)
    if used:
        info[LABEL_KEYS] = used
    if frame.constrained:
        info[CONSTRAINED] = list(frame.constrained)
    spellings = {k: v for k, v in frame.spellings.items() if k in info}
    if spellings:
        info[SPELLINGS] = spellings
    return Structure(
        numbers=frame.numbers,
        positions=frame.positions,
        cell=frame.cell,
        pbc=frame.pbc,
        energy=None if names["energy"] is None else _energy(frame, names["energy"]),
        forces=None if names["forces"] is None else _forces(frame, names["forces"]),
        stress=stress,
        source=frame.source,
        info=info,
        columns={k: v for k, v in frame.columns.items() if k not in gone},
    )


def _store(label: str, frame: Frame) -> dict[str, Any]:
    return frame.columns if label == "forces" else frame.entries


def _choose(label: str, frame: Frame, keys: DataKeys) -> str | None:
    store = _store(label, frame)
    wanted = keys.wanted(label)
    if wanted is not None:
        return wanted if wanted != NONE and wanted in store else None
    found = candidates(label, store)
    if label == "energy" and len(found) > 1:
        # energy and free energy of one calculation differ by the smearing term: not a contradiction
        found = [n for n in found if not is_free_energy(n)] or found
    for other in found[1:]:
        if not _same(label, store[found[0]], store[other]):
            raise DataError(
                f"{frame.source}: which is the {label}: {' or '.join(found)}? They differ; name one "
                f"(DataKeys({label}=...), on the command line --{label}-key)"
            )
    return found[0] if found else None


def _same(label: str, a: Any, b: Any) -> bool:
    """Tell whether two entries say the same; tensors may have different shapes."""
    try:
        x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    except (TypeError, ValueError):
        return False
    if label in ("stress", "virial") and {x.size, y.size} <= {6, 9}:
        x, y = _nine(x), _nine(y)
    return x.shape == y.shape and bool(np.allclose(x, y, rtol=0.0, atol=SAME_VALUE))


def _nine(value: np.ndarray) -> np.ndarray:
    """Return 3x3 from nine numbers or Voigt xx yy zz yz xz xy."""
    if value.size == 6:
        xx, yy, zz, yz, xz, xy = value.ravel()
        value = np.array([xx, xy, xz, xy, yy, yz, xz, yz, zz])
    return value.reshape(3, 3)


def _check_geometry(frame: Frame) -> None:
    if frame.positions.shape != (len(frame), 3):
        raise DataError(
            f"{frame.source}: positions have shape {list(frame.positions.shape)}, not [{len(frame)}, 3]"
        )
    _check_finite(frame, "position", frame.positions)
    if not np.isfinite(frame.cell).all():
        raise DataError(f"{frame.source}: the cell has entries that are not finite: {frame.cell.tolist()}")
    if frame.pbc.any():
        lengths = np.linalg.norm(frame.cell, axis=1)
        if (lengths[frame.pbc] == 0.0).any():
            raise GeometryError(
                f"{frame.source}: pbc={frame.pbc.tolist()} but cell vectors have lengths {lengths}"
            )
        vectors = frame.cell[frame.pbc] / lengths[frame.pbc, None]
        if np.linalg.svd(vectors, compute_uv=False).min() < 1e-8:
            raise GeometryError(
                f"{frame.source}: the periodic cell vectors are linearly dependent: {frame.cell.tolist()}"
            )


def _check_finite(frame: Frame, what: str, values: np.ndarray) -> None:
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        i = int(bad[0])
        raise DataError(
            f"{frame.source}: {what} of atom {i} is not finite: {values[i].tolist()}"
            + (f" ({len(bad)} such atoms)" if len(bad) > 1 else "")
        )


def _numbers(frame: Frame, name: str, value: Any) -> np.ndarray:
    try:
        if isinstance(value, bool):
            raise TypeError
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{frame.source}: {name}={value!r} is not numeric") from None


def _energy(frame: Frame, name: str) -> float:
    value = _numbers(frame, name, frame.entries[name])
    if value.size != 1:
        raise DataError(f"{frame.source}: {name} has {value.size} numbers, one energy is needed")
    if not np.isfinite(value).all():
        raise DataError(f"{frame.source}: {name} is not finite: {value.item()}")
    return float(value.item())


def _forces(frame: Frame, name: str) -> np.ndarray:
    value = _numbers(frame, name, frame.columns[name])
    if value.shape != (len(frame), 3):
        raise DataError(f"{frame.source}: {name} has shape {list(value.shape)}, not [{len(frame)}, 3]")
    _check_finite(frame, name, value)
    return value


def _tensor(frame: Frame, name: str) -> np.ndarray:
    """Return a symmetric 3x3 tensor from 3x3, nine numbers or Voigt xx yy zz yz xz xy."""
    value = _numbers(frame, name, frame.entries[name])
    if value.size not in (6, 9):
        raise DataError(
            f"{frame.source}: {name} has {value.size} numbers; 3x3 or Voigt xx yy zz yz xz xy is needed"
        )
    tensor = _nine(value)
    if not np.isfinite(tensor).all():
        raise DataError(f"{frame.source}: {name} is not finite: {tensor.tolist()}")
    if np.abs(tensor - tensor.T).max() > STRESS_ASYMMETRY * np.abs(tensor).max() + 1e-6:
        raise DataError(f"{frame.source}: {name} is not symmetric: {tensor.tolist()}")
    return np.asarray(0.5 * (tensor + tensor.T))


def _stress(frame: Frame, names: dict[str, str | None]) -> np.ndarray | None:
    volume = float(abs(np.linalg.det(frame.cell)))
    stress = None if names["stress"] is None else _tensor(frame, names["stress"])
    virial = None if names["virial"] is None else _tensor(frame, names["virial"])
    if volume == 0.0:
        if virial is not None and np.abs(virial).max() > 0.0:
            raise DataError(
                f"{frame.source}: {names['virial']} without a cell: there is no volume to divide by"
            )
        return None
    if virial is None:
        return stress
    from_virial = -virial / volume
    if stress is None:
        return from_virial
    difference = float(np.abs(stress - from_virial).max())
    if difference > SAME_STRESS:
        raise DataError(
            f"{frame.source}: {names['stress']} and −{names['virial']}/V differ by {difference:.3g} eV/Å³; "
            f"leave one out: --virial-key none, or --stress-key none --virial-key {names['virial']} (in "
            "Python DataKeys(stress=..., virial=...))"
        )
    return stress
