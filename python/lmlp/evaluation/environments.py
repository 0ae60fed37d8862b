"""Force errors by the environment of an atom: what it is bonded to, and how close its nearest neighbor is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmlp.elements import symbol
from lmlp.evaluation import html
from lmlp.evaluation.result import StructureResult
from lmlp.metrics import summarize
from lmlp.neighbors import find_neighbors
from lmlp.structure import Structure
from lmlp.structure.geometry import BOND_FACTOR
from lmlp.structure.radii import radii_of_numbers

NAMED_UP_TO = 6
"""With more bonded neighbors, only their number is told, not their elements."""
N_LISTED = 20
RARE = 10
"""Environments of fewer atoms are taken together."""

# Edges of bins of distances, shares of the atoms: the tails are what is of interest.
_LEVELS = (0.0, 0.01, 0.03, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97, 0.99, 1.0)
_SMALLEST_BIN = 10

_ANIONS = (7, 8, 9, 15, 16, 17, 34, 35, 53)
_ANIONS_OF_AN_ION = 3
_NO_METALS = (1, 2, *range(5, 11), *range(14, 19), *range(32, 37), *range(51, 55), 85, 86)


@dataclass(frozen=True)
class AtomErrors:
    """All atoms of structures with reference forces.

    Attributes:
        numbers: atomic numbers ``[n]``.
        labels: environments, e.g. ``C [C2H]``, str ``[n]``.
        nearest: distance to the nearest atom in Å ``[n]``, inf where none is within reach of a bond.
        errors: predicted − reference in eV/Å ``[n, 3]``.
        reference: eV/Å ``[n, 3]``.
    """

    numbers: np.ndarray
    labels: np.ndarray
    nearest: np.ndarray
    errors: np.ndarray
    reference: np.ndarray


def bonded_pairs(structure: Structure) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find pairs closer than 1.2 times the sum of their covalent radii, periodic images included.

    Metal atoms with three or more of N, O, F, P, S, Cl, Se, Br, I each are ions: they are not bonded to each
    other, though covalent radii, those of the metal, would say so.

    Returns:
        center and neighbor of each pair, from both sides, int64 ``[n_pairs]``; distance of each atom's
        nearest neighbor in Å ``[n_atoms]``, inf beyond the reach of the largest bond.
    """
    radii = radii_of_numbers(structure.numbers)
    reach = 2.0 * BOND_FACTOR * float(radii.max())
    pairs = find_neighbors(structure.positions, structure.cell, structure.pbc, reach)
    centers, distances = pairs.centers, np.linalg.norm(pairs.vectors, axis=1)
    nearest = np.full(len(structure), np.inf)
    np.minimum.at(nearest, centers, distances)
    bonded = distances < BOND_FACTOR * (radii[centers] + radii[pairs.neighbors])
    centers, neighbors = centers[bonded], pairs.neighbors[bonded]
    anions = np.isin(structure.numbers[neighbors], _ANIONS)
    ions = np.bincount(centers[anions], minlength=len(structure)) >= _ANIONS_OF_AN_ION
    ions &= ~np.isin(structure.numbers, _NO_METALS)
    kept = ~(ions[centers] & ions[neighbors])
    return centers[kept], neighbors[kept], nearest


def atom_errors(results: Sequence[StructureResult]) -> AtomErrors | None:
    """Collect errors and environments of all atoms; None without reference forces."""
    kept = [r for r in results if r.structure.forces is not None]
    if not kept:
        return None
    elements = np.unique(np.concatenate([r.structure.numbers for r in kept]))
    rows, nearest = [], []
    for result in kept:
        numbers = result.structure.numbers
        species = np.searchsorted(elements, numbers)
        centers, neighbors, distances = bonded_pairs(result.structure)
        counts = np.zeros((len(numbers), len(elements)), dtype=np.int64)
        np.add.at(counts, (centers, species[neighbors]), 1)
        rows.append(np.column_stack([numbers, counts]))
        nearest.append(distances)
    different, which = np.unique(np.concatenate(rows), axis=0, return_inverse=True)
    names = np.array([environment_name(row, elements) for row in different])
    return AtomErrors(
        numbers=np.concatenate([r.structure.numbers for r in kept]),
        labels=names[which.ravel()],
        nearest=np.concatenate(nearest),
        errors=np.concatenate([np.asarray(r.force_errors) for r in kept]),
        reference=np.concatenate([np.asarray(r.structure.forces) for r in kept]),
    )


def environment_name(row: np.ndarray, elements: np.ndarray) -> str:
    """Name an environment ``[z, count of each element]``: ``C [C2H]``, ``Mo [14]``, ``H [0]``."""
    total = int(row[1:].sum())
    if not 0 < total <= NAMED_UP_TO:
        return f"{symbol(int(row[0]))} [{total}]"
    found = sorted((symbol(int(z)), int(n)) for z, n in zip(elements, row[1:], strict=True) if n)
    inside = "".join(name + (str(n) if n > 1 else "") for name, n in found)
    return f"{symbol(int(row[0]))} [{inside}]"


def environment_table(atoms: AtomErrors | None) -> dict[str, dict[str, Any]]:
    """Errors by environment, those with the largest share of the total squared error first.

    Rare environments and those beyond the twentieth are taken together by element, as ``C, other``.
    """
    if atoms is None:
        return {}
    names, which, counts = np.unique(atoms.labels, return_inverse=True, return_counts=True)
    squared = np.sum(atoms.errors**2, axis=1)
    weight = np.bincount(which.ravel(), weights=squared)
    order = np.argsort(-weight, kind="stable")
    listed = set([i for i in order if counts[i] >= RARE][:N_LISTED])
    merged = np.array([n if i in listed else f"{n.split(' ')[0]}, other" for i, n in enumerate(names)])
    labels, total = merged[which.ravel()], float(squared.sum()) or 1.0
    table: dict[str, dict[str, Any]] = {}
    for label in dict.fromkeys(merged[order].tolist()):
        mine = labels == label
        summary = summarize(atoms.errors[mine])
        table[label] = {
            "n_atoms": int(np.count_nonzero(mine)),
            "force_rmse": summary.rmse,
            "force_mae": summary.mae,
            "reference_rms": summarize(atoms.reference[mine]).rmse,
            "share": float(squared[mine].sum()) / total,
        }
    return dict(sorted(table.items(), key=lambda item: -item[1]["share"]))


def distance_curves(atoms: AtomErrors) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
    """Force RMSE in eV/Å by the distance to the nearest atom, in bins: element -> (mean distance, RMSE)."""
    found = {}
    for z in np.unique(atoms.numbers):
        mine = np.flatnonzero((atoms.numbers == z) & np.isfinite(atoms.nearest))
        mine = mine[np.argsort(atoms.nearest[mine], kind="stable")]
        bins = np.split(mine, _edges(len(mine)))
        if len(bins) < 3:
            continue
        distance = np.array([atoms.nearest[part].mean() for part in bins])
        found[symbol(int(z))] = distance, np.array([np.sqrt(np.mean(atoms.errors[p] ** 2)) for p in bins])
    return found


def _edges(n: int) -> list[int]:
    """Inner edges of the bins of n sorted values; bins of fewer than ten values are joined."""
    edges: list[int] = []
    last = 0
    for level in _LEVELS[1:-1]:
        edge = round(level * n)
        if edge - last >= _SMALLEST_BIN and n - edge >= _SMALLEST_BIN:
            edges.append(edge)
            last = edge
    return edges


def environment_section(results: Sequence[StructureResult], table: Mapping[str, Mapping[str, Any]]) -> str:
    """Write the section of the page; ``table`` as in the metrics."""
    from lmlp.plots import plot_error_by_distance, plot_group_errors

    bars = {name: 1e3 * entry["force_rmse"] for name, entry in table.items()}
    picture = plot_group_errors(bars, "force RMSE (meV/Å)", "Force error by environment", color=3)
    pictures = [
        html.figure(picture, "force error by environment", "Largest share of the squared error first.")
    ]
    atoms = atom_errors(results)
    curves = distance_curves(atoms) if atoms is not None else {}
    if curves:
        caption = "Each point: the atoms of a range of distances, the outermost ones one percent of all."
        picture = plot_error_by_distance(curves)
        pictures.append(html.figure(picture, "force error by the distance to the nearest atom", caption))
    header = ("environment", "atoms", "RMSE (meV/Å)", "MAE (meV/Å)", "RMS force (eV/Å)", "share of the error")
    rows = [
        (
            name,
            f"{entry['n_atoms']:,}",
            html.number(entry["force_rmse"], 1e3),
            html.number(entry["force_mae"], 1e3),
            html.number(entry["reference_rms"]),
            html.percent(entry["share"]),
        )
        for name, entry in table.items()
    ]
    note = (
        f"An environment is an element with what it is bonded to, i.e. closer than {BOND_FACTOR:g} times the "
        f"sum of covalent radii, metal ions in oxides and the like not to each other: C [C2H] has two C and "
        f"one H; beyond {NAMED_UP_TO} only the number is told: Mo [14]. "
        "Share: of the sum of squared force errors. A large share of few atoms says which structures the "
        "training data lack; errors that grow at short distances ask for hotter or compressed ones."
    )
    return html.section("Errors by environment", html.figures(pictures) + html.table(header, rows), note)
