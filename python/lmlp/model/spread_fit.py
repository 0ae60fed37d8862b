"""Spread maps from held-out data: what floor and factor make the errors most likely (docs/uncertainty.md).

The errors of an atom (or of a structure) are taken for a Gaussian with k equal components and the mean square
length v = floor² + (factor · s)². What makes them most likely minimizes

    Σ_i k/2 · [ log v_i + r_i² / v_i ] + w · |t − t₀|²,   t = (log floor², log factor²),

r the length of the error. The last term is a weak belief, which counts where data are few: that floor and
spread have the same share in the mean square error, or what all elements together say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lmlp.model.spread import RAW_FACTOR, SpreadMap

OF_ALL = 0.5
"""Weight w of the belief in equal shares where there are many atoms: hardly any."""
OF_STRUCTURES = 1.0
"""Weight w of this belief where there is one error per structure."""
OF_ELEMENT = 5.0
"""Weight w of the belief that an element is like all others."""
LEAST_FLOOR = 1e-3
"""Of the root mean square error. Spread and error of components that vanish by symmetry are both zero, which
must not make others certain."""
LEAST_FACTOR = 0.1
"""Far from the data σ has to grow, whatever the few held-out data say."""

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
        return kept.part((kept.spread > LEAST_FLOOR * spread) | (kept.error > LEAST_FLOOR * error))


def fit_spread_map(data: SpreadErrors, weight: float = OF_ALL) -> SpreadMap:
    """Fit one map to all data; floor 0 and factor 2 where there are none.

    Without any spread the floor is the root mean square error; without any error both are as small as they
    get.

    Args:
        data: spreads and errors.
        weight: w of the belief that floor and spread have equal shares.
    """
    data = data.telling()
    if not len(data.error):
        return SpreadMap()
    belief = _equal_shares(data)
    return _limited(_most_likely(data, belief, weight), data)


def fit_spread_maps(data: SpreadErrors, kinds: np.ndarray, n_kinds: int) -> tuple[SpreadMap, ...]:
    """Fit a map to each kind (element); those of few data are near that of all, those without have it.

    Args:
        data: of all kinds.
        kinds: kind of each ``[n]``.
        n_kinds: number of kinds.
    """
    common = fit_spread_map(data)
    belief = np.log(np.array([common.floor, common.factor]) ** 2) if common.floor else None
    maps = []
    for kind in range(n_kinds):
        own = data.part(kinds == kind).telling()
        if belief is None or not len(own.error):
            maps.append(common)
        else:
            maps.append(_limited(_most_likely(own, belief, OF_ELEMENT), own, common.floor))
    return tuple(maps)


def _rms(values: np.ndarray) -> float:
    return math.sqrt(float(np.mean(np.square(values))))


def _least(data: SpreadErrors) -> float:
    """Return what an error counts at least, a length: the logarithm of zero is none."""
    return max(LEAST_FLOOR * _rms(data.error), 1e-9 * _rms(data.spread), 1e-12)


def _equal_shares(data: SpreadErrors) -> np.ndarray:
    half = 0.5 * _rms(data.error) ** 2 + _least(data) ** 2
    spread = _rms(data.spread)
    factor = half / spread**2 if spread > 0.0 else RAW_FACTOR**2
    return np.asarray(np.log(np.array([half, factor])))


def _limited(t: np.ndarray, data: SpreadErrors, least: float = 0.0) -> SpreadMap:
    floor, factor = np.exp(0.5 * t)
    return SpreadMap(
        max(float(floor), _least(data), LEAST_FLOOR * least),
        max(float(factor), LEAST_FACTOR),
    )


def _most_likely(data: SpreadErrors, belief: np.ndarray, weight: float) -> np.ndarray:
    """Return t: steps of Fisher's scoring from the belief on, damped so that each is an improvement."""
    squares = np.square(data.error) + _least(data) ** 2
    parts = np.stack([np.ones_like(squares), np.square(data.spread)])
    half = 0.5 * data.components

    def value(t: np.ndarray) -> float:
        v = np.exp(t) @ parts
        return float(half * np.sum(np.log(v) + squares / v) + weight * np.sum((t - belief) ** 2))

    t, damping = belief.copy(), 1e-3
    best = value(t)
    for _ in range(_STEPS):
        terms = np.exp(t)[:, None] * parts
        v = terms.sum(axis=0)
        shares = terms / v
        gradient = half * shares @ (1.0 - squares / v) + 2.0 * weight * (t - belief)
        curvature = half * shares @ shares.T + 2.0 * weight * np.eye(2)
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
