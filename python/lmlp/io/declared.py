"""What a frame says of the units of its labels (``energy-unit=hartree`` …): converted, or refused.

Names are those of dpdata and their likes: a label or ``length``, ``pos``, ``cell`` with ``unit`` or ``units``
after it, joined by ``-``, ``_`` or nothing, in any case; and ``unit``, ``units`` for all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from lmlp.errors import DataError
from lmlp.io.frame import Frame
from lmlp.io.keys import LABELS, NONE, DataKeys, candidates
from lmlp.io.notes import Notes
from lmlp.io.unit_text import parse_unit
from lmlp.units import BOHR, HARTREE

_STEMS = {
    "energy": "energy energies total_energy potential_energy e",
    "forces": "force forces f",
    "stress": "stress stresses pressure",
    "virial": "virial virials",
    "length": "length lengths distance distances pos position positions coord coords coordinate coordinates "
    "cell lattice",
}
_QUANTITIES = {stem: quantity for quantity, stems in _STEMS.items() for stem in stems.split()}
_OURS = {"energy": "eV", "forces": "eV/Å", "stress": "eV/Å³", "virial": "eV", "length": "Å"}
_ATOMIC = {
    "energy": HARTREE,
    "forces": HARTREE / BOHR,
    "stress": HARTREE / BOHR**3,
    "virial": HARTREE,
    "length": BOHR,
}
_ATOMIC_NAMES = ("au", "a.u.", "a.u", "atomic", "atomic units", "atomic_units", "atomic-units")
_WHOLE = ("unit", "units", "unit_system", "units_system", "unit_style", "units_style")
_WAY_OUT = (
    '--units-key none (keys.units: none, in Python DataKeys(units="none")) takes the numbers as they are'
)


def convert_units(frame: Frame, names: dict[str, str | None], keys: DataKeys, notes: Notes) -> Frame:
    """Return the frame in eV and Å, without the entries that named other units.

    Args:
        frame: as the file has it.
        names: label -> name in the file, None for a label that is not read.
        keys: with ``keys.units`` none nothing is done.
        notes: hear what is converted.

    Raises:
        DataError: a unit that is not known or not certain; key and value are named.
    """
    if keys.units == NONE:
        return frame
    said = list(_declarations(frame, names))
    if not said:
        return frame
    factors: dict[str, tuple[float, str]] = {}
    for quantity, key, value in said:
        if quantity == "all":
            _check_whole(frame, key, value, names)
        elif quantity == "length" or names[quantity]:
            factor = _factor(frame, quantity, key, value)
            if quantity in factors and factors[quantity][0] != factor:
                raise DataError(f"{frame.source}: {factors[quantity][1]} and {key}={value} differ")
            factors[quantity] = factor, f"{key}={value}"
    if all(factor == 1.0 for factor, _ in factors.values()):
        return frame
    for quantity, (factor, text) in factors.items():
        if factor != 1.0:
            what = {"length": "positions and cell", "forces": "the forces"}.get(quantity, f"the {quantity}")
            notes.add(f"{text}: {what} converted to {_OURS[quantity]}", frame.source)
    return _converted(frame, names, _complete(frame, names, factors), {key for _, key, _ in said})


def _declarations(frame: Frame, names: Mapping[str, str | None]) -> Iterator[tuple[str, str, Any]]:
    """Yield quantity (or ``all``), key and value of every entry about units."""
    own = {name.lower().replace("-", "_"): label for label, name in names.items() if name}
    for key, value in frame.entries.items():
        plain = key.lower().replace("-", "_")
        if "unit" not in plain:
            continue
        if plain in _WHOLE:
            if isinstance(value, Mapping):
                for name, unit in value.items():
                    quantity = {**_QUANTITIES, **own}.get(str(name).lower())
                    if quantity is not None:
                        yield quantity, f"{key}.{name}", unit
            elif isinstance(value, str):
                yield "all", key, value
            continue
        stem = re.sub(r"^units?_|_?units?$", "", plain)
        quantity = {**_QUANTITIES, **own}.get(stem)
        if quantity is not None:
            yield quantity, key, value


def _factor(frame: Frame, quantity: str, key: str, value: Any) -> float:
    """Return the factor to eV and Å."""
    if isinstance(value, str):
        if value.strip().lower() in _ATOMIC_NAMES:
            return _ATOMIC[quantity]
        try:
            factor, (energy, length, mol, atoms) = parse_unit(value)
        except ValueError:
            factor, (energy, length, mol, atoms) = 0.0, (0, 0, 0, 0)
        wanted = {"forces": (1, -1), "stress": (1, -3), "length": (0, 1)}.get(quantity, (1, 0))
        per_atom = atoms == -1 and quantity in ("energy", "virial")
        if (energy, length) == wanted and mol == 0 and (atoms == 0 or per_atom):
            return _exact(factor) * (len(frame) if per_atom else 1)
    raise DataError(
        f"{frame.source}: {key}={value}: not a unit of {quantity} that lmlp knows; its own is "
        f"{_OURS[quantity]}. {_WAY_OUT}"
    )


def _exact(factor: float) -> float:
    """Return 1 for a factor that is 1 but for rounding."""
    return 1.0 if abs(factor - 1.0) < 1e-12 else factor


def _check_whole(frame: Frame, key: str, value: str, names: Mapping[str, str | None]) -> None:
    """Accept units for everything only where they are lmlp's own."""
    words = [w for w in re.split(r"[,;\s]+", value.strip()) if w]
    if [w.lower() for w in words] == ["metal"] and not names["stress"]:  # LAMMPS: stress is in bar
        return
    for word in words or [value]:
        try:
            factor, powers = parse_unit(word)
        except ValueError:
            factor, powers = 0.0, (0, 0, 0, 0)
        if _exact(factor) != 1.0 or powers not in (
            (1, 0, 0, 0),
            (1, -1, 0, 0),
            (1, -3, 0, 0),
            (0, 1, 0, 0),
        ):
            raise DataError(
                f"{frame.source}: {key}={value}: not lmlp's units (eV, Å, eV/Å, eV/Å³), and it does not say "
                f"which quantity has which: name them one by one (energy-unit=…, force-unit=…). {_WAY_OUT}"
            )


def _complete(
    frame: Frame, names: Mapping[str, str | None], factors: dict[str, tuple[float, str]]
) -> dict[str, float]:
    """Return a factor for every label; one without a unit is uncertain beside units that are not ours."""
    known = {quantity: factor for quantity, (factor, _) in factors.items()}
    # stress in GPa beside energies in eV is usual
    foreign = [t for q, (f, t) in factors.items() if q != "stress" and f not in (1.0, len(frame))]
    if "virial" not in known and "energy" in known and "atom" not in factors["energy"][1].lower():
        known["virial"] = known["energy"]
    for label in LABELS:
        if names[label] and label not in known and foreign:
            raise DataError(
                f"{frame.source}: {foreign[0]}, but nothing says in which unit the {label} is: add "
                f"{label}-unit=…. {_WAY_OUT}"
            )
    return {"length": 1.0, **known}


def _converted(
    frame: Frame, names: Mapping[str, str | None], factors: Mapping[str, float], said: set[str]
) -> Frame:
    entries = {k: v for k, v in frame.entries.items() if k not in said and k not in _nested(said)}
    columns = dict(frame.columns)
    for label in LABELS:
        store = columns if label == "forces" else entries
        factor = factors.get(label, 1.0)
        chosen = names[label]
        if chosen is not None and factor != 1.0:
            for name in {chosen, *candidates(label, store)}:
                store[name] = _times(store[name], factor)
    length = factors["length"]
    return replace(
        frame,
        entries=entries,
        columns=columns,
        spellings={
            k: v for k, v in frame.spellings.items() if k in entries and entries[k] is frame.entries[k]
        },
        positions=frame.positions if length == 1.0 else frame.positions * length,
        cell=frame.cell if length == 1.0 else frame.cell * length,
    )


def _nested(said: set[str]) -> set[str]:
    return {key.partition(".")[0] for key in said}


def _times(value: Any, factor: float) -> Any:
    """Multiply numbers; what is none is left to the reader of the label."""
    try:
        array = np.asarray(value, dtype=np.float64) * factor
    except (TypeError, ValueError):
        return value
    return float(array) if array.ndim == 0 else array
