"""Results of a prediction under the names that ASE and its users know."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase.cell import Cell

from lmlp.calculators.prediction import Prediction


def results_of(prediction: Prediction, cell: Cell) -> dict[str, Any]:
    """Return energies in eV, forces in eV/Å, and stress in eV/Å³ where there are three cell vectors.

    Args:
        prediction: of the model.
        cell: of the structure.
    """
    results: dict[str, Any] = {
        "energy": prediction.energy,
        "free_energy": prediction.energy,
        "energies": prediction.energies,
        "forces": prediction.forces,
    }
    uncertainty = prediction.uncertainty
    if uncertainty is not None:
        results["energy_uncertainty"] = uncertainty.energy
        results["forces_uncertainty"] = uncertainty.forces
        results["energy_std"] = uncertainty.energy_std
        results["forces_std"] = uncertainty.forces_std
        if uncertainty.grade is not None:
            results["grade"] = uncertainty.grade
    if cell.rank == 3:
        stress: np.ndarray = prediction.virial / cell.volume
        stress = 0.5 * (stress + stress.T)
        results["stress"] = stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    return results
