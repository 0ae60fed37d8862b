"""Structures whose energy or forces contradict those of their likes, in a set that is sound otherwise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lmlp.io.finding import Finding, sources
from lmlp.io.similar import Pair
from lmlp.io.unit_names import name_force_units
from lmlp.structure import Structure

_FEWEST = 2  # misfits; a single one may be an accident of the geometry
_FEWEST_PAIRS = 3
_APART = 0.5  # of |F_i·Δ| + |F_j·Δ|; honest structures are below 0.2
_SOUND = 0.1  # the same, of the set as a whole
_ENERGY = 3.0  # beyond it the energy is off, which other checks tell


def check_misfits(structures: Sequence[Structure], pairs: Sequence[Pair]) -> list[Finding]:
    """Name structures that contradict most of those similar to them, where most structures do not."""
    near: dict[int, list[tuple[float, float, float]]] = {}
    for p in pairs:
        near.setdefault(p.first, []).append((p.rise, p.force[0], p.force[1]))
        near.setdefault(p.second, []).append((p.rise, p.force[1], p.force[0]))
    tables = {i: np.array(rows) for i, rows in near.items() if len(rows) >= _FEWEST_PAIRS}
    apart = {i: _apart(table) for i, table in tables.items()}
    if not apart or float(np.quantile(list(apart.values()), 0.4)) > _SOUND:
        return []
    off = [i for i, value in apart.items() if _APART < value < _ENERGY]
    named: dict[str, list[int]] = {}
    for i in sorted(off):
        named.setdefault(_what(_factor(tables[i]), len(structures[i])), []).append(i)
    if len(off) < _FEWEST:
        return []
    rest = f"of {len(apart)} that could be compared contradict those of similar structures"
    return [
        Finding(
            "warning",
            "forces-misfit",
            f"forces or energies of {len(members)} structures {rest}: {what}?",
            sources([structures[i] for i in members]),
        )
        for what, members in named.items()
    ]


def _apart(table: np.ndarray) -> float:
    """Return the median over pairs of how far rise and demand are apart, in units of the demand's terms."""
    rise, mine, other = table.T
    return float(np.median(np.abs(rise - mine - other) / (np.abs(mine) + np.abs(other))))


def _factor(table: np.ndarray) -> float:
    """Return by how much this structure's forces must be multiplied to fit; 0 where nothing fits."""
    rise, mine, other = table.T
    use = mine != 0.0
    if use.sum() < _FEWEST_PAIRS:
        return 0.0
    ratios, weights = ((rise - other) / np.where(use, mine, 1.0))[use], np.abs(mine[use])
    order = np.argsort(ratios)
    reached = np.cumsum(weights[order])
    value = float(ratios[order][np.searchsorted(reached, 0.5 * reached[-1])])
    left = np.abs(rise - other - value * mine).sum() / max(float(np.abs(rise - other).sum()), 1e-12)
    return value if left < 0.4 else 0.0


def _what(factor: float, n_atoms: int) -> str:
    if -1.6 < factor < -1.0 / 1.6:
        return "forces with the wrong sign (gradients)"
    units = name_force_units(factor, n_atoms) if factor > 0.0 else []
    return " or ".join(units) if units else "of another structure, or atoms in another order"
