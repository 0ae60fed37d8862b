"""How much energies rise, in units of what forces or stress demand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Row(NamedTuple):
    """What a pair of similar structures tells of one label; energies in eV.

    Attributes:
        first, second: indices of the structures.
        rise: of the energy from the first to the second.
        mine, other: demanded by the label of the first, and of the second.
        strained: what the stress demands has been taken off the rise.
    """

    first: int
    second: int
    rise: float
    mine: float
    other: float
    strained: bool = False


@dataclass(frozen=True)
class Slope:
    """Line through the origin with the smallest absolute deviations, and how well it fits.

    Attributes:
        n: number of pairs.
        value: rise of the energy per demanded rise; 1 where labels belong together.
        left: share of the rises that the line leaves over, 0 to 1.
        apart: median difference between rise and demand, in units of the sizes of the two terms of demand.
        bend: mean sign of the curvature along the step, weighted with its size: near 1 in honest data, as
            energies curve upward along bonds; −1 where signs are wrong, in between for random forces.
        stable: both halves of the pairs give the same value within a factor of two.
    """

    n: int
    value: float
    left: float
    apart: float
    bend: float
    stable: bool

    def is_one(self, within: float, left: float = 0.25) -> bool:
        """Tell whether the value is 1 within a factor, and well determined."""
        return self.left < left and self.value > 0 and abs(np.log(self.value)) < np.log(within)

    def is_other(self, beyond: float, left: float) -> bool:
        """Tell whether the value is positive, off 1 by more than a factor, and well determined."""
        good = self.stable and self.left < left and self.value > 0
        return bool(good and abs(np.log(self.value)) > np.log(beyond))

    def agrees(self, other: Slope) -> bool:
        """Tell whether another slope is the same within a factor of three."""
        return other.value != 0.0 and 1.0 / 3.0 < self.value / other.value < 3.0


def slope_of(rows: Sequence[Row], *, even: bool = False) -> Slope | None:
    """Fit the rises of pairs to what their labels demand; see :func:`fit_slope`."""
    rises = np.array([row.rise for row in rows])
    return fit_slope(rises, np.array([(row.mine, row.other) for row in rows]), even=even)


def fit_slope(rises: np.ndarray, terms: np.ndarray, *, even: bool = False) -> Slope | None:
    """Fit rises to demands, each the sum of two terms.

    Args:
        rises: eV ``[n]``.
        terms: eV ``[n, 2]``.
        even: count pairs alike, whatever the size of their terms, so that a few do not decide for all.

    Returns:
        None where rises and terms determine nothing.
    """
    if even:
        sizes = np.abs(terms).sum(axis=1)
        sizes[sizes == 0.0] = 1.0
        rises, terms = rises / sizes, terms / sizes[:, None]
    demands = terms.sum(axis=1)
    total = float(np.abs(rises).sum())
    if total == 0.0 or not np.any(demands):
        return None
    value = _least_deviation(rises, demands)
    halves = [_least_deviation(rises[k::2], demands[k::2]) for k in (0, 1)]
    stable = value != 0.0 and all(0.5 < half / value < 2.0 for half in halves)
    bends = terms[:, 1] - terms[:, 0]
    sizes = np.abs(terms).sum(axis=1)
    curved = float(np.abs(bends).sum())
    return Slope(
        n=len(rises),
        value=value,
        left=float(np.abs(rises - value * demands).sum()) / total,
        apart=float(np.median(np.abs(rises - demands) / np.where(sizes > 0.0, sizes, 1.0))),
        bend=float(bends.sum()) / curved if curved > 0.0 else 0.0,
        stable=stable,
    )


def _least_deviation(rises: np.ndarray, demands: np.ndarray) -> float:
    """Return the weighted median of rises / demands, with weights |demands|."""
    use = demands != 0.0
    if not use.any():
        return 0.0
    ratios, weights = rises[use] / demands[use], np.abs(demands[use])
    order = np.argsort(ratios)
    reached = np.cumsum(weights[order])
    return float(ratios[order][np.searchsorted(reached, 0.5 * reached[-1])])
