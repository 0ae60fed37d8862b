"""What a frame says of the units of its labels (``energy-unit=hartree`` …): converted, or refused.

Names are those of dpdata and their likes: a label or ``length``, ``pos``, ``cell`` with ``unit`` or ``units``
after it, joined by ``-``, ``_`` or nothing, in any case; and ``unit``, ``units`` for all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
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
_PLURALS = {"length": "positions and cell are", "forces": "the forces are"}
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
    factors: dict[str, tuple[float, str]] = {}
    foreign: list[str] = []  # what is said in units that are not ours, of whatever label
    for quantity, text, value, _ in said:
        factor = _factor(frame, quantity, text, value, names) if quantity else 1.0
        if quantity and factor is not None:
            if factors.get(quantity, (factor,))[0] != factor:
                raise DataError(f"{frame.source}: {factors[quantity][1]} and {text}={value} differ")
            factors[quantity] = factor, f"{text}={value}"
            # stress in GPa beside energies in eV is usual
            if quantity != "stress" and factor not in (1.0, len(frame)):
                foreign.append(f"{text}={value}")
    _check_whole(frame, [(text, value) for quantity, text, value, _ in said if not quantity], names, foreign)
    complete = _complete(frame, names, factors, foreign)
    read = {q: factor for q, factor in complete.items() if factor != 1.0 and (q == "length" or names[q])}
    for quantity, factor in read.items():
        text = factors.get(quantity, factors.get("energy", (factor, "")))[1]
        what = _PLURALS.get(quantity, f"the {quantity} is")
        notes.add(f"{text}: {what} converted to {_OURS[quantity]}", frame.source)
    return _converted(frame, names, read, {key for *_, key in said}) if read else frame


def _declarations(frame: Frame, names: Mapping[str, str | None]) -> Iterator[tuple[str, str, Any, str]]:
    """Yield quantity (empty: all), the key to name, the value and the key of every entry about units."""
    own = {_plain(name): label for label, name in names.items() if name}
    quantities = {**_QUANTITIES, **own}
    for key, value in frame.entries.items():
        name = _plain(key)
        if "unit" not in name:
            continue
        if name not in _WHOLE:
            quantity = quantities.get(re.sub(r"^units?_|_?units?$", "", name))
            if quantity is not None:
                yield quantity, key, value, key
        elif isinstance(value, Mapping):
            for part, unit in value.items():
                if _plain(str(part)) in quantities:
                    yield quantities[_plain(str(part))], f"{key}: {part}", unit, key
        elif isinstance(value, str):
            yield "", key, value, key


def _plain(key: str) -> str:
    return re.sub(r"[-.: ]", "_", key.lower())


def _factor(
    frame: Frame, quantity: str, key: str, value: Any, names: Mapping[str, str | None]
) -> float | None:
    """Return the factor to eV and Å; None for an unknown unit of a label that is not read."""
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
    if quantity != "length" and not names[quantity]:
        return None
    raise DataError(
        f"{frame.source}: {key}={value}: not a unit of {quantity} that lmlp knows; its own is "
        f"{_OURS[quantity]}. {_WAY_OUT}"
    )


def _exact(factor: float) -> float:
    """Return 1 for a factor that is 1 but for rounding."""
    return 1.0 if abs(factor - 1.0) < 1e-12 else factor


def _check_whole(
    frame: Frame, said: Sequence[tuple[str, str]], names: Mapping[str, str | None], foreign: Sequence[str]
) -> None:
    """Accept units for everything only where they are lmlp's own, and nothing says otherwise."""
    for key, value in said:
        if foreign:
            raise DataError(f"{frame.source}: {key}={value} and {foreign[0]} differ. {_WAY_OUT}")
        words = [w for w in re.split(r"[,;\s]+", value.strip()) if w] or [value]
        if [w.lower() for w in words] == ["metal"] and not names["stress"]:  # LAMMPS: stress is in bar
            continue
        if not all(_is_ours(word) for word in words):
            raise DataError(
                f"{frame.source}: {key}={value}: not lmlp's units (eV, Å, eV/Å, eV/Å³), and it does not say "
                f"which quantity has which: name them one by one (energy-unit=…, force-unit=…). {_WAY_OUT}"
            )


def _is_ours(word: str) -> bool:
    try:
        factor, powers = parse_unit(word)
    except ValueError:
        return False
    return _exact(factor) == 1.0 and powers in ((1, 0, 0, 0), (1, -1, 0, 0), (1, -3, 0, 0), (0, 1, 0, 0))


def _complete(
    frame: Frame,
    names: Mapping[str, str | None],
    factors: dict[str, tuple[float, str]],
    foreign: Sequence[str],
) -> dict[str, float]:
    """Return a factor for every label; one without a unit is uncertain beside units that are not ours."""
    known = {quantity: factor for quantity, (factor, _) in factors.items()}
    if "virial" not in known and "energy" in known and "atom" not in factors["energy"][1].lower():
        known["virial"] = known["energy"]
    for label in LABELS:
        if names[label] and label not in known and foreign:
            raise DataError(
                f"{frame.source}: {foreign[0]}, but nothing says in which unit the {label} is: add "
                f"{label}-unit=…. {_WAY_OUT}"
            )
    return known


def _converted(
    frame: Frame, names: Mapping[str, str | None], factors: Mapping[str, float], said: set[str]
) -> Frame:
    """Multiply what is read, and what else could be taken for it; drop the entries that named the units."""
    entries = {k: v for k, v in frame.entries.items() if k not in said}
    columns = dict(frame.columns)
    for label in LABELS:
        store = columns if label == "forces" else entries
        chosen = names[label]
        if chosen is not None and label in factors:
            for name in {chosen, *candidates(label, store)}:
                store[name] = _times(store[name], factors[label])
    length = factors.get("length")
    return replace(
        frame,
        entries=entries,
        columns=columns,
        spellings={
            k: v for k, v in frame.spellings.items() if k in entries and entries[k] is frame.entries[k]
        },
        positions=frame.positions if length is None else frame.positions * length,
        cell=frame.cell if length is None else frame.cell * length,
    )


def _times(value: Any, factor: float) -> Any:
    """Multiply numbers; what is none is left to the reader of the label."""
    try:
        array = np.asarray(value, dtype=np.float64) * factor
    except (TypeError, ValueError):
        return value
    return float(array) if array.ndim == 0 else array
