"""The figures of an evaluation: errors of all data and of groups, calibration of σ, worst structures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmlp.calculators.facts import ModelFacts
from lmlp.elements import symbol
from lmlp.evaluation.environments import atom_errors, environment_table
from lmlp.evaluation.result import StructureResult
from lmlp.metrics import Calibration, calibrate, summarize, summarize_by
from lmlp.structure.composition import formula

N_WORST = 10
ROUNDING = 1e-9  # of the largest deviation: sums of thousands of terms of eV size differ by 1e-12 eV/Å


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


@dataclass(frozen=True)
class SigmaAndError:
    """Bare ensemble deviations and the errors made, flat, for structures with the reference value."""

    std: np.ndarray
    error: np.ndarray


def energy_deviations(results: Sequence[StructureResult]) -> SigmaAndError:
    """std_m(E_m)/N and energy errors, both in eV/atom."""
    kept = [
        (r.prediction.uncertainty.energy_std / len(r.structure), r.energy_error)
        for r in results
        if r.prediction.uncertainty is not None and r.energy_error is not None
    ]
    return SigmaAndError(np.array([s for s, _ in kept]), np.array([e for _, e in kept]))


def force_deviations(results: Sequence[StructureResult]) -> SigmaAndError:
    """std_m(F_m) and force errors of components, both in eV/Å.

    Components that vanish by symmetry, as in perfect crystals, are left out: all members agree on them to
    rounding, whatever they learned.
    """
    kept = [
        (r.prediction.uncertainty.forces_std, errors)
        for r in results
        if r.prediction.uncertainty is not None and (errors := r.force_errors) is not None
    ]
    std, error = concatenate([s for s, _ in kept]), concatenate([e for _, e in kept])
    known = std > ROUNDING * std.max(initial=0.0)
    return SigmaAndError(std[known], error[known])


def calibration_table(facts: ModelFacts, results: Sequence[StructureResult]) -> dict[str, Any] | None:
    """How well σ tells the error, for the model's own factor c (``sigma``) and for c = 1 (``raw``).

    ``fitted_factor`` is the c that these data ask for. None for a one-member model.
    """
    if facts.n_members < 2:
        return None
    table: dict[str, Any] = {}
    for name, factor, values in (
        ("energy", facts.energy_factor, energy_deviations(results)),
        ("forces", facts.force_factor, force_deviations(results)),
    ):
        raw = calibrate(values.std, values.error)
        sigma = calibrate(factor * values.std, values.error)
        if raw is None or sigma is None:
            continue
        table[name] = {
            "factor": factor,
            "fitted_factor": raw.factor,
            "sigma": _calibration_entry(sigma),
            "raw": _calibration_entry(raw),
        }
    return table


def _calibration_entry(calibration: Calibration) -> dict[str, Any]:
    return {
        "n": calibration.n,
        "coverage_1": calibration.coverage_1,
        "coverage_2": calibration.coverage_2,
        "spearman": calibration.spearman,
        "area": calibration.area,
        "reliability": {"levels": calibration.levels.tolist(), "observed": calibration.observed.tolist()},
    }


def worst_first(results: Sequence[StructureResult]) -> list[int]:
    """Order structures by the force error of their worst atom; those without forces by that of the energy."""

    def key(number: int) -> tuple[float, float]:
        forces, energy = results[number].force_errors, results[number].energy_error
        largest = 0.0 if forces is None else float(np.linalg.norm(forces, axis=1).max())
        return -largest, -abs(energy or 0.0)

    return sorted(range(len(results)), key=key)


def worst_structures(results: Sequence[StructureResult], n_worst: int = N_WORST) -> list[dict[str, Any]]:
    """The structures with the largest force errors (energy errors where there are no forces), worst first.

    ``worst_atom`` is its element and index from 0, ``worst_atom_error`` the length of its force error.
    """
    return [_worst_row(number, results[number]) for number in worst_first(results)[:n_worst]]


def _worst_row(number: int, result: StructureResult) -> dict[str, Any]:
    force = None if result.force_errors is None else summarize(result.force_errors)
    lengths = None if result.force_errors is None else np.linalg.norm(result.force_errors, axis=1)
    atom = None if lengths is None else int(np.argmax(lengths))
    uncertainty = result.prediction.uncertainty
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
        "grade": None if uncertainty is None else uncertainty.grade,
    }
