"""Maps from what a method says to σ, fitted on held-out structures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import minimize

Map = Callable[[Sequence[np.ndarray], np.ndarray], np.ndarray]
"""From signals and groups (elements) ``[n]`` to σ ``[n]``."""
LEAST = 0.05
"""Smallest a in root mean square errors: where errors vanish by symmetry the likelihood has no bound."""
_PRIOR = 5.0  # pull of an element's logarithms towards those of all elements
_USUAL = 8.0  # pull of the logarithm of a factor b towards that of its usual value
_OPTIONS = {"maxiter": 4000, "xatol": 1e-4, "fatol": 1e-4}


def hypot_map(
    signals: Sequence[np.ndarray],
    squares: np.ndarray,
    groups: np.ndarray,
    n_groups: int,
    components: int = 3,
    usual: float | None = None,
) -> Map:
    """Fit σ² = a² + Σ b_k² signal_k² by likelihood, for each group, with a weak pull towards all together.

    a is at least :data:`LEAST` of the root mean square error.

    Args:
        signals: ``[n]`` each.
        squares: squared error, of a vector its length's ``[n]``.
        groups: of each; in one without data the fit of all holds.
        n_groups: number of groups.
        components: of a vector.
        usual: what b_1 is pulled to, where the data are few.
    """
    scales = [float(np.mean(squares)), *(float(np.mean(s**2)) or 1.0 for s in signals)]

    def terms(of: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack([np.ones(len(of[0])), *(s**2 for s in of)]) / np.array(scales)[:, None]

    rows, least = terms(signals), LEAST**2 * scales[0]

    def fitted(which: np.ndarray, start: np.ndarray, pulls: np.ndarray) -> np.ndarray:
        def loss(t: np.ndarray) -> float:
            v = np.exp(t) @ rows[:, which] + least
            likelihood = 0.5 * components * np.log(v) + 0.5 * components * squares[which] / v
            return float(likelihood.sum() + pulls @ (t - start) ** 2)

        return minimize(loss, start, method="Nelder-Mead", options=_OPTIONS).x

    first, pulls = np.log(np.full(len(rows), np.mean(squares) / len(rows))), np.zeros(len(rows))
    if usual is not None:
        first[1], pulls[1] = np.log(usual**2 * scales[1]), _USUAL / 4.0
    common = fitted(np.ones(len(squares), dtype=bool), first, pulls)
    found = [
        fitted(groups == g, common, np.full(len(rows), _PRIOR))
        if np.count_nonzero(groups == g) > 1 and n_groups > 1
        else common
        for g in range(n_groups)
    ]
    table = np.exp(np.array(found))
    return lambda of, of_groups: np.sqrt((table[of_groups].T * terms(of)).sum(axis=0) + least)


def factor_map(signal: np.ndarray, squares: np.ndarray) -> Map:
    """Fit one factor: root mean square error over root mean square signal."""
    factor = float(np.sqrt(np.mean(squares) / np.mean(signal**2)))
    return lambda of, _: factor * of[0]


def monotone_map(signal: np.ndarray, squares: np.ndarray, groups: np.ndarray, n_groups: int) -> Map:
    """Fit the non-decreasing σ²(signal) that is nearest to the squared errors, for each group.

    It is constant beyond the data and linear between them.
    """
    tables = []
    for g in range(n_groups):
        mine = groups == g if np.count_nonzero(groups == g) > 1 else np.ones(len(groups), dtype=bool)
        order = np.argsort(signal[mine])
        tables.append((signal[mine][order], pooled(squares[mine][order])))
    least = float(np.mean(squares)) * 1e-4

    def apply(of: Sequence[np.ndarray], of_groups: np.ndarray) -> np.ndarray:
        found = np.empty(len(of_groups))
        for g, (x, y) in enumerate(tables):
            mine = of_groups == g
            found[mine] = np.interp(of[0][mine], x, y)
        return np.sqrt(np.maximum(found, least))

    return apply


def pooled(values: np.ndarray) -> np.ndarray:
    """Return the non-decreasing sequence that is nearest to some values (pool adjacent violators)."""
    blocks: list[list[float]] = []
    for value in values:
        blocks.append([float(value), 1])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            mean, count = blocks.pop()
            before, n = blocks[-1]
            blocks[-1] = [(before * n + mean * count) / (n + count), n + count]
    return np.concatenate([np.full(int(n), mean) for mean, n in blocks])
