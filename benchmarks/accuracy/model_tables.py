"""Size, training and speed of our models: a table of their own, and the speed beside their errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from error_tables import SPEED, Key, markdown, mean_text

Summaries = Mapping[str, Sequence[Mapping[str, Any]]]
"""Name of a run -> results.json of each seed."""

HEADER = (
    "run",
    "functions",
    "R_c (Å)",
    "members",
    "hidden layers",
    "epochs",
    "training (min)",
    "µs/atom/step",
    "mixed precision",
    "LAMMPS system",
)


def model_table(summaries: Summaries) -> str:
    """Markdown: a row per run, means over its seeds."""
    rows = []
    for name, seeds in summaries.items():
        models = [s["model"] for s in seeds if "model" in s]
        speeds = [s["speed"] for s in seeds if "speed" in s]
        first: Mapping[str, Any] = models[0] if models else {}
        system = f"{speeds[0]['system']}, {speeds[0]['neighbors']:.0f} neighbors" if speeds else "-"
        rows.append(
            [
                name,
                mean_text([m["functions"] for m in models]),
                f"{first['cutoff']:g}" if first else "-",
                str(first.get("members", "-")),
                "-".join(map(str, first.get("hidden", []))) or "-",
                mean_text([m["epochs"] for m in models]),
                f"{sum(s['training_seconds'] for s in seeds) / len(seeds) / 60:.3g}",
                mean_text([s["double"]["median"] for s in speeds]),
                mean_text([s["mixed"]["median"] for s in speeds]),
                system,
            ]
        )
    return markdown(list(HEADER), rows)


def speeds(summaries: Summaries, benchmark: Mapping[str, Any]) -> dict[str, dict[Key, str]]:
    """Speed by label, as a column of the error table; smallest to largest where runs share a label."""
    found: dict[str, list[float]] = {}
    for name, seeds in summaries.items():
        label = f"**{benchmark['runs'][name].get('label', 'lmlp')}**"
        found.setdefault(label, []).extend(s["speed"]["double"]["median"] for s in seeds if "speed" in s)
    return {label: {SPEED: _range(values)} for label, values in found.items() if values}


def _range(values: Sequence[float]) -> str:
    low, high = f"{min(values):.3g}", f"{max(values):.3g}"
    return low if low == high else f"{low}–{high}"
