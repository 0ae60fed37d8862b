"""What a model says of a structure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase.cell import Cell

from lmlp.calculators.prediction import Prediction
from lmlp.calculators.results import results_of


@dataclass(frozen=True)
class PredictedProperties:
    """What a model says of a structure of n atoms, under the names of ``LMLPCalculator``.

    Attributes:
        energy: total energy in eV.
        energies: of each atom in eV ``[n]``.
        forces: eV/Å ``[n, 3]``.
        stress: eV/Å³, tension positive, Voigt xx yy zz yz xz xy ``[6]``; None without three cell vectors.
        energy_uncertainty: ΔE in eV (docs/uncertainty.md); this and what follows is None where no
            uncertainty was asked for.
        forces_uncertainty: ΔF in eV/Å ``[n, 3]``.
        energy_std: standard deviation of the members in eV, not calibrated.
        forces_std: likewise, eV/Å ``[n, 3]``.
        grade: ΔE and ΔF over the test errors, the largest, at least 1; None where the model stores no test
            errors.
    """

    energy: float
    energies: np.ndarray
    forces: np.ndarray
    stress: np.ndarray | None = None
    energy_uncertainty: float | None = None
    forces_uncertainty: np.ndarray | None = None
    energy_std: float | None = None
    forces_std: np.ndarray | None = None
    grade: float | None = None


def predicted(prediction: Prediction, cell: np.ndarray | Cell) -> PredictedProperties:
    """Return a prediction for a structure with a cell (Å)."""
    results = results_of(prediction, Cell(np.asarray(cell, dtype=np.float64)))
    del results["free_energy"]
    return PredictedProperties(**results)
