"""σ and distances in words: what a model stores, and how well it tells the errors of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_ERRORS = {"energy": "energy", "forces": "force", "stress": "stress"}
_UNITS = {"energy": "meV/atom", "forces": "meV/Å", "stress": "meV/Å³"}
_IN_FILE = {**_UNITS, "stress": "meV/atom"}


def model_rows(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return rows about σ and distance from what ``lmlp info`` knows of a model: names and values."""
    rows = [] if facts["spread_maps"] is None else _map_rows(facts["spread_maps"])
    if facts["spread_maps"] is None or facts["n_members"] < 2:
        rows = [("σ = c·std", _factors(facts))]
    rows += _calibration_rows(facts["calibration"])
    return [*rows, ("distance", _distance(facts["distance"]))]


def _factors(facts: Mapping[str, Any]) -> str:
    if facts["n_members"] < 2:
        return "one member: no uncertainty"
    energy, forces = facts["energy_uncertainty_factor"], facts["force_uncertainty_factor"]
    return f"c = {energy:.3g} (energy), {forces:.3g} (forces)" + (
        "" if facts["calibrated"] else ", not calibrated"
    )


def _map_rows(maps: Mapping[str, Any]) -> list[tuple[str, str]]:
    def told(entry: Mapping[str, float]) -> str:
        return f"{1e3 * entry['floor']:.3g}, {entry['factor']:.3g}"

    forces = "; ".join(f"{name} {told(entry)}" for name, entry in maps["forces"].items())
    return [
        ("σ", "√(floor² + (factor · spread)²): floor, factor"),
        ("σ of energies", f"{told(maps['energy'])} (meV/atom)"),
        ("σ of forces", f"{forces} (meV/Å, length of the vector)"),
        ("σ of stress", f"{told(maps['stress'])} (virial per atom, meV/atom)"),
    ]


def _calibration_rows(calibration: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what held-out data said, where they said it by the measures of models with spread maps."""
    rows = []
    for name, error in _ERRORS.items():
        entry = calibration.get(name) or {}
        if not isinstance(entry.get("quantiles"), Mapping):
            continue
        measures = [f"{entry['n']:,} held out"]
        coverage = entry.get("coverage") or {}
        if coverage:
            shares = "/".join(f"{100 * share:.0f}" for share in coverage.values())
            levels = "/".join(f"{100 * float(level):.0f}" for level in coverage)
            measures.append(f"{shares} % in the intervals of {levels} %")
        for key, word, factor, unit in (
            ("area", "mean deviation", 100.0, " %"),
            ("spearman", "Spearman", 1.0, ""),
            ("auroc", "AUROC", 1.0, ""),
            ("nll", "NLL", 1.0, ""),
            ("crps", "CRPS", 1e3, f" {_IN_FILE[name]}"),
            ("sharpness", "mean σ", 1e3, f" {_IN_FILE[name]}"),
        ):
            if entry.get(key) is not None:
                measures.append(f"{word} {factor * entry[key]:.3g}{unit}")
        rows.append((f"{error} errors", ", ".join(measures)))
        multiples = [
            f"{100 * float(level):.0f} % than {multiple:.2g} σ"
            for level, multiple in entry["quantiles"].items()
            if multiple is not None
        ]
        if multiples:
            word = "shorter" if name == "forces" else "smaller"
            first, _, rest = ", ".join(multiples).partition(" % than ")
            rows.append(("", f"{first} % are {word} than {rest}"))
    return rows


def _distance(block: Mapping[str, Any] | None) -> str:
    if block is None:
        return "not known: how far atoms are from the training data"
    share, counts = block.get("quantile"), block.get("atoms") or {}
    atoms = ", ".join(f"{name} {n:,}" for name, n in counts.items())
    scale = f"1 holds {100 * share:g} % of the training atoms" if share is not None else "known"
    return f"{scale} ({atoms})" if atoms else scale


def print_sigma(metrics: Mapping[str, Any], console: Console) -> None:
    """Print how well σ and distances tell the errors, and what contradicts the model."""
    if metrics["calibration"]:
        console.print("", _sigma_table(metrics["calibration"]))
        for entry in metrics["calibration"].values():
            wrong = entry["check"]["verdict"] in ("larger", "smaller")
            text = entry["check"]["sentence"]
            console.print(text, style="yellow" if wrong else None, highlight=False, soft_wrap=True)
    if metrics["distance"]:
        console.print("", _distance_table(metrics["distance"]))


def _sigma_table(calibration: Mapping[str, Mapping[str, Any]]) -> Any:
    """Make a table with a row for each measure: they are too many for the width of a terminal."""
    sigmas = [entry["sigma"] for entry in calibration.values()]

    def row(title: str, key: str, factor: float = 1.0, digits: int = 3, unit: str = "") -> list[str]:
        cells = [_number(sigma[key], factor, digits) for sigma in sigmas]
        return [title, *(cell + unit if cell != "–" else cell for cell in cells)]

    rows = [
        ["unit", *(_UNITS[name] for name in calibration)],
        row("within 1 σ (68.3 %)", "coverage_1", 100.0, unit=" %"),
        row("within 2 σ (95.4 %)", "coverage_2", 100.0, unit=" %"),
        row("mean deviation from the confidence level", "area", 100.0, unit=" %"),
        row("size of the errors / σ", "ratio"),
        row("Spearman of σ and |error|", "spearman", digits=2),
        row("AUROC of the worst 1 %", "auroc"),
        row("NLL", "nll"),
        row("CRPS", "crps", 1e3),
        row("root mean square σ", "sharpness", 1e3),
    ]
    if any("factor" in entry for entry in calibration.values()):
        rows.append(["c", *(_number(entry.get("factor")) for entry in calibration.values())])
        rows.append(["c of these data", *(_number(entry["fitted_factor"]) for entry in calibration.values())])
    return _table("Uncertainties", ["", *calibration], rows)


def _distance_table(distance: Mapping[str, Any]) -> Any:
    names = ["element", "atoms", "above 1", "median", "99.9 % below", "largest", "AUROC"]
    rows = [
        [
            name,
            f"{entry['n']:,}",
            f"{100 * entry['above_1']:.2f} %",
            _number(entry["quantiles"]["0.5"]),
            _number(entry["quantiles"]["0.999"]),
            _number(entry["largest"]),
            _number(entry.get("auroc")),
        ]
        for name, entry in (("all", distance), *distance["elements"].items())
    ]
    return _table("Distance from the training data", names, rows)


def _table(title: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> Any:
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for place, name in enumerate(names):
        table.add_column(name, justify="right" if place else "left", no_wrap=not place)
    for row in rows:
        table.add_row(*row)
    return table


def _number(value: float | None, factor: float = 1.0, digits: int = 3) -> str:
    return "–" if value is None else f"{factor * value:.{digits}g}"
