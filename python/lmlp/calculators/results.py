"""Results of a prediction under the names that ASE and its users know."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase.cell import Cell

from lmlp.calculators.prediction import Prediction
from lmlp.calculators.uncertainty import EnergyUncertainty, Uncertainty

OF_ENSEMBLE = (
    "energy_uncertainty",
    "forces_uncertainty",
    "sigma_forces",
    "grade",
    "grades",
    "energy_std",
    "forces_std",
    "member_energies",
)
"""Results that need several members."""

OF_MEMBER_ENERGIES = ("energy_uncertainty", "energy_std", "member_energies")
"""Those of them that need no forces of the members."""

OF_ENSEMBLE_IN_CELL = ("stress_uncertainty", "pressure_uncertainty", "stress_std", "pressure_std")
"""Results that need several members and three cell vectors."""

OF_DISTANCES = ("distance", "distances")
"""Results that need a model that knows how far atoms are from its training data."""

# xx yy zz yz xz xy
_ROWS, _COLUMNS = [0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]


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
    volume = float(cell.volume) if cell.rank == 3 else None
    if prediction.uncertainty is not None:
        results |= _of_energies(prediction.uncertainty) | _of_ensemble(prediction.uncertainty, volume)
    if prediction.of_energy is not None:
        results |= _of_energies(prediction.of_energy)
    if prediction.distances is not None:
        results["distances"] = prediction.distances
        results["distance"] = float(prediction.distances.max(initial=0.0))
    if volume is not None:
        stress: np.ndarray = prediction.virial / volume
        stress = 0.5 * (stress + stress.T)
        results["stress"] = stress[_ROWS, _COLUMNS]
    return results


def _of_energies(uncertainty: EnergyUncertainty | Uncertainty) -> dict[str, Any]:
    return {
        "energy_uncertainty": uncertainty.energy,
        "energy_std": uncertainty.energy_std,
        "member_energies": uncertainty.member_energies,
    }


def _of_ensemble(uncertainty: Uncertainty, volume: float | None) -> dict[str, Any]:
    """Return what the model has of the rest, with a volume also of ``OF_ENSEMBLE_IN_CELL``."""
    results: dict[str, Any] = {
        "forces_uncertainty": uncertainty.forces,
        "sigma_forces": uncertainty.sigma_forces,
        "forces_std": uncertainty.forces_std,
    }
    if uncertainty.grade is not None:
        results |= {"grade": uncertainty.grade, "grades": uncertainty.grades}
    if volume is not None:
        results["stress_std"] = uncertainty.virial_std[_ROWS, _COLUMNS] / volume
        results["pressure_std"] = uncertainty.pressure_volume_std / volume
        if uncertainty.virial is not None and uncertainty.pressure_volume is not None:
            results["stress_uncertainty"] = np.full(6, uncertainty.virial / volume)
            results["pressure_uncertainty"] = uncertainty.pressure_volume / volume
    return results
