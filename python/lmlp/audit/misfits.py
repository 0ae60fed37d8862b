"""Structures whose labels contradict those of their likes, in a set that is sound otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from lmlp.audit.finding import Finding, sources
from lmlp.audit.slopes import Row
from lmlp.audit.unit_names import name_force_units, name_stress_units
from lmlp.structure import Structure

_FEWEST = 2  # misfits; a single one may be an accident of the geometry
_SHARE = 0.02  # of the structures compared; up to 0.008 in honest sets
_FEWEST_PAIRS = 3
_APART = 0.5  # rise less demand, in units of the demand's terms; nearly all honest structures are below 0.2
_SOUND = 0.2  # the same, of the set as a whole
_SOUND_STRESS = 0.1
_FAR = 3.0  # beyond it the energy is off, which other checks tell


def check_force_misfits(structures: Sequence[Structure], rows: Sequence[Row]) -> list[Finding]:
    """Name structures whose forces contradict most of those similar to them, where most do not.

    Args:
        structures: all.
        rows: pairs whose energies change by what forces demand.
    """
    factors, compared = _find(rows, _SOUND)

    def explain(i: int) -> str:
        units = name_force_units(factors[i], len(structures[i])) if factors[i] > 0.0 else []
        if -1.6 < factors[i] < -1.0 / 1.6:
            units = ["forces with the wrong sign (gradients)"]
        return " or ".join(units) or "of other structures, or of atoms in another order"

    return _report(structures, "forces", {i: explain(i) for i in factors}, compared)


def check_stress_misfits(structures: Sequence[Structure], rows: Sequence[Row]) -> list[Finding]:
    """Name structures whose stress contradicts most of those similar to them, where most do not.

    Args:
        structures: all.
        rows: pairs whose energies change by what stress demands.
    """
    factors, compared = _find(rows, _SOUND_STRESS)

    def explain(i: int) -> str:
        size = abs(factors[i])
        units = name_stress_units(size, structures[i].volume) if size > 0.0 else []
        sign = " with compression positive" if factors[i] < 0.0 else ""
        known = units or (sign and 1.0 / 1.6 < size < 1.6)
        return f"stress{' in ' if units else ''}{' or '.join(units)}{sign}" if known else ""

    # near equilibrium energies tell little of the stress: only what has an explanation counts
    reasons = {i: why for i in factors if (why := explain(i))}
    few = len(reasons) < max(_FEWEST, _SHARE * compared)
    return _report(structures, "stress", {} if few else reasons, compared)


def _report(
    structures: Sequence[Structure], label: str, reasons: dict[int, str], compared: int
) -> list[Finding]:
    if not reasons:
        return []
    common = [what for what, count in Counter(reasons.values()).most_common(2) if count >= 0.2 * len(reasons)]
    message = (
        f"{label} or energies of {len(reasons)} structures, of {compared} that could be compared, contradict "
        f"those of similar structures: {'; '.join(common or ['of other structures'])}?"
    )
    where = sources([structures[i] for i in sorted(reasons)])
    return [Finding("warning", f"{label}-misfit", message, where)]


def _find(rows: Sequence[Row], sound: float) -> tuple[dict[int, float], int]:
    """Find misfits among pairs.

    Args:
        rows: pairs.
        sound: most of the structures must be less apart than that.

    Returns:
        by index of a misfit, what its term must be multiplied with to fit (0: nothing fits); and how many
        structures could be compared.
    """
    near: dict[int, list[tuple[float, float, float, int]]] = {}
    for row in rows:
        near.setdefault(row.first, []).append((row.rise, row.mine, row.other, row.second))
        near.setdefault(row.second, []).append((row.rise, row.other, row.mine, row.first))
    tables = {i: np.array(entries) for i, entries in near.items() if len(entries) >= _FEWEST_PAIRS}
    apart = {i: _apart(table) for i, table in tables.items()}
    if not apart or float(np.quantile(list(apart.values()), 0.4)) > sound:
        return {}, len(apart)
    suspects = [i for i, value in apart.items() if value > _APART]
    # a sound structure may have mostly wrong ones beside it: what counts are those that are sound
    beside = {i: tables[i][~np.isin(tables[i][:, 3], suspects)] for i in suspects}
    off = [i for i, table in beside.items() if len(table) >= 2 and _APART < _apart(table) < _FAR]
    if len(off) < max(_FEWEST, _SHARE * len(apart)):
        return {}, len(apart)
    return {i: _factor(beside[i]) for i in off}, len(apart)


def _apart(table: np.ndarray) -> float:
    """Return the median over pairs of how far rise and demand are apart, in units of the demand's terms."""
    rise, mine, other = table[:, :3].T
    return float(np.median(np.abs(rise - mine - other) / (np.abs(mine) + np.abs(other))))


def _factor(table: np.ndarray) -> float:
    """Return by how much this structure's term must be multiplied to fit; 0 where nothing fits."""
    rise, mine, other = table[table[:, 1] != 0.0][:, :3].T
    if len(rise) < 2:
        return 0.0
    ratios, weights = (rise - other) / mine, np.abs(mine)
    order = np.argsort(ratios)
    reached = np.cumsum(weights[order])
    value = float(ratios[order][np.searchsorted(reached, 0.5 * reached[-1])])
    left = float(np.abs(rise - other - value * mine).sum() / max(np.abs(rise - other).sum(), 1e-12))
    return value if left < 0.4 else 0.0
