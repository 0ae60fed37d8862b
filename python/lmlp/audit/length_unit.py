"""Distances that suit no bond in Å, but would in another unit of length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lmlp.audit.finding import Finding, sources
from lmlp.structure import Structure
from lmlp.structure.geometry import Geometry
from lmlp.units import BOHR

_NOBLE = (2, 10, 18, 36, 54, 86)  # they do not bond, and stand in for anything in toys
_SHORT = 0.66  # of the sum of covalent radii: metals at 1000 GPa have 0.7
_LONG = 1.35
_BOND = (0.8, 1.25)  # shortest distance of a structure in the same unit, where atoms are bonded
_BOND_OF_LONG = (0.8, 1.1)
_FEWEST_LONG = 8


def check_length_unit(structures: Sequence[Structure], geometries: Sequence[Geometry]) -> list[Finding]:
    """Positions in Bohr or nm, and positions in Å that were read as Bohr."""
    usable = [
        (s, g.relative)
        for s, g in zip(structures, geometries, strict=True)
        if g.relative is not None and not np.isin(s.numbers, _NOBLE).all()
    ]
    if not usable:
        return []
    relative = np.array([r for _, r in usable])
    middle = float(np.median(relative))
    why = ""
    unbonded = len(usable) >= _FEWEST_LONG and relative.min() > _LONG
    if middle < _SHORT and float(np.quantile(relative, 0.9)) < _SHORT + 0.1:
        if _BOND[0] < middle / BOHR < _BOND[1]:
            why = (
                "positions in Å that were converted from Bohr once more? An input.data in Å and eV is read "
                "with --runner-units angstrom-ev"
            )
        elif _BOND[0] < 10.0 * middle < _BOND[1]:
            why = "positions in nm?"
    elif unbonded and _BOND_OF_LONG[0] < middle * BOHR < _BOND_OF_LONG[1]:
        why = "positions in Bohr?"
    if not why:
        return []
    message = f"shortest distances are {middle:.2f} of the sum of covalent radii in most structures: {why}"
    return [Finding("warning", "length-unit", message, sources([s for s, _ in usable]))]
