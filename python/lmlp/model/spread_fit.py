"""Spread maps from held-out data: what floor and factor make the errors most likely (docs/uncertainty.md).

The errors of an atom (or of a structure) are taken for a Gaussian with k equal components and the mean square
length v = floor² + (factor · s)². What makes them most likely minimizes

    Σ_i k/2 · [ log v_i + r_i² / v_i ] + Σ_j w_j (t_j − t₀_j)²,   floor² = e^t₁ + least²,   factor² = e^t₂,

r the length of the error. The last term is a weak belief, which counts where data are few: that floor and
spread have the same share in the mean square error, that the factor is 2, or what all elements together say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lmlp.model.spread import RAW_FACTOR, SpreadMap

OF_ALL = (0.5, 0.5)
"""Weights w of the belief in equal shares where there are many atoms: hardly any."""
OF_STRUCTURES = (1.0, 2.0)
"""Weights w of the beliefs in half of the error for the floor, and in factor 2, where there is one error per
structure. 25 energies alone gave factors of 0.6 to 2.7."""
OF_ELEMENT = (5.0, 5.0)
"""Weights w of the belief that an element is like all others."""
LEAST_FLOOR = 0.05
"""Of the root mean square error. Spread and error of what nearly vanishes by symmetry are both nearly zero,
which must not make others certain."""
LEAST_FACTOR = 0.1
"""Far from the data σ has to grow, whatever the few held-out data say."""

_VANISHING = 1e-3  # of the root mean square
_STEPS = 200


@dataclass(frozen=True)
class SpreadErrors:
    """What a spread map is fitted to.

    Attributes:
        spread: s ≥ 0 ``[n]``.
        error: length r ≥ 0 of the error ``[n]``.
        components: k, of how many independent components r is the length.
    """

    spread: np.ndarray
    error: np.ndarray
    components: int

    def part(self, rows: np.ndarray) -> SpreadErrors:
        """Return some of them."""
        return SpreadErrors(self.spread[rows], self.error[rows], self.components)

    def telling(self) -> SpreadErrors:
        """Leave out what is not finite, and what vanishes by symmetry."""
        finite = np.isfinite(self.spread) & np.isfinite(self.error)
        kept = self.part(finite)
        if not finite.any():
            return kept
        spread, error = _rms(kept.spread), _rms(kept.error)
        return kept.part((kept.spread > _VANISHING * spread) | (kept.error > _VANISHING * error))


def fit_spread_map(data: SpreadErrors) -> SpreadMap:
    """Fit the map of one error per structure; floor 0 and factor 2 where there are no data.

    Without any spread the floor is the root mean square error; without any error both are as small as they
    get.
    """
    data = data.telling()
    if not len(data.error):
        return SpreadMap()
    belief = np.array([_log_half(data), math.log(RAW_FACTOR**2)])
    return _map(_most_likely(data, belief, OF_STRUCTURES), data)


def fit_spread_maps(data: SpreadErrors, kinds: np.ndarray, n_kinds: int) -> tuple[SpreadMap, ...]:
    """Fit a map to each kind (element); those of few data are near that of all, those without have it.

    Args:
        data: of all kinds.
        kinds: kind of each ``[n]``.
        n_kinds: number of kinds.
    """
    every = data.telling()
    if not len(every.error):
        return (SpreadMap(),) * n_kinds
    spread = _rms(every.spread)
    factor = _log_half(every) - 2.0 * math.log(spread) if spread > 0.0 else math.log(RAW_FACTOR**2)
    common = _most_likely(every, np.array([_log_half(every), factor]), OF_ALL)
    maps = []
    for kind in range(n_kinds):
        own = data.part(kinds == kind).telling()
        maps.append(
            _map(_most_likely(own, common, OF_ELEMENT), own) if len(own.error) else _map(common, every)
        )
    return tuple(maps)


def _rms(values: np.ndarray) -> float:
    return math.sqrt(float(np.mean(np.square(values))))


def _least(data: SpreadErrors) -> float:
    """Return the smallest floor, greater than 0."""
    return max(LEAST_FLOOR * _rms(data.error), 1e-9 * _rms(data.spread), 1e-12)


def _log_half(data: SpreadErrors) -> float:
    """Return the logarithm of half of the mean square error."""
    return math.log(0.5 * _rms(data.error) ** 2 + _least(data) ** 2)


def _map(t: np.ndarray, data: SpreadErrors) -> SpreadMap:
    floor, factor = np.exp(0.5 * t)
    return SpreadMap(math.hypot(float(floor), _least(data)), max(float(factor), LEAST_FACTOR))


def _most_likely(data: SpreadErrors, belief: np.ndarray, weights: tuple[float, float]) -> np.ndarray:
    """Return t: steps of Fisher's scoring from the belief on, damped so that each is an improvement."""
    squares, least = np.square(data.error), _least(data) ** 2
    parts = np.stack([np.ones_like(squares), np.square(data.spread)])
    half, w = 0.5 * data.components, np.array(weights)

    def value(t: np.ndarray) -> float:
        v = np.exp(t) @ parts + least
        return float(half * np.sum(np.log(v) + squares / v) + w @ (t - belief) ** 2)

    t, damping = belief.copy(), 1e-3
    best = value(t)
    for _ in range(_STEPS):
        terms = np.exp(t)[:, None] * parts
        v = terms.sum(axis=0) + least
        shares = terms / v
        gradient = half * shares @ (1.0 - squares / v) + 2.0 * w * (t - belief)
        curvature = half * shares @ shares.T + 2.0 * np.diag(w)
        step = np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)), gradient)
        trial = t - np.clip(step, -2.0, 2.0)
        found = value(trial)
        if found < best:
            t, best, damping = trial, found, max(damping / 10.0, 1e-9)
        else:
            damping *= 10.0
        if np.abs(step).max() < 1e-9 or damping > 1e12:
            break
    return np.asarray(t)
