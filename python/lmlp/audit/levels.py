"""Detect energies of two levels of theory in one data set.

Two levels differ by an offset per atom that the geometry does not explain. Structures of one composition
are split at the widest gap of their energies per atom (as they are, and less what forces and bonds
explain); a straight line through forces and bonds with one offset per side then tells how much of the gap
is offset. Hot and cold dynamics of a crystal leave a gap as well, but no offset. Where the two sides have
no geometries in common, crystal and melt for instance, only an offset beyond the reach of chemistry counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lmlp.structure import Structure
from lmlp.structure.composition import composition_matrix, formula, residuals, spread
from lmlp.structure.geometry import Geometry

SMALLEST_GROUP = 8
SMALLEST_SIDE = 3
SMALLEST_OFFSET = 0.05  # eV/atom
OFFSET_TO_NOISE = 4.0
OFFSET_TO_GAP = 0.6  # share of the distance between the sides that must be offset
APART = 3.0  # standard deviations between the sides' mean forces or bonds: they have no geometries in common
OFFSET_WHEN_APART = 1.5  # eV/atom; melting, amorphization and defects stay well below


@dataclass(frozen=True)
class Levels:
    """Two clusters of energies of one composition.

    Attributes:
        composition: formula, or ``all`` when compositions differ between structures.
        offset: eV/atom by which the upper cluster lies above the lower one.
        lower: indices of the structures in the lower cluster.
        upper: indices of those in the upper cluster.
    """

    composition: str
    offset: float
    lower: list[int]
    upper: list[int]


def find_levels(structures: Sequence[Structure], geometries: Sequence[Geometry]) -> list[Levels]:
    """Return the compositions whose energies fall into two clusters that differ by an offset."""
    usable = [i for i, s in enumerate(structures) if s.energy is not None and len(s) > 1]
    groups: dict[str, list[int]] = {}
    for i in usable:
        groups.setdefault(formula(structures[i]), []).append(i)
    found = []
    for name, members in groups.items():
        if len(members) >= SMALLEST_GROUP:
            energies = np.array([structures[i].energy for i in members], dtype=float) / len(
                structures[members[0]]
            )
            found += _test(name, members, energies, _features(structures, geometries, members))
    if not found and len(groups) > 1 and len(usable) >= SMALLEST_GROUP:
        counts = composition_matrix([structures[i] for i in usable])[1]
        energies = residuals(counts, np.array([structures[i].energy for i in usable], dtype=float))
        found += _test("all", usable, energies, _features(structures, geometries, usable))
    return found


def _features(
    structures: Sequence[Structure], geometries: Sequence[Geometry], members: list[int]
) -> np.ndarray:
    """Return standardized numbers that follow the energy of a geometry ``[n_members, n_features]``."""
    columns = [[geometries[i].bond_tightness for i in members], [geometries[i].bonds.mean() for i in members]]
    forces = [structures[i].forces for i in members]
    if all(f is not None for f in forces):
        columns.insert(0, [float(np.mean(np.square(f))) for f in forces])  # type: ignore[arg-type]
    if all(structures[i].pbc.all() for i in members):
        columns.append([structures[i].volume / len(structures[i]) for i in members])
    matrix = np.array(columns, dtype=float).T
    deviation = matrix.std(axis=0)
    matrix = (matrix - matrix.mean(axis=0)) / np.where(deviation > 1e-12, deviation, 1.0)
    # at least eight structures per number, else they explain anything
    return np.asarray(matrix[:, deviation > 1e-12][:, : len(members) // 8])


def _test(name: str, members: list[int], energies: np.ndarray, features: np.ndarray) -> list[Levels]:
    ones = np.ones((len(members), 1))
    line = np.hstack([ones, features])
    explained = line @ np.linalg.lstsq(line, energies, rcond=None)[0]
    for values in (energies, energies - explained):
        upper = _upper_side(values)
        if upper is None:
            continue
        design = np.hstack([line, upper[:, None].astype(float)])
        solution = np.linalg.lstsq(design, energies, rcond=None)[0]
        offset, noise = float(solution[-1]), spread(energies - design @ solution)
        distance = float(np.median(values[upper]) - np.median(values[~upper]))
        smallest = OFFSET_WHEN_APART if _apart(features, upper) else SMALLEST_OFFSET
        if offset > max(smallest, OFFSET_TO_NOISE * noise, OFFSET_TO_GAP * distance):
            index = np.array(members)
            return [Levels(name, offset, index[~upper].tolist(), index[upper].tolist())]
    return []


def _apart(features: np.ndarray, upper: np.ndarray) -> bool:
    """Tell whether a feature separates the two sides."""
    one, other = features[upper], features[~upper]
    width = np.sqrt(0.5 * (one.var(axis=0) + other.var(axis=0))) + 1e-12
    return bool((np.abs(one.mean(axis=0) - other.mean(axis=0)) > APART * width).any())


def _upper_side(values: np.ndarray) -> np.ndarray | None:
    """Return who lies above the widest gap, or None when there is no gap as wide as the sides themselves."""
    order = np.sort(values)
    gaps = np.diff(order)[SMALLEST_SIDE - 1 : len(order) - SMALLEST_SIDE]
    if not len(gaps):
        return None
    place = int(gaps.argmax()) + SMALLEST_SIDE
    sides = order[:place], order[place:]
    width = max(float(np.subtract(*np.percentile(side, [90, 10]))) for side in sides)
    if gaps.max() < max(0.5 * SMALLEST_OFFSET, width):
        return None
    return np.asarray(values >= order[place])
