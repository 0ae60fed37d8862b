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
        energy_uncertainty: σ of the energy in eV (docs/uncertainty.md); this and what follows is None where
            no uncertainty was asked for, but for the distances.
        forces_uncertainty: σ of the components of the forces in eV/Å ``[n, 3]``.
        sigma_forces: \\|σ_F\\| of each atom in eV/Å ``[n]``, the root mean square length of the error of its
            force.
        stress_uncertainty: σ of the stress in eV/Å³ ``[6]``; None without three cell vectors, and for models
            of format versions 1 to 3.
        pressure_uncertainty: of the pressure, likewise.
        energy_std: standard deviation of the members in eV, not calibrated.
        forces_std: likewise, eV/Å ``[n, 3]``.
        stress_std: likewise, eV/Å³ ``[6]``; None without three cell vectors.
        pressure_std: likewise, eV/Å³.
        member_energies: total energies of the members in eV ``[n_members]``.
        grade: σ over the test errors, of energy and forces the larger; None where the model stores no test
            errors.
        grades: of the forces of each atom ``[n]``, likewise.
        distances: of each atom from the training data ``[n]``, 1: as far as the most unusual thousandth of
            the training atoms; None where the model does not know, or where they were not asked for.
        distance: the largest of them.
    """

    energy: float
    energies: np.ndarray
    forces: np.ndarray
    stress: np.ndarray | None = None
    energy_uncertainty: float | None = None
    forces_uncertainty: np.ndarray | None = None
    sigma_forces: np.ndarray | None = None
    stress_uncertainty: np.ndarray | None = None
    pressure_uncertainty: float | None = None
    energy_std: float | None = None
    forces_std: np.ndarray | None = None
    stress_std: np.ndarray | None = None
    pressure_std: float | None = None
    member_energies: np.ndarray | None = None
    grade: float | None = None
    grades: np.ndarray | None = None
    distances: np.ndarray | None = None
    distance: float | None = None


def predicted(prediction: Prediction, cell: np.ndarray | Cell) -> PredictedProperties:
    """Return a prediction for a structure with a cell (Å)."""
    results = results_of(prediction, Cell(np.asarray(cell, dtype=np.float64)))
    del results["free_energy"]
    return PredictedProperties(**results)
