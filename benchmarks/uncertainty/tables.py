"""Tables of the comparison: one per test and quantity, and the costs."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from methods import NAMES

Found = Mapping[str, Sequence[Mapping[str, Any]]]
"""Method -> results, one per seed."""
FORCE_COLUMNS = {
    "rmse": "RMSE (meV/Å)",
    "area": "area",
    "within_50": "50 %",
    "within_68": "68 %",
    "within_90": "90 %",
    "within_95": "95 %",
    "nll": "NLL",
    "crps": "CRPS (meV/Å)",
    "spearman": "Spearman",
    "auroc": "AUROC",
}
ENERGY_COLUMNS = {
    "rmse": "RMSE (meV/atom)",
    "area": "area",
    "within_68": "68 %",
    "within_95": "95 %",
    "nll": "NLL",
    "crps": "CRPS (meV/atom)",
}
ALONE = ("members", "factor", "monotone", "bootstrap", "squares", "nll", "crps", "langevin")
"""Methods whose signal is the members' spread."""
_MILLI = {"rmse", "crps", "sharpness"}


def page(settings: Mapping[str, Any], found: Found) -> str:
    """Markdown of a set."""
    parts = [f"## {settings['title']}", "Costs:", cost_table(found)]
    for name in settings["tests"]:
        for quantity, columns in (("force", FORCE_COLUMNS), ("energy", ENERGY_COLUMNS)):
            text = measure_table(found, name, quantity, columns)
            if text:
                parts += [f"{name}, {'forces' if quantity == 'force' else 'energies'}:", text]
    return "\n\n".join(parts) + "\n"


def label(method: str) -> tuple[str, str]:
    """Name of a method, and its members."""
    key = next(key for key in reversed(NAMES) if key in method)
    members = next(part for part in method.split("-") if part.isdigit())
    if key in ALONE or members == "1":
        return NAMES[key], members
    return f"plain ensemble and {NAMES[key]}", members


def cost_table(found: Found) -> str:
    """Markdown: CPU time of the training, and of an evaluation beside one member's."""
    rows = []
    for method, seeds in found.items():
        name, members = label(method)
        cells = [mean(seeds, lambda s: s["training"], ".0f"), mean(seeds, lambda s: s["evaluation"], ".1f")]
        rows.append([name, members, str(len(seeds)), *cells])
    return markdown(["method", "members", "seeds", "training (CPU s)", "evaluation (members)"], rows)


def measure_table(found: Found, test: str, quantity: str, columns: Mapping[str, str]) -> str:
    """Markdown: measures on one test; empty if no method has any."""
    rows = []
    for method, seeds in found.items():
        have = [s for s in seeds if quantity in s["results"].get(test, {})]
        if not have:
            continue
        cells = []
        for key in columns:
            scale = 1e3 if key in _MILLI else 1.0
            digits = ".3g" if key in _MILLI else ".2f" if key == "nll" else ".3f"
            digits = ".2f" if key.startswith("within") else digits
            cells.append(mean(have, lambda s, k=key, f=scale: f * s["results"][test][quantity][k], digits))
        rows.append([*label(method), *cells])
    return markdown(["method", "members", *columns.values()], rows) if rows else ""


def mean(seeds: Sequence[Mapping[str, Any]], value: Any, digits: str) -> str:
    """Mean over the seeds, with the standard deviation if there are several."""
    values = [value(s) for s in seeds]
    text = f"{statistics.mean(values):{digits}}"
    if len(values) == 1:
        return text
    deviation = statistics.stdev(values)
    return f"{text} ± {deviation:.1g}" if deviation < 9.5 else f"{text} ± {deviation:.0f}"


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table."""
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
