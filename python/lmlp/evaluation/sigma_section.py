"""The part of a report about σ and the distance from the training data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lmlp.calculators.facts import ModelFacts
from lmlp.evaluation import html
from lmlp.evaluation.result import StructureResult
from lmlp.evaluation.sigma import deviations, sentences
from lmlp.metrics import COVERAGE_LEVELS, calibrate

UNITS = {"energy": "meV/atom", "forces": "meV/Å", "stress": "meV/Å³"}
_HEADER = (
    "",
    "errors",
    *(f"in {100 * level:.0f} %" for level in COVERAGE_LEVELS),
    "mean deviation",
    "error/σ",
    "Spearman",
    "AUROC",
    "NLL",
    "CRPS",
    "mean σ",
)


def sigma_section(
    facts: ModelFacts, results: Sequence[StructureResult], calibration: Mapping[str, Any]
) -> str:
    """Write how well σ tells the errors: pictures, what the checks say, and all measures as a table."""
    from lmlp.plots import plot_reliability, plot_sigma_vs_error

    pictures, curves = [], {}
    for name, values in deviations(facts, results).items():
        curve = calibrate(values.sigma, values.error)
        if curve is not None:
            curves[name] = curve
            vectors = values.error.shape != values.sigma.shape
            title = "Forces on atoms: σ and error" if vectors else None
            picture = plot_sigma_vs_error(values.sigma, values.error_size, name, title)
            pictures.append(html.figure(picture, f"σ against error, {name}"))
    if curves:
        pictures.append(html.figure(plot_reliability(curves), "reliability of σ"))
    rows = []
    for name, entry in calibration.items():
        rows.append(_row(f"{name}, σ of the model", name, entry["sigma"]))
        rows.append(_row(f"{name}, bare spread", name, entry["raw"]))
        rows += [_row(f"σ of {e}", name, block) for e, block in entry.get("elements", {}).items()]
    said = "".join(f"<p>{html.escape(_capital(text))}.</p>" for text in sentences(calibration))
    body = html.figures(pictures) + said + html.table(_HEADER, rows)
    return html.section("Uncertainties", body, _note(facts, calibration))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _row(title: str, name: str, block: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        title,
        f"{block['n']:,}",
        *(html.percent(share) for share in block["coverage"].values()),
        html.percent(block["area"]),
        html.number(block["ratio"]),
        html.number(block["spearman"], digits=2),
        html.number(block["auroc"]),
        html.number(block["nll"]),
        html.number(block["crps"], 1e3),
        f"{html.number(block['sharpness'], 1e3)} {UNITS[name]}",
    )


def _note(facts: ModelFacts, calibration: Mapping[str, Any]) -> str:
    if facts.spread_maps is None:
        fitted = ", ".join(f"{n} {html.number(entry['fitted_factor'])}" for n, entry in calibration.items())
        made = (
            f"σ = c · standard deviation of the {facts.n_members} members; c is "
            f"{html.number(facts.energy_factor)} (energy) and {html.number(facts.force_factor)} (forces), "
            f"these data ask for: {fitted}."
        )
    else:
        made = (
            f"σ = √(floor² + (factor · spread)²) of the spread of the {facts.n_members} members; of forces "
            "it is the root mean square length of an atom's force error."
        )
    return (
        f"{made} Columns: errors within the central intervals of a normal distribution, by component; mean "
        "deviation of the reliability curve from the diagonal; size of errors over σ (ideal 1); rank "
        "correlation of σ and |error|; probability that one of the worst 1 % of the errors has a larger σ "
        "than another; mean negative log-likelihood and continuous ranked probability score (smaller is "
        "better); root mean square σ."
    )


def distance_section(results: Sequence[StructureResult], table: Mapping[str, Any]) -> str:
    """Write how far the atoms are from the training data, and whether that tells their force errors."""
    from lmlp.plots import plot_distance_vs_error

    pairs = [
        (r.prediction.distances, np.linalg.norm(errors, axis=1))
        for r in results
        if r.prediction.distances is not None and (errors := r.force_errors) is not None
    ]
    body = ""
    if pairs:
        distances, lengths = (np.concatenate([pair[k] for pair in pairs]) for k in range(2))
        picture = plot_distance_vs_error(distances, lengths)
        body = html.wide(html.figure(picture, "distance against force error"))
    rows = [
        (
            name,
            f"{entry['n']:,}",
            html.percent(entry["above_1"]),
            *(html.number(d) for d in entry["quantiles"].values()),
            html.number(entry["largest"]),
        )
        for name, entry in (("all", table), *table["elements"].items())
    ]
    quantiles = (f"{100 * float(q):g} % below" for q in table["quantiles"])
    body += html.table(("element", "atoms", "above 1", *quantiles, "largest"), rows)
    note = (
        "1 is as far out as the 1/1000 most unusual training atoms. "
        f"{html.percent(table['structures_above_1'])} of the structures have an atom beyond."
    )
    if table["auroc"] is not None:
        note += (
            f" One of the worst 1 % of the forces has a larger distance than another with probability "
            f"{html.number(table['auroc'])}; the rank correlation with |ΔF| is "
            f"{html.number(table['spearman'], digits=2)}."
        )
    return html.section("Distance from the training data", body, note)
