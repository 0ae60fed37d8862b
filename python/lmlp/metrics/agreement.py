"""Whether data contradict the σ that a model states."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmlp.errors import InvalidArgumentError
from lmlp.metrics.calibration import COVERAGE_LEVELS, normal_multiple
from lmlp.metrics.scores import by_component, by_length

FEWEST_GROUPS = 5
"""Of fewer structures nothing is said: how much structures differ cannot be told."""
_STANDARD_ERRORS = 3.0
_TOLERANCE = 1.25  # in σ: less is of no use to anybody, however certain
_MUCH = 20.0  # percent of the errors

AGREE, LARGER, SMALLER, UNKNOWN = "agree", "larger", "smaller", "unknown"


@dataclass(frozen=True)
class LevelCheck:
    """One confidence level.

    Attributes:
        level: share of the errors that should be within ``multiple`` σ.
        multiple: number of σ.
        observed: share that is within.
        standard_error: by which ``observed`` may differ from ``level`` by chance, from how much structures
            differ.
        ratio: what σ has to be multiplied with so that the share is right.
    """

    level: float
    multiple: float
    observed: float
    standard_error: float
    ratio: float

    @property
    def contradicts(self) -> bool:
        """Whether chance does not explain the difference, and it is large enough to matter."""
        certain = abs(self.observed - self.level) > _STANDARD_ERRORS * self.standard_error
        return certain and not 1.0 / _TOLERANCE <= self.ratio <= _TOLERANCE


@dataclass(frozen=True)
class CoverageCheck:
    """Whether errors contradict the σ that a model states.

    Attributes:
        verdict: ``agree``; ``larger`` or ``smaller`` errors than σ says; ``unknown`` for too few structures.
        levels: what was compared.
        n_groups: number of structures.
    """

    verdict: str
    levels: tuple[LevelCheck, ...]
    n_groups: int

    @property
    def worst(self) -> LevelCheck | None:
        """The level that decided the verdict; None where nothing contradicts."""
        wrong = [one for one in self.levels if one.contradicts]
        if self.verdict not in (LARGER, SMALLER):
            return None
        sign = 1.0 if self.verdict == LARGER else -1.0
        return max(wrong, key=lambda one: sign * math.log(max(one.ratio, 1e-300)))

    def sentence(self, name: str, *, advice: bool = True) -> str:
        """Say it of the errors of a quantity, e.g. ``force``; with what to do about it."""
        if self.verdict == UNKNOWN:
            return f"{name} errors: {self.n_groups} structures are too few to check σ"
        found = self.worst
        if found is None:
            chance = 100.0 * _STANDARD_ERRORS * max((one.standard_error for one in self.levels), default=0.0)
            few = f", as far as few structures tell (± {chance:.0f} % by chance)"
            return f"{name} errors agree with σ" + (few if chance > _MUCH else "")
        told = (
            f"{100.0 * found.observed:.0f} % of them lie within {found.multiple:.2f} σ instead of "
            f"{100.0 * found.level:.0f} %"
        )
        if self.verdict == LARGER:
            size = f" (σ would have to be {found.ratio:.2g} times as large)" if found.ratio < math.inf else ""
            do = "; learn these data (lmlp learn), or fit σ to such data (lmlp calibrate)" if advice else ""
            return f"{name} errors are larger than σ says: {told}{size}{do}"
        return (
            f"{name} errors are smaller than σ says: {told}; {found.ratio:.2g} times σ would be enough for "
            "such data"
        )

    def block(self) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return {
            "verdict": self.verdict,
            "n_structures": self.n_groups,
            "levels": [
                {
                    "level": one.level,
                    "multiple": one.multiple,
                    "observed": one.observed,
                    "standard_error": one.standard_error,
                    "ratio": one.ratio if math.isfinite(one.ratio) else None,
                }
                for one in self.levels
            ],
        }


def coverage_check(
    sigma: np.ndarray,
    errors: np.ndarray,
    groups: np.ndarray,
    multiples: Mapping[str, float | None] | None = None,
    n_calibration: int | None = None,
) -> CoverageCheck:
    """Compare the shares of errors within multiples of σ with what they should be.

    Errors of one structure are not independent: what chance explains is taken from how much structures
    differ. A contradiction is more than three standard errors, and asks for a σ that is 1.25 times as large
    or small.

    Args:
        sigma: as for ``calibrate``, ``[n]`` of errors ``[n]`` or ``[n, k]``.
        errors: predicted − reference.
        groups: which structure each belongs to, integers ``[n]``.
        multiples: how many σ hold a share of the errors by what the model stores
            (``conformal_multiples``, of lengths); those of normal components where None.
        n_calibration: number of structures that ``multiples`` come from, which have errors by chance, too.
    """
    errors = np.asarray(errors, dtype=np.float64)
    groups = np.asarray(groups)
    if groups.shape != errors.shape[:1]:
        raise InvalidArgumentError(f"{groups.size} groups for {len(errors)} errors")
    numbers = np.unique(groups, return_inverse=True)[1].ravel()
    if multiples is None:
        sigma, size = by_component(sigma, errors)
        numbers = np.repeat(numbers, size.size // max(len(errors), 1))
        expected = [(level, normal_multiple(level)) for level in COVERAGE_LEVELS]
    else:
        sigma, size = by_length(sigma, errors)
        numbers = np.repeat(numbers, size.size // max(len(errors), 1))
        stored = ((float(level), multiple) for level, multiple in multiples.items())
        expected = [(level, m) for level, m in stored if m is not None and level in COVERAGE_LEVELS]
    n_groups = int(numbers.max(initial=-1)) + 1
    levels = _levels(sigma, np.abs(size), numbers, expected, n_calibration) if n_groups else ()
    return CoverageCheck(_verdict(levels, n_groups), levels, n_groups)


def _levels(
    sigma: np.ndarray,
    size: np.ndarray,
    numbers: np.ndarray,
    expected: Sequence[tuple[float, float]],
    n_calibration: int | None,
) -> tuple[LevelCheck, ...]:
    counts = np.bincount(numbers).astype(np.float64)
    ratios = np.where(size > 0.0, np.inf, 0.0)
    np.divide(size, sigma, out=ratios, where=sigma > 0.0)
    ratios.sort()
    levels = []
    for level, multiple in expected:
        within = np.bincount(numbers, size <= multiple * sigma)
        observed = float(within.sum() / counts.sum())
        n = len(counts)
        # of a ratio of sums over structures
        variance = ((within - observed * counts) ** 2).sum() / counts.sum() ** 2 * n / max(n - 1, 1)
        variance = max(variance, level * (1.0 - level) / counts.sum())
        if n_calibration:
            variance *= 1.0 + n / n_calibration
        needed = float(ratios[min(math.ceil(level * len(ratios)), len(ratios)) - 1])
        ratio = needed / multiple if multiple > 0.0 else (1.0 if needed == 0.0 else math.inf)
        levels.append(LevelCheck(level, multiple, observed, math.sqrt(variance), ratio))
    return tuple(levels)


def _verdict(levels: Sequence[LevelCheck], n_groups: int) -> str:
    if n_groups < FEWEST_GROUPS or not levels:
        return UNKNOWN
    wrong = [one.ratio for one in levels if one.contradicts]
    if any(ratio > 1.0 for ratio in wrong):
        return LARGER
    return SMALLER if wrong else AGREE
