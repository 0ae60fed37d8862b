"""Energies that are impossible in eV: lower than all electrons of the atoms together can be bound."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lmlp.audit.finding import Finding, sources
from lmlp.audit.unit_names import name_energy_units
from lmlp.structure import Structure
from lmlp.units import HARTREE

_MARGIN = 1.3  # the formula is good to 10 %
_BINDING = 10.0  # eV/atom; the strongest bonds give 8
_FINE_STRUCTURE = 1.0 / 137.036


def all_electron_energy(numbers: np.ndarray) -> np.ndarray:
    """Return about the energy of atoms with all their electrons in eV, by atomic number ``[n]``.

    The statistical atom with its two corrections (−0.7687 Z^(7/3) + Z²/2 − 0.2699 Z^(5/3) Hartree) and an
    estimate of the relativistic gain, together within 10 % of tabulated energies from H to Og.
    """
    z = np.asarray(numbers, dtype=np.float64)
    hartree = -0.768745 * z ** (7 / 3) + 0.5 * z**2 - 0.2699 * z ** (5 / 3)
    return np.asarray(HARTREE * hartree * (1.0 + 0.25 * (_FINE_STRUCTURE * z) ** 2))


def check_energy_range(structures: Sequence[Structure]) -> list[Finding]:
    """Energies below those of all electrons: another unit, or a conversion too many."""
    known = [
        (s, s.energy, float(all_electron_energy(s.numbers).sum())) for s in structures if s.energy is not None
    ]
    low = [(s, e, bound) for s, e, bound in known if e < _MARGIN * bound - _BINDING * len(s)]
    if not low:
        return []
    worst, energy, bound = min(low, key=lambda entry: entry[1] / entry[2] * -1.0)
    n = len(worst)
    message = (
        f"impossible energies in {len(low)} structures, down to {energy / n:.6g} eV/atom in {worst.source}: "
        f"all electrons together are bound by about {bound / n:.4g} eV/atom. The unit is not eV"
    )
    likely = name_energy_units(float(np.median([e / b for _, e, b in low])))
    message += f": {' or '.join(likely)}?" if likely else ": kcal/mol, kJ/mol or meV?"
    if any("Hartree" in name for name in likely) or not likely:
        message += " An input.data in Å and eV is read with --runner-units angstrom-ev"
    return [Finding("warning", "impossible-energies", message, sources([s for s, _, _ in low]))]
