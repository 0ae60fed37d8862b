"""Errors of the ensemble on held-out structures, and how its spread relates to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lmlp.dataset.batches import References
from lmlp.dataset.predict import predictions
from lmlp.dataset.store import Store
from lmlp.model.potential import EnsemblePotential

RAW_FACTOR = 2.0
_BINS = 10


@dataclass(frozen=True)
class HeldOut:
    """Ensemble mean errors and member spreads (std, ddof = 1; None for one member).

    Attributes:
        energy_error: ΔE in eV ``[n]``.
        energy_spread: eV ``[n]``.
        energy_atoms: atoms of each of these structures ``[n]``.
        force_error: eV/Å ``[k, 3]``.
        force_spread: eV/Å ``[k, 3]``.
        force_species: species of each of these atoms ``[k]``.
    """

    energy_error: np.ndarray
    energy_spread: np.ndarray | None
    energy_atoms: np.ndarray
    force_error: np.ndarray
    force_spread: np.ndarray | None
    force_species: np.ndarray


def evaluate_held_out(
    potential: EnsemblePotential, store: Store, references: References, ids: np.ndarray
) -> HeldOut:
    """Let all members predict the same structures."""
    several = potential.n_members > 1
    parts: dict[str, list[np.ndarray]] = {k: [] for k in ("e", "se", "n", "f", "sf", "z")}
    for prediction, batch, labels in predictions(potential, store, references, ids):
        assert prediction.forces is not None
        energies = prediction.energies.double().numpy()
        forces = prediction.forces.detach().double().numpy()
        has_energy = labels.has_energy.numpy() > 0
        rows = labels.has_forces.numpy()[batch.structure.numpy()] > 0
        species = np.repeat(np.arange(len(batch.element_slots) - 1), np.diff(batch.element_slots))
        parts["e"].append((energies.mean(0) - labels.energies.double().numpy())[has_energy])
        parts["n"].append(batch.n_atoms.numpy()[has_energy])
        parts["f"].append((forces.mean(0) - labels.forces.double().numpy())[rows])
        parts["z"].append(species[rows])
        if several:
            parts["se"].append(energies.std(0, ddof=1)[has_energy])
            parts["sf"].append(forces.std(0, ddof=1)[rows])
    e, n, f, z = (np.concatenate(parts[k]) for k in ("e", "n", "f", "z"))
    se, sf = (np.concatenate(parts[k]) if several else None for k in ("se", "sf"))
    return HeldOut(e, se, n, f, sf, z)


def model_errors(held: HeldOut, elements: list[str]) -> dict[str, Any]:
    """Return energy_rmse, force_rmse, the uncertainty factors and the calibration block of a model.

    The factor c of a quantity is RMSE / √mean(std²): c·std then has the size of the errors on the average.
    Both raw (c = 2) and calibrated coverages are given, and reliability curves: root mean square error
    over the spread's deciles.
    """
    result: dict[str, Any] = {
        "energy_rmse": _rms(held.energy_error / held.energy_atoms) if len(held.energy_error) else None,
        "force_rmse": _rms(held.force_error) if len(held.force_error) else None,
    }
    calibration: dict[str, Any] = {}
    if held.energy_spread is not None and len(held.energy_error) >= 2:
        entry = _calibrate(held.energy_error / held.energy_atoms, held.energy_spread / held.energy_atoms)
        calibration["energy"] = {"unit": "eV/atom", **entry}
        result["energy_uncertainty_factor"] = entry["factor"]
    if held.force_spread is not None and len(held.force_error) >= 2:
        entry = _calibrate(held.force_error.ravel(), held.force_spread.ravel())
        entry["element_factors"] = {
            element: _factor(
                held.force_error[held.force_species == e], held.force_spread[held.force_species == e]
            )
            for e, element in enumerate(elements)
            if (held.force_species == e).any()
        }
        calibration["forces"] = {"unit": "eV/Angstrom", **entry}
        result["force_uncertainty_factor"] = entry["factor"]
    if calibration:
        calibration["method"] = (
            "factor = RMSE / root mean square of the members' standard deviation, on held-out data"
        )
    result["calibration"] = calibration
    return result


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _factor(error: np.ndarray, spread: np.ndarray) -> float:
    size = _rms(spread)
    return _rms(error) / size if size > 0 else RAW_FACTOR


def _calibrate(error: np.ndarray, spread: np.ndarray) -> dict[str, Any]:
    factor = _factor(error, spread)
    ranked = np.argsort(spread, kind="stable")
    bins = [b for b in np.array_split(ranked, min(_BINS, len(ranked))) if len(b)]

    def coverage(c: float) -> float:
        return float(np.mean(np.abs(error) <= c * spread))

    return {
        "factor": factor,
        "n": len(error),
        "raw_factor": RAW_FACTOR,
        "raw_coverage": coverage(RAW_FACTOR),
        "coverage_1_sigma": coverage(factor),
        "coverage_2_sigma": coverage(2 * factor),
        "reliability": {
            "spread": [_rms(spread[b]) for b in bins],
            "error": [_rms(error[b]) for b in bins],
        },
    }
