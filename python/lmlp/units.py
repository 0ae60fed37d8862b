"""Physical constants (CODATA 2018) and conversions into lmlp's units: Å, eV, eV/Å, eV/Å³."""

from __future__ import annotations

ELEMENTARY_CHARGE = 1.602176634e-19  # C, exact
AVOGADRO = 6.02214076e23  # 1/mol, exact
ATOMIC_MASS_SI = 1.66053906660e-27  # kg

BOHR = 0.529177210903
"""Å per Bohr."""

HARTREE = 27.211386245988
"""eV per Hartree."""

HARTREE_PER_BOHR = HARTREE / BOHR
"""eV/Å per Hartree/Bohr."""

KCAL_PER_MOL = 4184.0 / AVOGADRO / ELEMENTARY_CHARGE
"""eV per kcal/mol (thermochemical calorie)."""

KJ_PER_MOL = 1000.0 / AVOGADRO / ELEMENTARY_CHARGE
"""eV per kJ/mol."""

GPA = 1e9 * 1e-30 / ELEMENTARY_CHARGE
"""eV/Å³ per GPa."""

BAR = 1e-4 * GPA
"""eV/Å³ per bar."""
