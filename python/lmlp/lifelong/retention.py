"""What a learning session gained and lost, per task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lmlp.dataset.batches import References
from lmlp.dataset.store import Store
from lmlp.model.potential import EnsemblePotential
from lmlp.training.calibration import HeldOut, evaluate_held_out, model_errors


def task_errors(
    potential: EnsemblePotential,
    store: Store,
    references: References,
    groups: Mapping[str, np.ndarray],
    factors: tuple[float, float],
) -> dict[str, dict[str, Any]]:
    """Evaluate the check structures of each task.

    Args:
        potential: the present model.
        store, references: of the data set.
        groups: structures by task; tasks without any are left out.
        factors: c of energies and forces that the model goes by.

    Returns:
        per task: n, energy_rmse (eV/atom), force_rmse (eV/Å), and for ensembles per quantity the factor that
        these data ask for and the share of errors within 1 σ and 2 σ of the model's factor.
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
                "calibration": _calibration(held, errors, factors),
            }
    return result


def _calibration(held: HeldOut, errors: Mapping[str, Any], factors: tuple[float, float]) -> dict[str, Any]:
    quantities = {
        "energy": (held.energy_error, held.energy_spread, factors[0]),
        "force": (held.force_error, held.force_spread, factors[1]),
    }
    return {
        name: {
            "factor": factor,
            "fitted_factor": errors.get(f"{name}_uncertainty_factor"),
            "coverage_1_sigma": float(np.mean(np.abs(error) <= factor * spread)),
            "coverage_2_sigma": float(np.mean(np.abs(error) <= 2 * factor * spread)),
        }
        for name, (error, spread, factor) in quantities.items()
        if spread is not None and error.size
    }


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
