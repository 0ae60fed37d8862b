"""What a learning session gained and lost, per task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmlp.dataset.batches import References
from lmlp.dataset.store import Store
from lmlp.metrics import CoverageCheck, calibration_factor, coverage_check, observed_coverage
from lmlp.model.data import ModelData
from lmlp.model.potential import EnsemblePotential
from lmlp.model.spread import SpreadMaps, parse_spread_maps
from lmlp.training.calibration import HeldOut, evaluate_held_out, model_errors


@dataclass(frozen=True)
class StatedSigma:
    """What a model says of the sizes of its errors.

    Attributes:
        factors: c of energies and forces, where there are no maps.
        maps: from the members' spread to σ, or None.
        calibration: what held-out data said of σ, free form.
    """

    factors: tuple[float, float]
    maps: SpreadMaps | None
    calibration: Mapping[str, Any]

    @classmethod
    def of(cls, model: ModelData) -> StatedSigma:
        """Return what a model states."""
        factors = (model.energy_uncertainty_factor, model.force_uncertainty_factor)
        return cls(factors, parse_spread_maps(model.spread_maps, model.elements), model.calibration)

    def energy(self, spread: np.ndarray) -> np.ndarray:
        """Return σ in eV/atom of spreads in eV/atom ``[n]``."""
        return self.factors[0] * spread if self.maps is None else self.maps.energy(spread)

    def force(self, spread: np.ndarray, species: np.ndarray) -> np.ndarray:
        """Return σ in eV/Å from spreads ``[k, 3]``: lengths ``[k]`` with maps, else components."""
        if self.maps is None:
            return self.factors[1] * spread
        return self.maps.sigma_forces(np.linalg.norm(spread, axis=1), species)

    def check(self, name: str, sigma: np.ndarray, error: np.ndarray, groups: np.ndarray) -> CoverageCheck:
        """Tell whether errors contradict what the model states; ``name`` is a key of its calibration."""
        stored = (self.calibration.get(name) or {}) if self.maps is not None else {}
        multiples = stored.get("quantiles")
        n_structures = (self.calibration.get("energy") or {}).get("n") if multiples else None
        return coverage_check(sigma, error, groups, multiples, n_structures)


def task_errors(
    potential: EnsemblePotential,
    store: Store,
    references: References,
    groups: Mapping[str, np.ndarray],
    stated: StatedSigma,
) -> dict[str, dict[str, Any]]:
    """Evaluate the check structures of each task.

    Args:
        potential: the present model.
        store, references: of the data set.
        groups: structures by task; tasks without any are left out.
        stated: what the model says of its errors.

    Returns:
        per task: n, energy_rmse (eV/atom), force_rmse (eV/Å), and for ensembles per quantity the share of
        errors within 1 σ and 2 σ, their size over σ, and whether they contradict what the model states.
    """
    result: dict[str, dict[str, Any]] = {}
    for name, ids in groups.items():
        if len(ids):
            held = evaluate_held_out(potential, store, references, ids)
            errors = model_errors(held, potential.elements)
            result[name] = {
                "n": len(ids),
                "energy_rmse": errors["energy_rmse"],
                "force_rmse": errors["force_rmse"],
                "calibration": _calibration(held, stated),
            }
    return result


def _calibration(held: HeldOut, stated: StatedSigma) -> dict[str, Any]:
    quantities: dict[str, tuple[str, np.ndarray, np.ndarray, np.ndarray]] = {}
    if held.energy_spread is not None:
        sigma = stated.energy(held.energy_spread / held.energy_atoms)
        error = held.energy_error / held.energy_atoms
        quantities["energy"] = ("energy", sigma, error, np.arange(len(error)))
    if held.force_spread is not None and held.force_structures is not None:
        sigma, error = stated.force(held.force_spread, held.force_species), held.force_error
        quantities["force"] = ("forces", sigma, error, held.force_structures)
    table = {}
    for name, (key, sigma, error, groups) in quantities.items():
        if not error.size or not np.isfinite(error).all() or not np.isfinite(sigma).all():
            continue
        within = observed_coverage(sigma, error, (1.0, 2.0))
        check = stated.check(key, sigma, error, groups)
        table[name] = {
            "ratio": calibration_factor(sigma, error),
            "coverage_1_sigma": float(within[0]),
            "coverage_2_sigma": float(within[1]),
            "check": {**check.block(), "sentence": check.sentence(name, advice=False)},
        }
    return table


def retention(
    before: Mapping[str, Mapping[str, Any]],
    after: Mapping[str, Mapping[str, Any]],
    new: str,
    earlier: Sequence[Mapping[str, Mapping[str, Any]]] = (),
) -> dict[str, Any]:
    """Compare the errors of all tasks before and after learning.

    Forgetting of an old task is the growth of its force error (energy error without forces) over the one
    before, as a share: 0.1 means 10 %. ``forgetting_from_best`` compares with the smallest error that any
    earlier session left. Plasticity is the share of the new data's error that is gone.

    Args:
        before: errors by task, from :func:`task_errors`; a task that could not be evaluated is missing.
        after: likewise.
        new: name of the new task.
        earlier: errors that earlier sessions left, by task.
    """
    tasks: dict[str, Any] = {}
    for name, now in after.items():
        was = before.get(name)
        key = "force_rmse" if now["force_rmse"] is not None else "energy_rmse"
        entry: dict[str, Any] = {"new": name == new, "before": was, "after": now}
        if was is not None and was[key]:
            entry["change"] = now[key] / was[key] - 1.0
        if name != new:
            best = [e[name][key] for e in earlier if name in e and e[name].get(key)]
            best += [was[key]] if was is not None and was[key] else []
            entry["forgetting_from_best"] = now[key] / min(best) - 1.0 if best else None
        tasks[name] = entry
    old = [t["change"] for n, t in tasks.items() if n != new and "change" in t]
    fresh = tasks.get(new, {}).get("change")
    return {
        "tasks": tasks,
        "forgetting": max(old) if old else None,
        "mean_forgetting": float(np.mean(old)) if old else None,
        "plasticity": -fresh if fresh is not None else None,
    }
