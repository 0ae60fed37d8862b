"""Measure test errors and calibration of a model anew, on structures that none of its members trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from lmlp.errors import DataError
from lmlp.evaluation.compare import Evaluation
from lmlp.evaluation.result import StructureResult
from lmlp.model.data import ModelData
from lmlp.model.spread import SpreadMap, SpreadMaps, parse_spread_maps
from lmlp.training.calibration import HeldOut, model_errors


def recalibrated(model: ModelData, evaluation: Evaluation) -> ModelData:
    """Return the model with test errors, spread maps and calibration from an evaluation of it.

    What the structures have no labels of keeps the map that it has. A model without maps goes by factors,
    which are maps without a floor.

    Args:
        model: as evaluated.
        evaluation: of this model; structures without a label do not count for it.

    Raises:
        DataError: no energies and no forces among the structures.
    """
    held = held_out(evaluation, model.elements)
    if not len(held.energy_error) and not len(held.force_error):
        raise DataError("the structures have neither energies nor forces: nothing to compare with")
    return dataclasses.replace(model, **model_errors(held, model.elements, _maps(model)))


def _maps(model: ModelData) -> SpreadMaps:
    maps = parse_spread_maps(model.spread_maps, model.elements)
    if maps is not None:
        return maps
    forces = SpreadMap(0.0, model.force_uncertainty_factor)
    return SpreadMaps(
        SpreadMap(0.0, model.energy_uncertainty_factor), (forces,) * len(model.elements), SpreadMap()
    )


def held_out(evaluation: Evaluation, elements: list[str]) -> HeldOut:
    """Collect errors and spreads of an evaluation, free atoms aside; ``elements`` in species order."""
    from lmlp.elements import atomic_number

    results = evaluation.divided()[0].results
    several = evaluation.facts.n_members > 1
    with_energy = [r for r in results if r.structure.energy is not None]
    with_forces = [r for r in results if r.structure.forces is not None]
    energy_error, energy_spread, force_error, force_spread, species = [], [], [], [], []
    for r in with_energy:
        energy_error.append(r.prediction.energy - (r.structure.energy or 0.0))
        if r.prediction.uncertainty is not None:
            energy_spread.append(r.prediction.uncertainty.energy_std)
    numbers = np.array([atomic_number(e) for e in elements])
    order = np.argsort(numbers)
    for r in with_forces:
        force_error.append(r.prediction.forces - r.structure.forces)
        species.append(order[np.searchsorted(numbers, r.structure.numbers, sorter=order)])
        if r.prediction.uncertainty is not None:
            force_spread.append(r.prediction.uncertainty.forces_std)
    nothing = np.zeros((0, 3))
    virial_error, virial_spread = _virials(results)
    return HeldOut(
        energy_error=np.array(energy_error),
        energy_spread=np.array(energy_spread) if several else None,
        energy_atoms=np.array([len(r.structure) for r in with_energy]),
        force_error=np.concatenate(force_error) if force_error else nothing,
        force_spread=(np.concatenate(force_spread) if force_spread else nothing) if several else None,
        force_species=np.concatenate(species) if species else np.zeros(0, dtype=np.int64),
        virial_error=virial_error,
        virial_spread=virial_spread if several else None,
    )


def _virials(results: Sequence[StructureResult]) -> tuple[np.ndarray, np.ndarray]:
    """Return errors and spreads of the virials per atom ``[m, 3, 3]`` of structures with a stress."""
    errors, spreads = [np.zeros((0, 3, 3))], [np.zeros((0, 3, 3))]
    for r in results:
        uncertainty, predicted = r.prediction.uncertainty, r.stress
        if r.structure.stress is None or predicted is None or uncertainty is None:
            continue
        n = len(r.structure)
        volume = r.structure.volume
        errors.append((predicted - r.structure.stress)[None] * (volume / n))
        spreads.append(uncertainty.virial_std[None] / n)
    return np.concatenate(errors), np.concatenate(spreads)
