"""One self-contained HTML page about a model: errors, uncertainties, worst structures, learning curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lmlp.errors import DataError
from lmlp.evaluation import html
from lmlp.evaluation.compare import Evaluation
from lmlp.evaluation.environments import environment_section
from lmlp.evaluation.result import StructureResult
from lmlp.evaluation.sigma_section import distance_section, sigma_section
from lmlp.evaluation.tables import concatenate, free_atoms_in_words
from lmlp.evaluation.worst import worst_section

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CONFIG_TYPE_LIMIT = 40
WIDE = 6.0  # inches: broader pictures get a row of their own


@dataclass(frozen=True)
class Section:
    """A further part of a report.

    Attributes:
        title: heading.
        text: an explanation below it.
        figures: pictures with a description each.
        header: column names of a table.
        rows: its rows; the first column is text.
    """

    title: str
    text: str = ""
    figures: Sequence[tuple[Figure, str]] = ()
    header: Sequence[str] = ()
    rows: Sequence[Sequence[object]] = field(default_factory=list)


def write_report(
    evaluation: Evaluation,
    path: str | Path,
    *,
    title: str | None = None,
    log: str | Path | None = None,
    sections: Sequence[Section] = (),
    opening: Sequence[Section] = (),
) -> None:
    """Write a report as one HTML file without outside references, for the screen and for print.

    Args:
        evaluation: a model on reference structures.
        path: file to write.
        title: heading; the name of the model file when None.
        log: training log; ``<model>.log.jsonl`` beside the model is used when it exists and None is given.
        sections: further parts, placed after the errors.
        opening: further parts, placed before them.

    Raises:
        DataError: the file cannot be written.
    """
    if not Path(path).absolute().parent.is_dir():
        raise DataError(f"{path}: cannot write the report: there is no folder {Path(path).absolute().parent}")
    facts = evaluation.facts
    metrics = evaluation.metrics()
    evaluation, _ = evaluation.divided()
    parts = [_tiles(metrics)]
    parts.extend(_extra(section) for section in opening)
    parts.append(_accuracy(evaluation, metrics))
    if metrics["environments"]:
        parts.append(environment_section(evaluation.results, metrics["environments"]))
    if metrics["calibration"]:
        parts.append(sigma_section(facts, evaluation.results, metrics["calibration"]))
    if metrics["distance"]:
        parts.append(distance_section(evaluation.results, metrics["distance"]))
    parts.extend(_extra(section) for section in sections)
    curve = _learning_curve(log if log is not None else _log_beside(facts.path))
    parts.extend([curve] if curve else [])
    parts.append(worst_section(evaluation.results, metrics["worst"]))
    parts.append(_model(metrics, facts.energy_rmse, facts.force_rmse))
    sources = list(metrics["files"]) or ["reference data"]
    subtitle = f"{metrics['n_structures']:,} structures from {', '.join(sources)}"
    html.write_page(path, title or Path(facts.path).name, subtitle, parts)


def _tiles(metrics: Mapping[str, Any]) -> str:
    kinds = [("energy_rmse", "meV/atom", "energy RMSE"), ("force_rmse", "meV/Å", "force RMSE")]
    files = metrics["files"]
    if 1 < len(files) <= 3:  # errors of different sets in one number would say little
        items = [
            (html.number(entry[key], 1e3), unit, f"{name}, {file}")
            for file, entry in files.items()
            for key, unit, name in kinds
        ]
    else:
        kinds += [("energy_mae", "meV/atom", "energy MAE"), ("force_mae", "meV/Å", "force MAE")]
        items = [(html.number(metrics[key], 1e3), unit, name) for key, unit, name in kinds]
    if metrics.get("stress_rmse") is not None:
        items.append((html.number(metrics["stress_rmse"], 1e3), "meV/Å³", "stress RMSE"))
    forces = (metrics["calibration"] or {}).get("forces")
    if forces:
        items.append(
            (html.percent(forces["sigma"]["coverage_1"]), "", "force errors within 1 σ (ideal 68.3 %)")
        )
    return html.tiles(items)


def relative_energies(results: Sequence[StructureResult]) -> tuple[np.ndarray, np.ndarray]:
    """Reference and predicted energies in eV/atom, less a linear fit of the reference to the composition.

    For a picture: total energies of different compositions differ by keV.
    """
    kept = [r for r in results if r.structure.energy is not None]
    if not kept:
        return np.empty(0), np.empty(0)
    elements = np.unique(np.concatenate([r.structure.numbers for r in kept]))
    counts = np.array([[np.count_nonzero(r.structure.numbers == z) for z in elements] for r in kept], float)
    sizes = counts.sum(axis=1)
    fractions = counts / sizes[:, None]
    reference = np.array([r.structure.energy for r in kept], float) / sizes
    predicted = np.array([r.prediction.energy for r in kept]) / sizes
    baseline = fractions @ np.linalg.lstsq(fractions, reference, rcond=None)[0]
    return reference - baseline, predicted - baseline


def _accuracy(evaluation: Evaluation, metrics: Mapping[str, Any]) -> str:
    from lmlp.plots import plot_group_errors, plot_parity

    results = evaluation.results
    pictures = []
    if metrics["energy_rmse"] is not None:
        picture = plot_parity(*relative_energies(results), "energy")
        pictures.append(
            html.figure(picture, "parity plot of energies", "Relative to a linear fit to the composition.")
        )
    with_forces = [r for r in results if r.structure.forces is not None]
    if with_forces:
        reference = concatenate([np.asarray(r.structure.forces) for r in with_forces])
        predicted = concatenate([r.prediction.forces for r in with_forces])
        pictures.append(html.figure(plot_parity(reference, predicted, "forces"), "parity plot of forces"))
    with_stress = [r for r in results if r.stress_errors is not None]
    if with_stress:
        reference = concatenate([np.asarray(r.structure.stress) for r in with_stress])
        predicted = concatenate([np.asarray(r.stress) for r in with_stress])
        pictures.append(html.figure(plot_parity(reference, predicted, "stress"), "parity plot of stress"))
    elements = {name: 1e3 * entry["force_rmse"] for name, entry in metrics["elements"].items()}
    if elements:
        bars = plot_group_errors(elements, "force RMSE (meV/Å)", "Force error by element")
        pictures.append(html.figure(bars, "force error by element"))
    groups = {
        name: 1e3 * entry["force_rmse"]
        for name, entry in metrics["config_types"].items()
        if entry["force_rmse"] is not None
    }
    if groups:
        bars = plot_group_errors(groups, "force RMSE (meV/Å)", "Force error by configuration type", color=2)
        pictures.append(html.figure(bars, "force error by configuration type"))
    body = html.figures(pictures)
    if metrics["elements"]:
        body += "<h3>Forces by element</h3>" + _element_rows(metrics["elements"])
    for key, name in (("files", "By file"), ("config_types", "By configuration type")):
        if len(metrics[key]) > 1 or (key == "config_types" and metrics[key]):
            body += f"<h3>{name}</h3>" + _group_rows(metrics[key])
    missing = [
        f"{metrics[key]} structures have no reference {name}"
        for key, name in (("n_without_energy", "energy"), ("n_without_forces", "forces"))
        if metrics[key]
    ]
    note = "; ".join(missing) + " and are left out there." if missing else ""
    if metrics["free_atoms"]:
        note += f" Isolated atoms are not among the structures: {free_atoms_in_words(metrics['free_atoms'])}."
    return html.section("Errors against the reference", body, note)


def _element_rows(elements: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [
        (name, html.number(e["force_rmse"], 1e3), html.number(e["force_mae"], 1e3), f"{e['n']:,}")
        for name, e in elements.items()
    ]
    return html.table(("element", "RMSE (meV/Å)", "MAE (meV/Å)", "components"), rows)


def _group_rows(groups: Mapping[str, Mapping[str, Any]]) -> str:
    largest = sorted(groups.items(), key=lambda item: -(item[1]["force_rmse"] or 0.0))[:CONFIG_TYPE_LIMIT]
    header = ("", "structures", "E RMSE (meV/atom)", "E MAE", "F RMSE (meV/Å)", "F MAE")
    rows = [
        (
            name,
            f"{entry['n_structures']:,}",
            *(html.number(entry[k], 1e3) for k in ("energy_rmse", "energy_mae", "force_rmse", "force_mae")),
        )
        for name, entry in largest
    ]
    more = len(groups) - len(largest)
    return html.table(header, rows) + (f"<p class='note'>and {more} more</p>" if more else "")


def _extra(section: Section) -> str:
    wide: list[str] = []
    narrow: list[str] = []
    for picture, description in section.figures:
        alone = len(section.figures) == 1 or picture.get_figwidth() > WIDE
        (wide if alone else narrow).append(html.figure(picture, description))
    body = "".join(html.wide(picture) for picture in wide) + (html.figures(narrow) if narrow else "")
    if section.header:
        body += html.table(section.header, section.rows)
    return html.section(section.title, body, section.text)


def _log_beside(model: str) -> Path | None:
    path = Path(model)
    log = path.with_name(path.stem + ".log.jsonl")
    return log if log.is_file() else None


def _learning_curve(log: str | Path | None) -> str | None:
    from lmlp.plots import plot_learning_curve, read_epochs

    if log is None:
        return None
    epochs = read_epochs(log)
    if not epochs:
        return None
    picture = html.wide(html.figure(plot_learning_curve(epochs), "learning curve"))
    return html.section("Training", picture, f"{len(epochs):,} epochs, from {Path(log).name}.")


def _model(metrics: Mapping[str, Any], energy_rmse: float | None, force_rmse: float | None) -> str:
    model = metrics["model"]
    items: list[tuple[str, object]] = [
        ("file", model["path"]),
        ("elements", ", ".join(model["elements"])),
        ("members", model["n_members"]),
        ("symmetry functions", model["n_features"]),
        ("cutoff", f"{model['cutoff']:g} Å"),
    ]
    if energy_rmse is not None and force_rmse is not None:
        items.append(
            ("stored test errors", f"{1e3 * energy_rmse:.3g} meV/atom, {1e3 * force_rmse:.3g} meV/Å")
        )
    return html.section("Model", html.definitions(items))
