"""Dump and data files of LAMMPS: what they do not say is not made up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from lmlp.errors import DataError
from lmlp.io.notes import warn

KINDS = ("lammps-dump-text", "lammps-dump-binary")
_STYLES = ("metal", "real", "si", "cgs", "electron", "micro", "nano")
_MASS_TOLERANCE = 0.1  # u; masses in input files are rounded


def check_dump(path: str, text: str) -> tuple[str, dict[str, Any]]:
    """Refuse a text dump without elements; return its complete frames and options for the reader of ASE.

    ASE takes types for atomic numbers where there is neither ``element`` nor ``mass``, and units metal; a
    frame that is cut it reads with fewer atoms.

    Raises:
        DataError: what to add is named; a frame that is not whole.
    """
    text = _whole_frames(path, text)
    lines = text.splitlines()
    units = {lines[n + 1].strip() for n, line in enumerate(lines[:-1]) if line.startswith("ITEM: UNITS")}
    for header in {line for line in lines if line.startswith("ITEM: ATOMS")}:
        columns = header.split()[2:]
        if "element" not in columns and not ("mass" in columns and _masses_fit(lines, columns)):
            raise DataError(
                f"{path}: says types but no elements (columns {' '.join(columns)}). Write the dump with the "
                "column `element` and `dump_modify ID element H O …`; `rerun` writes an old one anew"
            )
        if {"element", "type"} <= set(columns) and _default_elements(lines, columns):
            warn(f"{path}: all atoms are C, as LAMMPS writes without dump_modify element; their types differ")
        if "fx" in columns and not units:
            warn(f"{path}: no units in the dump: forces are taken in eV/Å, lengths in Å (units metal)")
    if len(units) > 1 or not units <= set(_STYLES):
        raise DataError(
            f"{path}: units {', '.join(sorted(units))}; of LAMMPS's styles lmlp reads {', '.join(_STYLES)}"
        )
    return text, {"units": units.pop()} if units else {}


def _whole_frames(path: str, text: str) -> str:
    """Leave out a last frame that is cut, and say so."""
    head, *frames = re.split(r"^(?=ITEM: TIMESTEP)", text, flags=re.MULTILINE)
    broken = [n for n, frame in enumerate(frames) if not _is_whole(frame)]
    if not broken:
        return text
    if broken[0] < len(frames) - 1 or len(frames) == 1:
        raise DataError(f"{path}: frame {broken[0]} has not as many lines and columns as it says")
    warn(f"{path}: the file is cut: {len(frames) - 1} complete frames are read")
    return head + "".join(frames[:-1])


def _is_whole(frame: str) -> bool:
    """Tell whether a frame has the atoms and columns that its headers say."""
    lines = frame.splitlines()
    count = next(
        (lines[n + 1] for n, s in enumerate(lines[:-1]) if s.startswith("ITEM: NUMBER OF ATOMS")), ""
    )
    start = next((n for n, line in enumerate(lines) if line.startswith("ITEM: ATOMS")), None)
    if start is None or not count.strip().isdigit():
        return False
    end = start + 1 + int(count)
    rows, rest = lines[start + 1 : end], lines[end:]
    ended = "ITEM:".startswith(rest[0][:5]) if rest else frame.endswith("\n")
    width = len(lines[start].split()) - 2
    return ended and len(rows) == int(count) and all(len(row.split()) == width for row in rows)


def _masses_fit(lines: Sequence[str], columns: Sequence[str]) -> bool:
    """Tell whether every mass is that of an element; isotopes and coarse grains are not."""
    from ase.data import atomic_masses

    masses = [float(mass) for mass in _column(lines, columns, "mass")]
    return all(abs(atomic_masses[1:] - mass).min() <= _MASS_TOLERANCE for mass in masses)


def _default_elements(lines: Sequence[str], columns: Sequence[str]) -> bool:
    """Tell whether all types are carbon, which is what LAMMPS writes if it is told nothing."""
    return _column(lines, columns, "element") == {"C"} and len(_column(lines, columns, "type")) > 1


def _column(lines: Sequence[str], columns: Sequence[str], name: str) -> set[str]:
    """Return the different words of a column in all frames."""
    place, inside = columns.index(name), False
    found: set[str] = set()
    for line in lines:
        if line.startswith("ITEM:"):
            inside = line.startswith("ITEM: ATOMS")
        elif inside and len(words := line.split()) > place:
            found.add(words[place])
    return found


def check_data_file(path: str, text: str) -> None:
    """Refuse a LAMMPS data file without masses: ASE takes its types for atomic numbers.

    Raises:
        DataError: what to add is named.
    """
    sections = {line.partition("#")[0].strip() for line in text.splitlines()}
    if not sections & {"Masses", "Atom Type Labels"}:
        raise DataError(f"{path}: says types but no elements: the section Masses is missing")
