"""Errors of the ensemble on held-out structures, and how its spread relates to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np

from lmlp.dataset.batches import Labels, References
from lmlp.dataset.predict import predictions
from lmlp.dataset.store import Store
from lmlp.metrics import calibrate
from lmlp.model.potential import Batch, BatchPrediction, EnsemblePotential, predicted_stress
from lmlp.model.spread import RAW_FACTOR, SpreadMap, SpreadMaps
from lmlp.model.spread_fit import SpreadErrors, fit_spread_map, fit_spread_maps

_ROWS, _COLUMNS = np.triu_indices(3)  # the components of a stress that are independent


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
        virial_error: of the virial per atom, i.e. stress · volume per atom, in eV/atom ``[m, 3, 3]``.
        virial_spread: likewise.
        force_structures: which structure each atom of the forces belongs to ``[k]``, None where not known.
    """

    energy_error: np.ndarray
    energy_spread: np.ndarray | None
    energy_atoms: np.ndarray
    force_error: np.ndarray
    force_spread: np.ndarray | None
    force_species: np.ndarray
    virial_error: np.ndarray
    virial_spread: np.ndarray | None
    force_structures: np.ndarray | None = None


def evaluate_held_out(
    potential: EnsemblePotential, store: Store, references: References, ids: np.ndarray
) -> HeldOut:
    """Let all members predict the same structures."""
    several = potential.n_members > 1
    parts: dict[str, list[np.ndarray]] = {k: [] for k in ("e", "se", "n", "f", "sf", "z", "of")}
    n_before = 0
    parts |= {"v": [np.zeros((0, 3, 3))], "sv": [np.zeros((0, 3, 3))]}
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
        parts["of"].append(n_before + batch.structure.numpy()[rows])
        n_before += len(batch.n_atoms)
        if several:
            parts["se"].append(energies.std(0, ddof=1)[has_energy])
            parts["sf"].append(forces.std(0, ddof=1)[rows])
        if several and labels.stress is not None:
            error, spread = _virials(prediction, batch, labels)
            parts["v"].append(error)
            parts["sv"].append(spread)
    e, n, f, z, v, of = (np.concatenate(parts[k]) for k in ("e", "n", "f", "z", "v", "of"))
    se, sf, sv = (np.concatenate(parts[k]) if several else None for k in ("se", "sf", "sv"))
    return HeldOut(e, se, n, f, sf, z, v, sv, of)


def _virials(prediction: BatchPrediction, batch: Batch, labels: Labels) -> tuple[np.ndarray, np.ndarray]:
    """Return errors and spreads of the virials per atom of the structures with a stress ``[m, 3, 3]``."""
    assert labels.stress is not None
    has = labels.has_stress.numpy() > 0
    found = predicted_stress(prediction, batch, labels.volumes)
    assert found is not None
    per_atom = (labels.volumes / batch.n_atoms)[has, None, None].double().numpy()
    stress = found.detach().double().numpy()[:, has] * per_atom
    reference = labels.stress.double().numpy()[has] * per_atom
    return stress.mean(0) - reference, stress.std(0, ddof=1)


def model_errors(held: HeldOut, elements: Sequence[str], before: SpreadMaps | None = None) -> dict[str, Any]:
    """Return test errors, uncertainty factors, spread maps and calibration of a model, as its fields.

    The factor c of a quantity is RMSE / √mean(std²): c·std then has the size of the errors on the average.
    Programs that do not know spread maps go by it. A single member has neither.

    Args:
        held: errors and spreads of held-out structures.
        elements: in species order.
        before: maps of quantities without held-out labels; default is floor 0, factor 2.
    """
    result: dict[str, Any] = {
        "energy_rmse": _rms(held.energy_error / held.energy_atoms) if len(held.energy_error) else None,
        "force_rmse": _rms(held.force_error) if len(held.force_error) else None,
        "calibration": {},
    }
    if held.energy_spread is None or held.force_spread is None:
        return result
    maps = before or SpreadMaps.raw(len(elements))
    calibration: dict[str, Any] = {}
    if len(held.energy_error) >= 2:
        error, spread = held.energy_error / held.energy_atoms, held.energy_spread / held.energy_atoms
        result["energy_uncertainty_factor"] = _factor(error, spread)
        maps = replace(maps, energy=fit_spread_map(SpreadErrors(spread, np.abs(error), 1)))
        calibration["energy"] = {"unit": "eV/atom", **_entry(maps.energy, maps.energy(spread), error)}
    if len(held.force_error) >= 2:
        result["force_uncertainty_factor"] = _factor(held.force_error, held.force_spread)
        maps = replace(maps, forces=force_maps(held, len(elements)))
        calibration["forces"] = {"unit": "eV/Angstrom", **_of_forces(held, maps, elements)}
    if held.virial_spread is not None and len(held.virial_error) >= 2:
        error, spread = _rms(held.virial_error, axis=(1, 2)), _rms(held.virial_spread, axis=(1, 2))
        data = SpreadErrors(spread, error, len(_ROWS))
        maps = replace(maps, stress=fit_spread_map(data))
        components = held.virial_error[:, _ROWS, _COLUMNS]
        sigma = np.repeat(maps.stress(spread)[:, None], len(_ROWS), axis=1)
        calibration["stress"] = {"unit": "eV/atom", **_entry(maps.stress, sigma, components)}
    if calibration:
        calibration["method"] = (
            "sigma = sqrt(floor^2 + (factor s)^2), s the standard deviation of the members, by maximum "
            "likelihood on held-out data; of forces, s and sigma are lengths of vectors"
        )
    return {**result, "spread_maps": maps.block(elements), "calibration": calibration}


def force_maps(held: HeldOut, n_elements: int) -> tuple[SpreadMap, ...]:
    """Return the spread map of the forces on each element."""
    assert held.force_spread is not None
    spread, error = _length(held.force_spread), _length(held.force_error)
    return fit_spread_maps(SpreadErrors(spread, error, 3), held.force_species, n_elements)


def _of_forces(held: HeldOut, maps: SpreadMaps, elements: Sequence[str]) -> dict[str, Any]:
    """Return the calibration of forces, over all atoms and by element."""
    assert held.force_spread is not None
    sigma = maps.sigma_forces(_length(held.force_spread), held.force_species)
    by_element = {}
    for e, element in enumerate(elements):
        rows = held.force_species == e
        if rows.any():
            by_element[element] = _entry(maps.forces[e], sigma[rows], held.force_error[rows])
    return {**_entry(None, sigma, held.force_error), "elements": by_element}


def _entry(spread_map: SpreadMap | None, sigma: np.ndarray, error: np.ndarray) -> dict[str, Any]:
    """Return the map and how well σ tells the errors, which may be no numbers after a run that diverged."""
    found = calibrate(sigma, error) if np.isfinite(sigma).all() and np.isfinite(error).all() else None
    mapped = {} if spread_map is None else spread_map.block()
    return {**mapped, **({"n": len(error)} if found is None else found.block())}


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(vectors, axis=1))


@overload
def _rms(values: np.ndarray) -> float: ...
@overload
def _rms(values: np.ndarray, axis: tuple[int, ...]) -> np.ndarray: ...
def _rms(values: np.ndarray, axis: tuple[int, ...] | None = None) -> float | np.ndarray:
    found = np.sqrt(np.mean(np.square(values), axis=axis))
    return float(found) if axis is None else np.asarray(found)


def _factor(error: np.ndarray, spread: np.ndarray) -> float:
    size = _rms(spread)
    return _rms(error) / size if size > 0 else RAW_FACTOR
