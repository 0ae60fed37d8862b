"""Dump and data files of LAMMPS: what they do not say is not made up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lmlp.errors import DataError
from lmlp.io.notes import warn

KINDS = ("lammps-dump-text", "lammps-dump-binary")
_STYLES = ("metal", "real", "si", "cgs", "electron", "micro", "nano")
_MASS_TOLERANCE = 0.1  # u; masses in input files are rounded


def check_dump(path: str, text: str) -> dict[str, Any]:
    """Refuse a text dump without elements; return options for the reader of ASE.

    ASE takes types for atomic numbers where there is neither ``element`` nor ``mass``, and units metal.

    Raises:
        DataError: what to add is named.
    """
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
    return {"units": units.pop()} if units else {}


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
