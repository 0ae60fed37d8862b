"""Error measures of energies, forces and stresses, and how well σ tells the error. numpy only.

Every function takes plain arrays and is silent about units: they are those of the input (eV, eV/Å, eV/Å³).
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from lmlp.errors import InvalidArgumentError

RELIABILITY_LEVELS = np.round(np.arange(0.05, 1.0, 0.05), 2)


@dataclass(frozen=True)
class ErrorSummary:
    """Size of a set of errors.

    Attributes:
        n: number of errors (components, for vectors).
        rmse: root mean square; None when n = 0, never 0 for lack of data.
        mae: mean absolute value; likewise.
        largest: largest absolute value; likewise.
    """

    n: int
    rmse: float | None
    mae: float | None
    largest: float | None


def _flat(name: str, values: np.ndarray) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64).ravel()
    if not np.isfinite(array).all():
        raise InvalidArgumentError(
            f"{name}: {np.count_nonzero(~np.isfinite(array))} of {array.size} values are NaN or infinite"
        )
    return array


def summarize(errors: np.ndarray) -> ErrorSummary:
    """Summarize errors of any shape over all components; raises on NaN rather than hiding it."""
    flat = _flat("errors", errors)
    if flat.size == 0:
        return ErrorSummary(0, None, None, None)
    magnitude = np.abs(flat)
    return ErrorSummary(
        n=int(flat.size),
        rmse=float(np.sqrt(np.mean(flat * flat))),
        mae=float(magnitude.mean()),
        largest=float(magnitude.max()),
    )


def summarize_by(labels: np.ndarray, errors: np.ndarray) -> dict[int, ErrorSummary]:
    """Summarize ``errors [n, …]`` for every distinct integer of ``labels [n]``, e.g. atomic numbers."""
    labels = np.asarray(labels)
    errors = np.asarray(errors, dtype=np.float64)
    if len(labels) != len(errors):
        raise InvalidArgumentError(f"{len(labels)} labels for {len(errors)} errors")
    return {int(label): summarize(errors[labels == label]) for label in np.unique(labels)}


def rank(values: np.ndarray) -> np.ndarray:
    """Ranks 1 … n of ``values [n]``; ties share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - 0.5 * (counts - 1))[inverse.ravel()]


def spearman(a: np.ndarray, b: np.ndarray) -> float | None:
    """Spearman rank correlation; None when there are fewer than two values or one side is constant."""
    a, b = _flat("a", a), _flat("b", b)
    if a.size != b.size:
        raise InvalidArgumentError(f"{a.size} values against {b.size}")
    if a.size < 2:
        return None
    x, y = rank(a), rank(b)
    x, y = x - x.mean(), y - y.mean()
    norm = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / norm if norm > 0.0 else None


@dataclass(frozen=True)
class Calibration:
    """How well predicted σ tell the errors that were made.

    Attributes:
        n: number of (σ, error) pairs.
        coverage_1: fraction of errors within 1 σ (0.683 for a normal distribution).
        coverage_2: fraction of errors within 2 σ (0.954).
        spearman: rank correlation of σ and \\|error\\|; None when undefined.
        factor: what σ has to be multiplied with to have the size of the errors on the average.
        levels: confidence levels of the reliability curve.
        observed: fraction of errors within the interval of each level; ``levels`` itself when calibrated.
        area: mean \\|observed − level\\|: 0 is perfect.
    """

    n: int
    coverage_1: float
    coverage_2: float
    spearman: float | None
    factor: float | None
    levels: np.ndarray
    observed: np.ndarray
    area: float


def normal_multiple(level: float) -> float:
    """Half width, in standard deviations, of the central interval of a normal distribution."""
    return NormalDist().inv_cdf(0.5 * (1.0 + level))


def calibration_factor(sigma: np.ndarray, errors: np.ndarray) -> float | None:
    """Factor c that gives c·σ the size of the errors on the average: RMSE / √mean(σ²); None if all σ are 0.

    The mean of (error/σ)² would ask for the same of ideal data, but a few σ close to zero decide it.
    """
    sigma, errors = _flat("sigma", sigma), _flat("errors", errors)
    if sigma.size != errors.size:
        raise InvalidArgumentError(f"{sigma.size} values of σ for {errors.size} errors")
    if not (sigma > 0.0).any():
        return None
    return float(np.sqrt(np.mean(errors**2) / np.mean(sigma**2)))


def calibrate(sigma: np.ndarray, errors: np.ndarray) -> Calibration | None:
    """Compare σ with the errors made, component by component; None without data.

    The reliability curve asks, for each confidence level, how often the error fell inside the interval that a
    normal distribution of width σ gives for that level.
    """
    sigma, errors = _flat("sigma", sigma), _flat("errors", errors)
    if sigma.size != errors.size:
        raise InvalidArgumentError(f"{sigma.size} values of σ for {errors.size} errors")
    if (sigma < 0.0).any():
        raise InvalidArgumentError(f"σ is negative for {np.count_nonzero(sigma < 0.0)} values")
    if sigma.size == 0:
        return None
    magnitude = np.abs(errors)
    observed = np.array([np.mean(magnitude <= normal_multiple(p) * sigma) for p in RELIABILITY_LEVELS])
    return Calibration(
        n=int(sigma.size),
        coverage_1=float(np.mean(magnitude <= sigma)),
        coverage_2=float(np.mean(magnitude <= 2.0 * sigma)),
        spearman=spearman(sigma, magnitude),
        factor=calibration_factor(sigma, errors),
        levels=RELIABILITY_LEVELS.copy(),
        observed=observed,
        area=float(np.mean(np.abs(observed - RELIABILITY_LEVELS))),
    )


def bin_by_sigma(sigma: np.ndarray, errors: np.ndarray, n_bins: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Root mean square σ and error in bins of equal population, sorted by σ: ``([n_bins], [n_bins])``.

    A calibrated model has both equal in every bin. Fewer bins come back when there are too few values.
    """
    sigma, errors = _flat("sigma", sigma), _flat("errors", errors)
    order = np.argsort(sigma, kind="stable")
    parts = [part for part in np.array_split(order, max(1, min(n_bins, sigma.size // 5))) if part.size]
    mean_sigma = np.array([np.sqrt(np.mean(sigma[part] ** 2)) for part in parts])
    mean_error = np.array([np.sqrt(np.mean(errors[part] ** 2)) for part in parts])
    return mean_sigma, mean_error
