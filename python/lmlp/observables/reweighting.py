"""What the mean over a trajectory would be with each member of an ensemble (docs/observables.md).

The trajectory follows the mean energy Ē of the members at β = 1/(k_B T). Member m would visit its frames
with the weights w_m ∝ exp(−β (E_m − Ē)). Few frames carry all the weight where β (E_m − Ē) varies by much
more than 1, as it does in large systems; the first order of the weights is then the better estimate. Source:
Imbalzano et al., J. Chem. Phys. 2021, 154, 074102 (doi 10.1063/5.0036522).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from ase import units
from numpy.typing import ArrayLike

from lmlp.errors import DataError, InvalidArgumentError, UncertaintyError
from lmlp.observables.result import CUMULANT, DIRECT, Observable

METHODS = ("auto", DIRECT, CUMULANT)
BLOCKS = 10
# Share of the frames that the weights of every member must leave for the direct method. Weights whose
# exponents are normal leave exp(−variance): a variance of 1.2.
LEAST_EFFECTIVE = 0.3


@dataclass(frozen=True)
class Weights:
    """Weights of the frames of a trajectory for each member.

    Attributes:
        exponents: −β·factor·(E_m − Ē), the mean over frames taken away ``[n_members, n_frames]``.
        method: ``direct`` or ``cumulant``.
        factor: what the differences of the members were multiplied by.
        blocks: of consecutive frames, for statistical errors.
    """

    exponents: np.ndarray
    method: str
    factor: float = 1.0
    blocks: int = BLOCKS

    @classmethod
    def of(
        cls,
        energies: ArrayLike,
        temperature: float,
        *,
        factor: float = 1.0,
        method: str = "auto",
        blocks: int = BLOCKS,
    ) -> Weights:
        """Make the weights.

        Args:
            energies: total energies of the members in eV ``[n_members, n_frames]``.
            temperature: of the trajectory, K.
            factor: members are taken this many times as far from their mean as they are.
            method: ``direct``, ``cumulant``, or ``auto``: direct where the weights of every member leave 30 %
                of the frames.
            blocks: number of blocks for statistical errors, each longer than the memory of the trajectory.

        Raises:
            UncertaintyError: fewer than two members.
            InvalidArgumentError: a temperature or factor that is not positive, an unknown method, fewer than
                two blocks.
            DataError: fewer than two frames for each block, or energies that are not finite.
        """
        table = _checked_energies(energies)
        if not (np.isfinite(temperature) and temperature > 0.0):
            raise InvalidArgumentError(f"temperature = {temperature} K: give a positive number")
        if not (np.isfinite(factor) and factor > 0.0):
            raise InvalidArgumentError(f"factor = {factor}: give a positive number")
        if method not in METHODS:
            raise InvalidArgumentError(f"method {method!r} is not one of {', '.join(METHODS)}")
        if blocks < 2:
            raise InvalidArgumentError(f"blocks = {blocks}: give at least 2")
        if table.shape[1] < 2 * blocks:
            raise DataError(
                f"{table.shape[1]} frames: a mean with errors needs at least {2 * blocks}, "
                f"two for each of {blocks} blocks"
            )
        exponents = -factor / (units.kB * temperature) * (table - table.mean(axis=0))
        exponents -= exponents.mean(axis=1, keepdims=True)
        if method == "auto":
            effective = _effective(_exponentials(exponents)).min() / table.shape[1]
            method = DIRECT if effective >= LEAST_EFFECTIVE else CUMULANT
        return cls(exponents, method, factor, blocks)

    @property
    def effective(self) -> np.ndarray:
        """Frames that the weights of each member leave ``[n_members]``."""
        return _effective(_exponentials(self.exponents))

    @property
    def n_frames(self) -> int:
        """Frames of the trajectory."""
        return int(self.exponents.shape[1])

    def __call__(
        self, values: ArrayLike, *, per_member: bool = False, name: str = "the quantity"
    ) -> Observable:
        """Return mean and errors of a quantity.

        Args:
            values: of each frame ``[n_frames, ...]``.
            per_member: the quantity depends on the potential, as the energy does: values of each member in
                each frame ``[n_members, n_frames, ...]``.
            name: for messages.

        Raises:
            DataError: another number of frames or members, or values that are not finite; with the direct
                method, weights of a member that rest on one block.
        """
        table = self._checked(values, name, per_member=per_member)
        weights = _exponentials(self.exponents) if self.method == DIRECT else self.exponents
        parts = [_Sums.of(weights[:, part], table[:, part]) for part in self._parts()]
        left = [_total(parts[:k] + parts[k + 1 :]) for k in range(self.blocks)]
        members = self._means(_total(parts))
        without = np.stack([self._means(sums) for sums in left])
        if not np.isfinite(without).all():
            raise DataError(f"{name}: the weights of a member rest on few frames: choose the cumulant method")
        plain = table.mean(axis=1)
        means = np.stack([sums.plain / sums.count for sums in left])
        width = table.std(axis=1)
        moved = np.abs(members - plain)[width > 0.0] / width[width > 0.0]
        return Observable(
            mean=plain.mean(axis=0),
            sigma=members.std(axis=0, ddof=1),
            statistical=_jackknife(means.mean(axis=1)),
            sigma_statistical=_jackknife(without.std(axis=1, ddof=1)),
            members=members,
            shift=float(moved.max()) if moved.size else 0.0,
            method=self.method,
            effective=self.effective,
            n_frames=self.n_frames,
        )

    def _parts(self) -> list[slice]:
        ends = np.linspace(0, self.n_frames, self.blocks + 1).astype(int)
        return [slice(a, b) for a, b in pairwise(ends)]

    def _checked(self, values: ArrayLike, name: str, *, per_member: bool) -> np.ndarray:
        """Return ``[n_members, n_frames, ...]``."""
        table = np.asarray(values, dtype=np.float64)
        wanted = self.exponents.shape if per_member else self.exponents.shape[1:]
        if table.shape[: len(wanted)] != wanted:
            what = "members and frames" if per_member else "frames"
            raise DataError(f"{name}: shape {table.shape}, but there are {wanted} {what}")
        if not np.isfinite(table).all():
            raise DataError(f"{name}: not a finite number in a frame")
        return table if per_member else np.broadcast_to(table, (len(self.exponents), *table.shape))

    def _means(self, sums: _Sums) -> np.ndarray:
        """Return the mean of each member ``[n_members, ...]``."""
        weights = sums.weights.reshape(-1, *(1,) * (sums.plain.ndim - 1))
        if self.method == DIRECT:
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.asarray(sums.weighted / weights)
        # the exponent is −βΔE: ⟨a⟩ − β (⟨a ΔE⟩ − ⟨a⟩⟨ΔE⟩)
        mean = sums.plain / sums.count
        return np.asarray(mean + sums.weighted / sums.count - mean * weights / sums.count)


@dataclass(frozen=True)
class _Sums:
    """Sums over frames; ``weights`` are weights (direct) or exponents (cumulant)."""

    count: int
    weights: np.ndarray
    plain: np.ndarray
    weighted: np.ndarray

    @classmethod
    def of(cls, weights: np.ndarray, values: np.ndarray) -> _Sums:
        """Sum over the frames of ``weights [n_members, n_frames]``, ``values [n_members, n_frames, ...]``."""
        return cls(
            count=weights.shape[1],
            weights=weights.sum(axis=1),
            plain=values.sum(axis=1),
            weighted=np.einsum("mt,mt...->m...", weights, values),
        )


def _total(parts: Sequence[_Sums]) -> _Sums:
    return _Sums(
        sum(p.count for p in parts),
        np.sum([p.weights for p in parts], axis=0),
        np.sum([p.plain for p in parts], axis=0),
        np.sum([p.weighted for p in parts], axis=0),
    )


def _checked_energies(energies: ArrayLike) -> np.ndarray:
    table = np.asarray(energies, dtype=np.float64)
    if table.ndim != 2:
        raise DataError(f"energies of the members: shape {table.shape}, but [n_members, n_frames] is needed")
    if len(table) < 2:
        raise UncertaintyError(f"{len(table)} member: σ needs the energies of at least two")
    if not np.isfinite(table).all():
        raise DataError("energies of the members: not a finite number in a frame")
    return table


def _exponentials(exponents: np.ndarray) -> np.ndarray:
    """Return weights; the largest of each member is 1."""
    return np.asarray(np.exp(exponents - exponents.max(axis=1, keepdims=True)))


def _effective(weights: np.ndarray) -> np.ndarray:
    return np.asarray(weights.sum(axis=1) ** 2 / (weights**2).sum(axis=1))


def _jackknife(without: np.ndarray) -> np.ndarray:
    """Return the standard error from estimates that leave out one block each ``[n_blocks, ...]``."""
    n = len(without)
    return np.asarray(np.sqrt((n - 1) / n * ((without - without.mean(axis=0)) ** 2).sum(axis=0)))
