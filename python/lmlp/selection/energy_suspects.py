"""Energies that look wrong beside those of similar structures.

An energy that is wrong by 1 eV in a crystal of 100 atoms counts little in the loss of its structure, and
honest energies of a set differ more than that in how well they are learned: that of a strained cell of few
atoms can be wrong by 30 times the median. The structures most like it tell the two apart: a model that
describes a kind of structure describes all of that kind about equally well.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lmlp.selection.likes import ENOUGH, find_likes
from lmlp.selection.rule import SelectionRule

_CHECKED = 5  # structures not learned from tell how much larger their errors are
_SMALL = 1e-4  # eV/atom; errors that nobody would miss


def unlike_neighbors(errors: np.ndarray, points: np.ndarray, learned: np.ndarray, limit: float) -> np.ndarray:
    """Find structures whose energy error is far from those of the structures most like them.

    The distance of a structure's error from the median of its eight nearest neighbors' is compared with the
    second largest such distance among these (one of them may be wrong itself) or with the median error of
    all, whichever is larger. The allowed ratio grows with the remoteness: what has no likes is hardly judged.

    Args:
        errors: of energies in eV/atom ``[n]``.
        points: of the structures ``[n, k]``.
        learned: whether a structure was learned from ``[n]``; only such ones are compared with. Errors of the
            others are divided by how much larger they are in the median; fewer than five are not judged.
        limit: smallest ratio of an outlier, for structures whose neighbors are as near as usual.

    Returns:
        ratio for outliers, 0 for others ``[n]``.
    """
    pool = np.flatnonzero(learned)
    if len(pool) < ENOUGH:
        return np.zeros(len(errors))
    tiny = float(np.finfo(float).tiny)
    middle = float(np.median(errors[pool]))
    usual = float(np.median(np.abs(errors[pool] - middle)))
    scaled = errors - middle
    judged = learned
    if np.count_nonzero(~learned) >= _CHECKED:
        judged = np.ones(len(errors), bool)
        larger = float(np.median(np.abs(scaled[~learned]))) / max(usual, tiny)
        scaled = np.where(learned, scaled, scaled / max(larger, 1.0))
    likes = find_likes(points, pool)
    around = scaled[likes.near]
    center = np.median(around, axis=1)
    spread = np.sort(np.abs(around - center[:, None]), axis=1)[:, -2]
    away = np.abs(scaled - center)
    ratio = away / np.maximum(np.maximum(spread, usual), tiny)
    odd = judged & (ratio > limit * likes.remoteness) & (away > _SMALL)
    return np.where(odd, ratio, 0.0)


def suspect_energies(
    errors_of: Callable[[np.ndarray], np.ndarray],
    points: np.ndarray,
    learned: np.ndarray,
    checks: np.ndarray,
    rule: SelectionRule,
) -> dict[int, str]:
    """Judge the energies of structures of one kind of data.

    Args:
        errors_of: tells energy errors of structures in eV/atom, NaN for those without an energy.
        points: of all structures of the data set.
        learned: structures that were learned from.
        checks: others, judged by those.
        rule: ``suspect_likes`` is the limit, 0 for no judgment.

    Returns:
        reason by structure.
    """
    ids = np.concatenate([learned, checks]).astype(np.int64)
    if not rule.suspect_likes or len(learned) < ENOUGH:
        return {}
    errors = errors_of(ids)
    known = np.flatnonzero(np.isfinite(errors))
    ids, errors, used = ids[known], errors[known], known < len(learned)
    ratios = unlike_neighbors(errors, points[ids], used, rule.suspect_likes)
    return {
        int(ids[i]): (
            "suspect energy (wrong label, or more than the model can describe): wrong by "
            f"{1e3 * errors[i]:+.3g} meV/atom, {ratios[i]:.0f} times as much as the structures most like it"
        )
        for i in np.flatnonzero(ratios)
    }
