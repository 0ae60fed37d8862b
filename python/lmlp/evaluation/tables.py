"""The figures of an evaluation: errors of all data and of groups, σ and distance, worst structures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lmlp.calculators.facts import ModelFacts
from lmlp.elements import symbol
from lmlp.evaluation.environments import atom_errors, environment_table
from lmlp.evaluation.result import StructureResult
from lmlp.evaluation.sigma import calibration_table, distance_table
from lmlp.metrics import summarize, summarize_by
from lmlp.structure.composition import formula

N_WORST = 10


def all_figures(
    facts: ModelFacts, results: Sequence[StructureResult], free: Sequence[StructureResult]
) -> dict[str, Any]:
    """Return all figures as plain JSON data: eV/atom, eV/Å, eV/Å³; None where there is no reference value.

    Args:
        facts: of the model.
        results: what counts as errors of structures.
        free: free atoms, told apart.
    """
    return {
        **error_table(results),
        "elements": errors_by_element(results),
        "environments": environment_table(atom_errors(results)),
        "config_types": group_table(results, lambda result: result.config_type),
        "files": group_table(results, lambda result: result.group),
        "calibration": calibration_table(facts, results),
        "distance": distance_table(results),
        "worst": worst_structures(results),
        "free_atoms": [free_atom_row(result) for result in free],
        "model": {
            "path": facts.path,
            "elements": list(facts.elements),
            "n_members": facts.n_members,
            "n_features": facts.n_features,
            "cutoff": facts.cutoff,
        },
    }


def error_table(results: Sequence[StructureResult]) -> dict[str, Any]:
    """Errors of a set of structures; missing labels are counted, never taken as zero."""
    energies = [e for e in (result.energy_error for result in results) if e is not None]
    forces = [f for f in (result.force_errors for result in results) if f is not None]
    stresses = [s for s in (result.stress_errors for result in results) if s is not None]
    energy, force = summarize(np.array(energies)), summarize(concatenate(forces))
    table = {
        "energy_rmse": energy.rmse,
        "energy_mae": energy.mae,
        "force_rmse": force.rmse,
        "force_mae": force.mae,
        "n_structures": len(results),
        "n_energies": energy.n,
        "n_without_energy": len(results) - len(energies),
        "n_force_components": force.n,
        "n_without_forces": len(results) - len(forces),
    }
    if stresses:
        stress = summarize(concatenate(stresses))
        table |= {"stress_rmse": stress.rmse, "stress_mae": stress.mae, "n_stress_components": stress.n}
    return table


def free_atom_row(result: StructureResult) -> dict[str, Any]:
    """Energies of a free atom in eV."""
    return {
        "source": result.structure.source,
        "element": symbol(int(result.structure.numbers[0])),
        "energy": result.prediction.energy,
        "energy_error": result.energy_error,
    }


def free_atoms_in_words(rows: Sequence[Mapping[str, Any]]) -> str:
    """Say how well a model knows free atoms, in eV."""
    return ", ".join(
        f"{row['element']} {row['energy']:.6g} eV"
        + ("" if row["energy_error"] is None else f" (wrong by {row['energy_error']:+.3g})")
        for row in rows
    )


def concatenate(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Join the components of several arrays into one flat array, empty for none."""
    return np.concatenate([part.ravel() for part in parts]) if parts else np.empty(0)


def errors_by_element(results: Sequence[StructureResult]) -> dict[str, dict[str, Any]]:
    """Force errors by element; ``n`` counts components."""
    pairs = [(r.structure.numbers, f) for r in results if (f := r.force_errors) is not None]
    if not pairs:
        return {}
    by_number = summarize_by(
        np.concatenate([numbers for numbers, _ in pairs]), np.concatenate([errors for _, errors in pairs])
    )
    return {
        symbol(number): {"force_rmse": s.rmse, "force_mae": s.mae, "n": s.n}
        for number, s in by_number.items()
    }


def group_table(
    results: Sequence[StructureResult], name_of: Callable[[StructureResult], str]
) -> dict[str, dict[str, Any]]:
    """Errors by group; empty when nothing is named."""
    groups: dict[str, list[StructureResult]] = {}
    for result in results:
        groups.setdefault(name_of(result), []).append(result)
    if set(groups) == {""}:
        return {}
    return {name or "(none)": error_table(members) for name, members in sorted(groups.items())}


def worst_first(results: Sequence[StructureResult]) -> list[int]:
    """Order structures by the force error of their worst atom; those without forces by that of the energy."""

    def key(number: int) -> tuple[float, float]:
        forces, energy = results[number].force_errors, results[number].energy_error
        largest = 0.0 if forces is None else float(np.linalg.norm(forces, axis=1).max())
        return -largest, -abs(energy or 0.0)

    return sorted(range(len(results)), key=key)


def worst_structures(results: Sequence[StructureResult], n_worst: int = N_WORST) -> list[dict[str, Any]]:
    """The structures with the largest force errors (energy errors where there are no forces), worst first.

    ``worst_atom`` is its element and index from 0, ``worst_atom_error`` the length of its force error;
    ``worst_atom_sigma`` is what the model says of it, \\|σ_F\\| (the largest ΔF of its components without
    spread maps). ``grade`` and ``distance`` are the largest of the structure.
    """
    return [_worst_row(number, results[number]) for number in worst_first(results)[:n_worst]]


def _worst_row(number: int, result: StructureResult) -> dict[str, Any]:
    force = None if result.force_errors is None else summarize(result.force_errors)
    lengths = None if result.force_errors is None else np.linalg.norm(result.force_errors, axis=1)
    atom = None if lengths is None else int(np.argmax(lengths))
    uncertainty, distances = result.prediction.uncertainty, result.prediction.distances
    return {
        "source": result.structure.source or f"structure {number}",
        "config_type": result.config_type,
        "formula": formula(result.structure),
        "n_atoms": len(result.structure),
        "energy_error": result.energy_error,
        "force_rmse": None if force is None else force.rmse,
        "force_error_max": None if force is None else force.largest,
        "worst_atom": None if atom is None else f"{symbol(int(result.structure.numbers[atom]))} {atom}",
        "worst_atom_error": None if lengths is None else float(lengths[atom]),
        "worst_atom_sigma": (
            None if uncertainty is None or atom is None else float(uncertainty.sigma_forces[atom])
        ),
        "grade": None if uncertainty is None else uncertainty.grade,
        "distance": None if distances is None or not len(distances) else float(distances.max()),
    }
