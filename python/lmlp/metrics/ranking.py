"""Whether what is told beforehand puts the errors in the right order."""

from __future__ import annotations

import numpy as np

from lmlp.errors import InvalidArgumentError
from lmlp.metrics.errors import finite

WORST = 0.01
"""Share of the errors that :func:`auroc` calls the worst ones."""


def rank(values: np.ndarray) -> np.ndarray:
    """Ranks 1 … n of ``values [n]``; ties share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - 0.5 * (counts - 1))[inverse.ravel()]


def spearman(a: np.ndarray, b: np.ndarray) -> float | None:
    """Spearman rank correlation; None when there are fewer than two values or one side is constant."""
    a, b = finite("a", a).ravel(), finite("b", b).ravel()
    if a.size != b.size:
        raise InvalidArgumentError(f"{a.size} values against {b.size}")
    if a.size < 2:
        return None
    x, y = rank(a), rank(b)
    x, y = x - x.mean(), y - y.mean()
    norm = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / norm if norm > 0.0 else None


def auroc(score: np.ndarray, magnitude: np.ndarray, share: float = WORST) -> float | None:
    """Probability that one of the worst errors has a higher score than one of the others.

    0.5 is chance, 1 is perfect; ties count half.

    Args:
        score: what tells beforehand, e.g. σ, any shape.
        magnitude: size of the errors made, same shape.
        share: of the errors that count as the worst, at least one.

    Returns:
        None when fewer than two errors are given or all count as the worst.
    """
    score, magnitude = finite("score", score).ravel(), finite("magnitude", magnitude).ravel()
    if score.size != magnitude.size:
        raise InvalidArgumentError(f"{score.size} scores for {magnitude.size} errors")
    n_worst = max(1, round(share * score.size))
    n_others = score.size - n_worst
    if n_others < 1:
        return None
    worst = np.argsort(-magnitude, kind="stable")[:n_worst]
    above = rank(score)[worst].sum() - 0.5 * n_worst * (n_worst + 1)
    return float(above / (n_worst * n_others))
