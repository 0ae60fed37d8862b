"""The structures with the largest errors: a picture of each, and a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lmlp.elements import symbol
from lmlp.evaluation import html
from lmlp.evaluation.environments import bonded_pairs
from lmlp.evaluation.result import StructureResult
from lmlp.evaluation.tables import worst_first
from lmlp.plots.structure import StructurePicture, plot_structure
from lmlp.structure import Structure
from lmlp.structure.radii import radii_of_numbers

N_PICTURES = 6
MOST_ATOMS = 250
"""Of larger structures, only the surroundings of the worst atom are drawn."""
FEWEST_ATOMS = 8
"""Smaller cells are repeated along the directions in which they are periodic."""
_MOST_BONDS = 6.0  # per atom; with more, sticks would hide the atoms


def worst_section(results: Sequence[StructureResult], rows: Sequence[Mapping[str, Any]]) -> str:
    """Write the section of the page: pictures of the first structures, and the rows of the metrics."""
    pictures = []
    for place, number in enumerate(worst_first(results)[:N_PICTURES], start=1):
        row = rows[place - 1]
        picture, remark = structure_picture(results[number])
        figure = plot_structure(picture, f"{place}. {row['formula']}")
        told = f"{Path(row['source']).name}: {_told(row)}{remark}"
        pictures.append(html.figure(figure, f"atoms of {row['source']}", told, dpi=108.0))
    note = (
        "Largest force errors first: look here for wrong labels and for what the training data lack. |ΔF| is "
        "the length of an atom's force error; atoms are counted from 0. The ring marks the worst atom, "
        "orange halos tell |ΔF| relative to it, atoms before it are outlines; sizes are covalent radii."
    )
    return html.section("Worst structures", html.figures(pictures) + _table(rows), note)


def _told(row: Mapping[str, Any]) -> str:
    if row["force_rmse"] is None:
        return f"energy error {html.number(row['energy_error'], 1e3)} meV/atom."
    energy = (
        "" if row["energy_error"] is None else f", energy {html.number(row['energy_error'], 1e3)} meV/atom"
    )
    return f"force RMSE {html.number(row['force_rmse'], 1e3)} meV/Å{energy}."


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    header = (
        "structure",
        "type",
        "formula",
        "worst atom",
        "its |ΔF| (meV/Å)",
        "its σ",
        "F RMSE (meV/Å)",
        "E error (meV/atom)",
        "grade",
        "distance",
    )
    body = [
        (
            row["source"],
            row["config_type"],
            row["formula"],
            row["worst_atom"] or "–",
            html.number(row["worst_atom_error"], 1e3),
            html.number(row["worst_atom_sigma"], 1e3),
            html.number(row["force_rmse"], 1e3),
            html.number(row["energy_error"], 1e3),
            html.number(row["grade"]),
            html.number(row["distance"]),
        )
        for row in rows
    ]
    return html.table(header, body, text_columns=(0, 1, 2, 3))


def structure_picture(result: StructureResult) -> tuple[StructurePicture, str]:
    """Choose what of a structure is drawn, and how; a remark where it is not the structure as it is."""
    structure, errors = result.structure, result.force_errors
    lengths = np.zeros(len(structure)) if errors is None else np.linalg.norm(errors, axis=1)
    worst = int(np.argmax(lengths))
    if len(structure) > MOST_ATOMS:
        positions, chosen = surroundings(structure, worst)
        cell, remark = (
            None,
            f" Drawn: the {len(chosen)} of {len(structure):,} atoms nearest to the worst one.",
        )
    else:
        positions, chosen, copies = unit_cell(structure)
        cell = structure.cell * structure.pbc[:, None] if structure.pbc.any() else None
        remark = f" The cell of {len(structure)} atoms is drawn {copies} times." if copies > 1 else ""
    numbers = structure.numbers[chosen]
    marked = None
    if errors is not None:
        place = int(np.flatnonzero(chosen == worst)[0])
        marked = place, f"{symbol(int(numbers[place]))} {worst}: {html.number(lengths[worst], 1e3)} meV/Å"
    picture = StructurePicture(
        symbols=[symbol(int(z)) for z in numbers],
        positions=positions,
        radii=radii_of_numbers(numbers),
        errors=None if errors is None else lengths[chosen],
        bonds=_bonds(structure, chosen, positions),
        cell=cell,
        marked=marked,
    )
    return picture, remark


def unit_cell(structure: Structure) -> tuple[np.ndarray, np.ndarray, int]:
    """Put atoms into the cell, repeated where it holds few: positions, atom of each, number of cells."""
    positions, chosen = structure.positions, np.arange(len(structure))
    if not structure.pbc.any():
        return positions, chosen, 1
    periodic = structure.cell[structure.pbc]
    fractions = positions @ np.linalg.pinv(periodic)
    positions = positions - np.floor(fractions + 0.02) @ periodic  # atoms on a face stay together
    copies = 1
    if len(structure) < FEWEST_ATOMS:
        shifts = np.stack(np.meshgrid(*[[0, 1]] * len(periodic), indexing="ij"), axis=-1).reshape(
            -1, len(periodic)
        )
        positions = (positions[None] + (shifts @ periodic)[:, None]).reshape(-1, 3)
        copies = len(shifts)
        chosen = np.tile(chosen, copies)
    return positions, chosen, copies


def surroundings(structure: Structure, center: int) -> tuple[np.ndarray, np.ndarray]:
    """Nearest images of the atoms that are closest to one atom: positions relative to it, and which."""
    vectors = structure.positions - structure.positions[center]
    if structure.pbc.any():
        periodic = structure.cell[structure.pbc]
        vectors = vectors - np.round(vectors @ np.linalg.pinv(periodic)) @ periodic
    chosen = np.argsort(np.linalg.norm(vectors, axis=1), kind="stable")[:MOST_ATOMS]
    return vectors[chosen], chosen


def _bonds(structure: Structure, chosen: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Bonds of the structure within what is drawn; none where so many would hide the atoms."""
    n, (centers, neighbors, _) = len(structure), bonded_pairs(structure)
    if len(centers) > _MOST_BONDS * n:
        return np.empty((0, 2), dtype=np.int64)
    known = centers * n + neighbors
    alone = Structure(structure.numbers[chosen], positions, np.zeros((3, 3)), np.zeros(3, dtype=bool))
    centers, neighbors, _ = bonded_pairs(alone)
    # ions at the rim of what is drawn lack the anions that tell them from metal
    drawn = (centers < neighbors) & np.isin(chosen[centers] * n + chosen[neighbors], known)
    return np.column_stack([centers, neighbors])[drawn]
