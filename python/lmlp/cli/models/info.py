"""``lmlp info``: what a model file contains."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lmlp.model.data import ModelData


def command(
    model: Annotated[Path, typer.Argument(help="Model file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show what a model file contains: elements, descriptor, ensemble, test errors, σ, provenance.

    The file's checksum is verified on the way; torch is not needed.

    Example: lmlp info model.pt
    """
    from lmlp.export.model_file import read_model_file

    facts = describe(model, read_model_file(model))
    if as_json:
        import json

        typer.echo(json.dumps(facts, indent=1, allow_nan=False, default=str))
        return
    _print(facts)


def describe(path: Path, data: ModelData) -> dict[str, Any]:
    """Return the facts of a model as plain JSON data."""
    import hashlib

    content = path.read_bytes()
    descriptor = data.descriptor
    functions = Counter(str(function["kind"]) for function in descriptor["functions"])
    return {
        "path": str(path),
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "elements": list(data.elements),
        "cutoff": descriptor["cutoff"],
        "n_members": data.n_members,
        "n_features": data.n_features,
        "descriptor": {
            **{key: value for key, value in descriptor.items() if key != "functions"},
            "n_radial": functions["radial"],
            "n_angular": functions["angular"],
            "n_correlation": functions["correlation"],
        },
        "hidden_layers": list(data.hidden_layers),
        "activation": data.activation,
        "n_parameters": sum(array.size for array in [data.scale, data.shift, *data.weights, *data.biases]),
        "atomic_energies": dict(zip(data.elements, data.atomic_energies.tolist(), strict=True)),
        "baseline": data.baseline,
        "free_atoms": data.free_atoms,
        "shortest_distances": data.shortest_distances,
        "energy_rmse": data.energy_rmse,
        "force_rmse": data.force_rmse,
        "energy_uncertainty_factor": data.energy_uncertainty_factor,
        "force_uncertainty_factor": data.force_uncertainty_factor,
        "has_feature_ranges": data.feature_min is not None,
        "calibrated": bool(data.calibration),
        "calibration": data.calibration,
        "spread_maps": data.spread_maps,
        "distance": data.distance,
        "provenance": data.provenance,
    }


def _print(facts: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from lmlp.cli.shared.sigma_view import model_rows

    descriptor = facts["descriptor"]
    layers = "-".join(str(n) for n in [facts["n_features"], *facts["hidden_layers"], 1])
    known = facts["energy_rmse"] is not None and facts["force_rmse"] is not None
    errors = (
        f"{1e3 * facts['energy_rmse']:.3g} meV/atom, {1e3 * facts['force_rmse']:.3g} meV/Å"
        if known
        else "unknown"
    )
    forms = ", ".join(str(descriptor[key]) for key in ("radial", "angular", "scaling") if key in descriptor)
    rows = [
        ("file", f"{facts['path']}  ({facts['size_bytes'] / 1e6:.2f} MB, intact)"),
        ("elements", ", ".join(facts["elements"])),
        ("descriptor", f"{descriptor['type']}, cutoff {facts['cutoff']:g} Å ({forms})"),
        ("functions", _functions(descriptor)),
        ("networks", f"{layers}, {facts['activation']}; {facts['n_members']} members, one each per element"),
        ("parameters", f"{facts['n_parameters']:,}"),
        ("E_atom (eV)", ", ".join(f"{s} {e:.6g}" for s, e in facts["atomic_energies"].items())),
        ("E_free (eV)", _free_atoms(facts["free_atoms"])),
        ("baseline", _baseline(facts["baseline"])),
        (
            "closest (Å)",
            ", ".join(f"{name} {r:.3f}" for name, r in facts["shortest_distances"].items()) or "unknown",
        ),
        ("test RMSE", errors),
        *model_rows(facts),
        ("sha256", facts["sha256"]),
    ]
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, escape(value))
    for key, value in _flatten(_summary(facts["provenance"])):
        table.add_row(escape(key), escape(value))
    Console().print(table)


def _free_atoms(block: dict[str, Any] | None) -> str:
    """Write energies of free atoms and the densities of neighbors from which on they do not count."""
    entries = (
        f"{name} {e['energy']:.6g} (below density {e['density']:.3g})" for name, e in (block or {}).items()
    )
    return ", ".join(entries) or "not known: atoms without neighbors have arbitrary energies"


def _baseline(block: dict[str, Any] | None) -> str:
    """Write type and radii of the short-range repulsion."""
    if block is None:
        return "none"
    radii = ", ".join(f"{name} {low:.3g}–{high:.3g}" for name, (low, high) in block["pairs"].items())
    return f"{block['type']}, switched off over (Å): {radii}"


def _functions(descriptor: dict[str, Any]) -> str:
    text = f"{descriptor['n_radial']} radial, {descriptor['n_angular']} angular"
    return text + (f", {descriptor['n_correlation']} correlation" if descriptor["n_correlation"] else "")


def _summary(provenance: dict[str, Any]) -> dict[str, Any]:
    """Shorten the histories that a model carries with it: models merged into it, sessions before the last.

    Each becomes one line; ``--json`` has all of them.
    """
    short = dict(provenance)
    if isinstance(short.get("merged"), list):
        parts = short.pop("merged")
        short["merged"] = {
            str(number): f"{part.get('file', '?')}: {part.get('n_members', '?')} members, "
            + _origin(part.get("provenance") or {})
            for number, part in enumerate(parts, start=1)
        }
    if isinstance(short.get("lineage"), list):
        lineage = short.pop("lineage")
        short["lineage"] = {
            str(number): _origin(ancestor) for number, ancestor in enumerate(lineage, start=1)
        }
    return short


def _origin(provenance: dict[str, Any]) -> str:
    """Say in a few words where a model comes from."""
    config = provenance.get("config") or {}
    words = [str(provenance["kind"])] if "kind" in provenance else []
    if "task" in provenance:
        words.append(f"task {provenance['task']}")
    if config.get("data"):
        words.append("data " + ", ".join(map(str, config["data"])))
    if "n_structures" in provenance:
        words.append(f"{provenance['n_structures']} structures")
    if "seed" in config:
        words.append(f"seed {config['seed']}")
    if "merged" in provenance:
        words.append(f"merged of {len(provenance['merged'])}")
    return ", ".join(words) or "origin not told"


def _flatten(tree: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Write nested provenance as dotted keys; long values are cut."""
    if isinstance(tree, dict):
        return [
            row
            for key, value in tree.items()
            for row in _flatten(value, f"{prefix}.{key}" if prefix else str(key))
        ]
    text = str(tree)
    return [(prefix, text if len(text) <= 160 else text[:157] + "…")] if prefix else []
