"""Energies against composition: atomic energies that fit best, and what they leave over per atom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from lmlp.structure import Structure


def formula(structure: Structure) -> str:
    """Return the chemical formula in Hill's order, e.g. ``C10H13NO2``."""
    from ase.data import chemical_symbols

    counts = Counter(chemical_symbols[z] for z in structure.numbers)
    first = [s for s in ("C", "H") if s in counts] if "C" in counts else []
    order = first + sorted(s for s in counts if s not in first)
    return "".join(s + (str(counts[s]) if counts[s] > 1 else "") for s in order)


def composition_matrix(structures: Sequence[Structure]) -> tuple[list[int], np.ndarray]:
    """Return the atomic numbers that occur, and their counts ``[n_structures, n_elements]``."""
    elements = sorted({int(z) for s in structures for z in s.numbers})
    counts = np.array([[np.count_nonzero(s.numbers == z) for z in elements] for s in structures], dtype=float)
    return elements, counts.reshape(len(structures), len(elements))


def robust_atomic_energies(counts: np.ndarray, energies: np.ndarray, n_rounds: int = 30) -> np.ndarray:
    """Fit energies per element (eV) to total energies with the smallest sum of absolute deviations per atom.

    Absolute deviations, by reweighted least squares, let the majority decide: a minority from another level
    of theory stands out instead of bending the fit. Rank-deficient compositions get the smallest solution.

    Args:
        counts: atoms per element, ``[n_structures, n_elements]``.
        energies: total energies in eV, ``[n_structures]``.
    """
    sizes = counts.sum(axis=1)
    fractions, per_atom = counts / sizes[:, None], energies / sizes
    center = float(np.median(per_atom))
    weights = np.ones(len(sizes))
    solution = np.zeros(counts.shape[1])
    for _ in range(n_rounds):
        root = np.sqrt(weights)
        solution = np.linalg.lstsq(fractions * root[:, None], (per_atom - center) * root, rcond=1e-10)[0]
        deviation = np.abs(per_atom - center - fractions @ solution)
        weights = 1.0 / np.maximum(deviation, 1e-4)
    return np.asarray(solution + center)


def residuals(counts: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """Return total energies less the fitted atomic energies, in eV per atom ``[n_structures]``."""
    return np.asarray((energies - counts @ robust_atomic_energies(counts, energies)) / counts.sum(axis=1))


def spread(values: np.ndarray) -> float:
    """Return a standard deviation that outliers do not move: 1.4826 times the median absolute deviation."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))
