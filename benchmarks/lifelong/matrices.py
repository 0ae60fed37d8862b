"""From errors by stage and test file to forgetting, tables and curves."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import numpy as np

QUANTITIES = {"energy_rmse": "energies (meV/atom)", "force_rmse": "forces (meV/Å)"}


def matrix(results: dict[str, Any], method: str, seed: int, quantity: str) -> np.ndarray:
    """R[k, j]: error on test file j after stage k, in meV; NaN where there is none."""
    r = np.full((len(results["trained"]), len(results["tests"])), np.nan)
    for cell in results["cells"]:
        if cell["seed"] == seed and cell["method"] in (method, "first"):
            for j, name in enumerate(results["tests"]):
                found = cell["errors"].get(name)
                if found and found[quantity] is not None:
                    r[cell["stage"] - 1, j] = 1e3 * found[quantity]
    return r


def evaluations(results: dict[str, Any], method: str, seed: int) -> dict[int, int]:
    """Gradient evaluations by stage, after the first."""
    mine = [c for c in results["cells"] if c["seed"] == seed and c["method"] == method]
    return {c["stage"]: c["gradient_evaluations"] for c in mine}


def summary(results: dict[str, Any], method: str, seed: int) -> dict[str, float]:
    """Numbers of one method and seed.

    final_energy, final_force: mean over the test files of all stages learned, after the last.
    forgetting: mean of F_j = R[last, j] − min_k R[k, j] over all files but the last, forces.
    kept: largest R[k, j] / R[k−1, j] over sessions k and files j of earlier stages, forces.
    new: largest R[k, k] / R_joint[k, k] over the stages that joint training was done for.
    share: largest share of joint training's gradient evaluations that a session took.
    """
    r = matrix(results, method, seed, "force_rmse")
    energies = matrix(results, method, seed, "energy_rmse")
    stages = sorted(evaluations(results, method, seed))
    last = stages[-1]
    joint = matrix(results, "joint", seed, "force_rmse")
    spent, full = evaluations(results, method, seed), evaluations(results, "joint", seed)
    lost = [r[last - 1, j] - np.nanmin(r[:last, j]) for j in range(last - 1)]
    kept = [r[k - 1, j] / r[k - 2, j] for k in stages for j in range(k - 1) if np.isfinite(r[k - 2, j])]
    new = [r[k - 1, k - 1] / joint[k - 1, k - 1] for k in stages if k in full]
    return {
        "final_energy": float(np.mean(energies[last - 1, :last])),
        "final_force": float(np.mean(r[last - 1, :last])),
        "forgetting": float(np.mean(lost)),
        "kept": max(kept, default=np.nan),
        "new": max(new, default=np.nan),
        "share": max((spent[k] / full[k] for k in stages if k in full), default=np.nan),
        "evaluations": float(sum(spent.values())),
    }


def runs(results: dict[str, Any]) -> dict[str, list[int]]:
    """Seeds by method, of those that have learned something."""
    found: dict[str, list[int]] = {}
    for cell in results["cells"]:
        if cell["method"] != "first" and cell["seed"] not in found.setdefault(cell["method"], []):
            found[cell["method"]].append(cell["seed"])
    return {method: sorted(seeds) for method, seeds in found.items()}


def spread(values: list[float]) -> str:
    """Mean, with the standard deviation if there are several; – for nothing."""
    finite = [v for v in values if np.isfinite(v)]
    if not finite:
        return "–"
    more = f" ± {statistics.stdev(finite):.2g}" if len(finite) > 1 else ""
    return f"{statistics.mean(finite):.4g}{more}"


def page(results: dict[str, Any]) -> str:
    """Markdown: one line per method, then the matrices of forces, means over the seeds."""
    found = runs(results)
    lines = [
        "| method | seeds | final energies | final forces | forgetting F | earlier ×, worst "
        "| new / joint, worst | gradient evaluations | share of joint |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for method, seeds in found.items():
        rows = [summary(results, method, seed) for seed in seeds]
        joint = method.startswith("joint")
        cells = [
            spread([row[key] for row in rows]) if not (joint and key in ("forgetting", "kept")) else "–"
            for key in ("final_energy", "final_force", "forgetting", "kept", "new")
        ]
        cells.append(f"{statistics.mean(row['evaluations'] for row in rows):,.0f}")
        cells.append(spread([row["share"] for row in rows]))
        lines.append(f"| {method} | {len(seeds)} | " + " | ".join(cells) + " |")
    note = (
        "Energies in meV/atom, forces in meV/Å; means over the test files of the stages learned. F: error "
        "after the last stage less the smallest up to then, forces. Earlier ×: force error on earlier files "
        "after over before a session."
    )
    parts = [f"## {results['title']}", "\n".join(lines), note]
    for quantity, unit in QUANTITIES.items():
        parts += [_matrix_table(results, m, seeds, quantity, unit) for m, seeds in found.items()]
    return "\n\n".join(parts) + "\n"


def _matrix_table(results: dict[str, Any], method: str, seeds: list[int], quantity: str, unit: str) -> str:
    all_seeds = np.array([matrix(results, method, seed, quantity) for seed in seeds])
    lines = [
        f"{method}, {unit}, after each stage (rows) on each test file:",
        "",
        "| | " + " | ".join(results["tests"]) + " |",
        "|---" * (len(results["tests"]) + 1) + "|",
    ]
    for k, name in enumerate(results["trained"]):
        if np.isfinite(all_seeds[:, k]).any():
            cells = [spread(all_seeds[:, k, j].tolist()) for j in range(all_seeds.shape[2])]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def curves(results: dict[str, Any], path: Path) -> None:
    """Mean force error on all files learned so far, and error on the first file, along the stages."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import LogLocator, StrMethodFormatter

    figure, axes = pyplot.subplots(1, 2, figsize=(10.6, 3.8), layout="constrained")
    for method, seeds in runs(results).items():
        all_seeds = np.array([matrix(results, method, seed, "force_rmse") for seed in seeds])
        stages = [k for k in range(all_seeds.shape[1]) if np.isfinite(all_seeds[:, k]).any()]
        seen = [np.mean(all_seeds[:, k, : k + 1], axis=1) for k in stages]
        first = [all_seeds[:, k, 0] for k in stages]
        for axis, values in zip(axes, (seen, first), strict=True):
            mean = [float(np.nanmean(v)) for v in values]
            error = [float(np.nanstd(v)) for v in values]
            style = "--" if method.startswith("joint") else "-"
            axis.errorbar([k + 1 for k in stages], mean, error, fmt=f"o{style}", capsize=3, label=method)
    names = results["trained"]
    for axis, title in zip(axes, ("all files learned so far", results["tests"][0]), strict=True):
        axis.set(title=title, ylabel="force RMSE (meV/Å)", yscale="log")
        axis.yaxis.set_minor_locator(LogLocator(subs=(2, 3, 5, 7)))
        for set_formatter in (axis.yaxis.set_major_formatter, axis.yaxis.set_minor_formatter):
            set_formatter(StrMethodFormatter("{x:g}"))
        axis.set_xticks(range(1, len(names) + 1), names, rotation=45, ha="right")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", fontsize="small")
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
