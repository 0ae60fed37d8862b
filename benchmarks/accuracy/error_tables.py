"""Tables of test errors beside the published ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# (quantity, metric) -> key of `lmlp eval --json`; number of values that it is a mean over
OURS = {
    ("energy", "RMSE"): "energy_rmse",
    ("energy", "MAE"): "energy_mae",
    ("force", "RMSE"): "force_rmse",
    ("force", "MAE"): "force_mae",
}
COUNTS = {"energy": "n_energies", "force": "n_force_components"}
TO_MILLI = {"eV/A": 1000.0, "meV/A": 1.0, "meV": 1.0, "meV/atom": 1.0}

Key = tuple[str, str]
"""Test file and quantity."""
SPEED: Key = ("", "speed")
"""Column of the speed in LAMMPS, of no test file."""


def pool(results: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Errors over all structures of several files, from those of each file."""
    entries = list(results)
    pooled: dict[str, Any] = {}
    for (quantity, metric), name in OURS.items():
        counted = [(e[COUNTS[quantity]], e[name]) for e in entries if e.get(name) is not None]
        total = sum(n for n, _ in counted)
        if not total:
            pooled[name] = None
        elif metric == "RMSE":
            pooled[name] = math.sqrt(sum(n * value**2 for n, value in counted) / total)
        else:
            pooled[name] = sum(n * value for n, value in counted) / total
        pooled[COUNTS[quantity]] = total
    return pooled


def published(rows: Iterable[Mapping[str, str]], benchmark: Mapping[str, Any], metric: str) -> dict:
    """Published errors in meV and meV/Å: model -> (file, quantity) -> text."""
    aliases = benchmark.get("aliases", {})
    found: dict[str, dict[Key, str]] = {}
    for row in rows:
        if "FROM MEMORY" in row["status"] or row["metric"] != metric:
            continue
        if benchmark.get("trained_on") not in (None, row.get("trained_on")):
            continue
        file = aliases.get(row["test_file"], row["test_file"])
        quantity = row["quantity"].split()[0]
        factor = TO_MILLI[row["unit"]]
        spread = f" ± {float(row['std']) * factor:g}" if row["std"] else ""
        found.setdefault(row["model"], {})[(file, quantity)] = f"{float(row['value']) * factor:g}{spread}"
    return found


def goals(benchmark: Mapping[str, Any]) -> dict[str, dict[Key, str]]:
    """What the set's RMSEs are to reach, as rows of the table: name -> (file, quantity) -> text."""
    return {
        f"*{name}*": {
            (file, q): f"{value:g}" for file, values in files.items() for q, value in values.items()
        }
        for name, files in benchmark.get("goals", {}).items()
    }


def with_pooled(files: Mapping[str, Any], benchmark: Mapping[str, Any]) -> dict[str, Any]:
    """Results by file, and those of the pooled files that are all there."""
    pooled = benchmark.get("pooled", {})
    return {
        **files,
        **{p: pool(files[f] for f in part) for p, part in pooled.items() if set(part) <= set(files)},
    }


def values_of(
    seeds: list[Mapping[str, Any]], benchmark: Mapping[str, Any], metric: str
) -> dict[Key, list[float]]:
    """Errors in meV and meV/Å of a run: (file, quantity) -> one value per seed, those that are there."""
    complete = [with_pooled(files, benchmark) for files in seeds]
    found: dict[Key, list[float]] = {}
    for file in dict.fromkeys(f for files in complete for f in files):
        for quantity in ("energy", "force"):
            factor = 1000.0 * (benchmark.get("energy_factor", 1) if quantity == "energy" else 1)
            values = [files[file][OURS[quantity, metric]] for files in complete if file in files]
            numbers = [v * factor for v in values if v is not None]
            if numbers:
                found[file, quantity] = numbers
    return found


def measured(runs: Mapping[str, list[Mapping[str, Any]]], benchmark: Mapping[str, Any], metric: str) -> dict:
    """Our errors in meV and meV/Å: label -> (file, quantity) -> text, mean and deviation over seeds.

    Args:
        runs: name of a run -> results by file, one entry per seed.
        benchmark: the set's benchmark.yaml.
        metric: RMSE or MAE.
    """
    found: dict[str, dict[Key, str]] = {}
    for name, seeds in runs.items():
        label = f"**{benchmark['runs'][name].get('label', 'lmlp')}**"
        for key, values in values_of(seeds, benchmark, metric).items():
            found.setdefault(label, {})[key] = f"**{mean_text(values)}**"
    return found


def mean_text(values: Sequence[float]) -> str:
    """Write the mean, with the standard deviation where there are several different values; "-" for none."""
    if not values:
        return "-"
    mean = sum(values) / len(values)
    text = f"{mean:.3g}" if abs(mean) < 100 else f"{mean:.0f}"
    if len(set(values)) == 1:
        return text
    deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))
    return f"{text} ± {deviation:.2g}" if deviation < 100 else f"{text} ± {deviation:.0f}"


def table(lines: Mapping[str, Mapping[Key, str]], files: list[str]) -> str:
    """Markdown: models against files and quantities, whichever is longer downwards."""
    columns = [(file, q) for file in files for q in ("energy", "force")]
    columns = [c for c in columns if any(c in line for line in lines.values())]
    models = [m for m in lines if any(c in lines[m] for c in columns)]
    last = columns[-1] if columns else SPEED
    if any(SPEED in lines[m] for m in models):
        columns.append(SPEED)

    def name(column: Key) -> str:
        if column == SPEED:
            return "µs/atom/step"
        return f"{column[0].split('.')[0]} {'E' if column[1] == 'energy' else 'F'}"

    if len(columns) > 5 and len(columns) > len(models):
        rows = [[name(c), *(lines[m].get(c, "-") for m in models)] for c in columns]
        return markdown(["test file", *models], rows)
    models.sort(key=lambda m: -_number(lines[m].get(last)))
    return markdown(
        ["model", *map(name, columns)], [[m, *(lines[m].get(c, "-") for c in columns)] for m in models]
    )


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """Write a table."""
    text = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    return "\n".join(text + ["| " + " | ".join(row) + " |" for row in rows])


def _number(text: str | None) -> float:
    return math.inf if text is None else float(text.strip("*").split()[0])
