"""Which mix of units explains a factor between two labels."""

from __future__ import annotations

import numpy as np

from lmlp.units import BOHR, GPA, HARTREE, HARTREE_PER_BOHR, KCAL_PER_MOL, KJ_PER_MOL

# energies in eV by unit of energy, and forces in eV/Å by unit of force
_ENERGY = {"eV": 1.0, "kcal/mol": KCAL_PER_MOL, "kJ/mol": KJ_PER_MOL, "Hartree": HARTREE, "meV": 1e-3}
_ENERGY["Rydberg"] = 0.5 * HARTREE
_FORCE = {
    "eV/Å": 1.0,
    "kcal/mol/Å": KCAL_PER_MOL,
    "kJ/mol/Å": KJ_PER_MOL,
    "kJ/mol/nm": 0.1 * KJ_PER_MOL,
    "Hartree/Bohr": HARTREE_PER_BOHR,
    "Hartree/Å": HARTREE,
    "Rydberg/Bohr": 0.5 * HARTREE_PER_BOHR,
    "meV/Å": 1e-3,
    "eV/Bohr": 1.0 / BOHR,
}
_STRESS = {
    "GPa": GPA,
    "kbar": 0.1 * GPA,
    "MPa": 1e-3 * GPA,
    "bar": 1e-4 * GPA,
    "Pa": 1e-9 * GPA,
    "Hartree/Bohr³": HARTREE / BOHR**3,
    "Rydberg/Bohr³": 0.5 * HARTREE / BOHR**3,
}


def _close(factor: float, expected: float, tolerance: float) -> bool:
    return bool(abs(np.log(factor / expected)) < tolerance)


def name_force_units(factor: float, n_atoms: float, tolerance: float = 0.25) -> list[str]:
    """Say which units give energies that rise ``factor`` times as much as the forces demand.

    Args:
        factor: positive.
        n_atoms: atoms per structure; energies per atom rise 1/n_atoms as much.
        tolerance: of the factor's logarithm.
    """
    energies = [
        f"energies in {e}" for e, x in _ENERGY.items() if e != "eV" and _close(factor, 1 / x, tolerance)
    ]
    forces = [f"forces in {f}" for f, y in _FORCE.items() if f != "eV/Å" and _close(factor, y, tolerance)]
    names = energies + forces
    if _close(factor, HARTREE_PER_BOHR / HARTREE, tolerance):
        names.append("energies in Hartree and forces in Hartree/Bohr")
    if n_atoms > 1 and _close(factor, 1 / n_atoms, 0.15):
        names.append("energies per atom")
    if not names:
        names = [
            f"energies in {e} and forces in {f}"
            for e, x in _ENERGY.items()
            for f, y in _FORCE.items()
            if e != "eV" and f != "eV/Å" and _close(factor, y / x, tolerance)
        ][:2]
    return names


def name_stress_units(factor: float, volume: float, tolerance: float = 0.25) -> list[str]:
    """Say in which unit a stress is given whose value in eV/Å³ is ``factor`` times the one given.

    Args:
        factor: positive.
        volume: of the cell in Å³: a virial in eV is that many times the stress.
        tolerance: of the factor's logarithm.
    """
    names = [unit for unit, value in _STRESS.items() if _close(factor, value, tolerance)]
    if _close(factor, 1.0 / volume, tolerance):
        names.append("eV (a virial)")
    return names


def plausible_stress_units(largest: float, bearable: float) -> list[str]:
    """Return the units in which a stress of ``largest`` would be at most ``bearable`` eV/Å³ and not tiny."""
    return [
        u for u in ("GPa", "kbar", "MPa", "bar", "Pa") if 1e-4 * bearable < largest * _STRESS[u] < bearable
    ]


def name_energy_units(ratio: float) -> list[str]:
    """Say which unit or conversion makes energies ``ratio`` times as large as they can be in eV."""
    known = {
        "kcal/mol": 1.0 / KCAL_PER_MOL,
        "kJ/mol": 1.0 / KJ_PER_MOL,
        "meV": 1000.0,
        "eV, converted once more from Hartree": HARTREE,
        "eV, converted once more from Rydberg": 0.5 * HARTREE,
        "Rydberg, converted as if they were Hartree": 2.0,
        "cm⁻¹": 8065.54,
    }
    return [name for name, factor in known.items() if _close(ratio, factor, 0.1)]
