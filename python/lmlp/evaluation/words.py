"""The figures of an evaluation as plain text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_QUANTITIES = (
    ("energy", "energy", "meV/atom", "n_energies"),
    ("forces", "force", "meV/Å", "n_force_components"),
    ("stress", "stress", "meV/Å³", "n_stress_components"),
)


def in_words(metrics: Mapping[str, Any]) -> str:
    """Return errors, and how well uncertainties tell them, as a table."""
    lines = [f"{metrics['n_structures']} structures", f"{'':10}{'RMSE':>10}{'MAE':>10}"]
    for name, key, unit, count in _QUANTITIES:
        if metrics.get(count):
            rmse, mae = _milli(metrics[f"{key}_rmse"]), _milli(metrics[f"{key}_mae"])
            lines.append(f"{name:10}{rmse:>10}{mae:>10} {unit}, {metrics[count]} values")
    for name, entry in (metrics["calibration"] or {}).items():
        sigma = entry["sigma"]
        lines.append(
            f"σ of {name}: {100 * sigma['coverage_1']:.1f} % of the errors within 1 σ, "
            f"{100 * sigma['coverage_2']:.1f} % within 2 σ; {entry['check']['sentence']}"
        )
    if distance := metrics["distance"]:
        lines.append(f"distance: {100 * distance['above_1']:.2f} % of the atoms above 1")
    return "\n".join(lines)


def in_a_line(metrics: Mapping[str, Any]) -> str:
    """Return the errors in a line."""
    errors = [
        f"{name} {_milli(metrics[f'{key}_rmse'])} {unit}"
        for name, key, unit, count in _QUANTITIES
        if metrics.get(count)
    ]
    return f"<Evaluation of {metrics['n_structures']} structures: RMSE {', '.join(errors) or 'unknown'}>"


def _milli(value: float | None) -> str:
    return "–" if value is None else f"{1e3 * value:.4g}"
