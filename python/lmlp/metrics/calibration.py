"""How well predicted σ tell the errors that were made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from lmlp.metrics.errors import finite
from lmlp.metrics.ranking import auroc, spearman
from lmlp.metrics.scores import (
    by_component,
    by_length,
    checked_pair,
    conformal_multiples,
    crps,
    negative_log_likelihood,
    sharpness,
)

RELIABILITY_LEVELS = np.round(np.arange(0.05, 1.0, 0.05), 2)
COVERAGE_LEVELS = (0.5, 0.68, 0.9, 0.95)


@dataclass(frozen=True)
class Calibration:
    """How well predicted σ tell the errors that were made.

    Attributes:
        n: number of errors: of components, or of vectors where σ is the length of vectors.
        coverage_1: fraction of components within 1 σ (0.683 for a normal distribution).
        coverage_2: fraction of components within 2 σ (0.954).
        coverage: fraction of components within the central interval of each of ``COVERAGE_LEVELS``.
        spearman: rank correlation of σ and the size of errors; None when undefined.
        auroc: probability that one of the worst 1 % of the errors has a larger σ than one of the others;
            None when undefined.
        factor: what σ has to be multiplied with to have the size of the errors on the average; None if
            all σ are 0.
        nll: mean negative logarithm of the likelihood of components; None if a σ is 0.
        crps: mean continuous ranked probability score of components.
        sharpness: root mean square σ, of vectors where it is theirs.
        multiples: how many σ hold a share of the errors (``conformal_multiples``).
        levels: confidence levels of the reliability curve.
        observed: fraction of components within the interval of each level; ``levels`` when calibrated.
        area: mean \\|observed − level\\|: 0 is perfect.
    """

    n: int
    coverage_1: float
    coverage_2: float
    coverage: dict[str, float]
    spearman: float | None
    auroc: float | None
    factor: float | None
    nll: float | None
    crps: float
    sharpness: float
    multiples: dict[str, float | None]
    levels: np.ndarray
    observed: np.ndarray
    area: float

    def block(self) -> dict[str, Any]:
        """Return it as plain JSON data; ``ratio`` is ``factor``, ``quantiles`` are ``multiples``."""
        return {
            "n": self.n,
            "ratio": self.factor,
            "coverage_1": self.coverage_1,
            "coverage_2": self.coverage_2,
            "coverage": dict(self.coverage),
            "spearman": self.spearman,
            "auroc": self.auroc,
            "area": self.area,
            "nll": self.nll,
            "crps": self.crps,
            "sharpness": self.sharpness,
            "quantiles": dict(self.multiples),
            "reliability": {"levels": self.levels.tolist(), "observed": self.observed.tolist()},
        }


def normal_multiple(level: float) -> float:
    """Half width, in standard deviations, of the central interval of a normal distribution."""
    return NormalDist().inv_cdf(0.5 * (1.0 + level))


def calibration_factor(sigma: np.ndarray, errors: np.ndarray) -> float | None:
    """Factor c that gives c·σ the size of the errors on the average: RMSE / √mean(σ²); None if all σ are 0.

    The mean of (error/σ)² would ask for the same of ideal data, but a few σ close to zero decide it. Of σ
    ``[n]`` of vectors ``[n, k]`` it is the RMSE of their lengths.
    """
    sigma, size = by_length(sigma, errors)
    if not (sigma > 0.0).any():
        return None
    return float(np.sqrt(np.mean(size**2) / np.mean(sigma**2)))


def observed_coverage(sigma: np.ndarray, errors: np.ndarray, multiples: Sequence[float]) -> np.ndarray:
    """Fraction of the components within each multiple of their σ, ``[n_multiples]``."""
    sigma, errors = by_component(sigma, errors)
    magnitude = np.abs(errors)
    return np.array([np.mean(magnitude <= multiple * sigma) for multiple in multiples])


def calibrate(sigma: np.ndarray, errors: np.ndarray) -> Calibration | None:
    """Compare σ with the errors made; None without data.

    The reliability curve asks, for each confidence level, how often the error fell inside the interval that a
    normal distribution of width σ gives for that level.

    Args:
        sigma: of the shape of the errors; or ``[n]`` of vectors ``[n, k]``, where σ is the root mean square
            length of the error vector and a component has σ/√k. Ranks, sharpness and multiples are then
            those of lengths.
        errors: predicted − reference.
    """
    sigma, errors = checked_pair(sigma, errors)
    if sigma.size == 0:
        return None
    of_size, size = by_length(sigma, errors)
    likelihood, score, width = negative_log_likelihood(sigma, errors), crps(sigma, errors), sharpness(sigma)
    assert score is not None
    assert width is not None
    observed = observed_coverage(sigma, errors, [normal_multiple(p) for p in RELIABILITY_LEVELS])
    within = observed_coverage(sigma, errors, [1.0, 2.0, *map(normal_multiple, COVERAGE_LEVELS)])
    return Calibration(
        n=int(sigma.size),
        coverage_1=float(within[0]),
        coverage_2=float(within[1]),
        coverage={f"{level:g}": float(c) for level, c in zip(COVERAGE_LEVELS, within[2:], strict=True)},
        spearman=spearman(of_size, size),
        auroc=auroc(of_size, size),
        factor=calibration_factor(sigma, errors),
        nll=likelihood,
        crps=score,
        sharpness=width,
        multiples=conformal_multiples(sigma, errors),
        levels=RELIABILITY_LEVELS.copy(),
        observed=observed,
        area=float(np.mean(np.abs(observed - RELIABILITY_LEVELS))),
    )


def bin_by_sigma(sigma: np.ndarray, errors: np.ndarray, n_bins: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Root mean square σ and error in bins of equal population, sorted by σ: ``([n_bins], [n_bins])``.

    A calibrated model has both equal in every bin. Fewer bins come back when there are too few values.
    """
    sigma, errors = finite("sigma", sigma).ravel(), finite("errors", errors).ravel()
    order = np.argsort(sigma, kind="stable")
    parts = [part for part in np.array_split(order, max(1, min(n_bins, sigma.size // 5))) if part.size]
    mean_sigma = np.array([np.sqrt(np.mean(sigma[part] ** 2)) for part in parts])
    mean_error = np.array([np.sqrt(np.mean(errors[part] ** 2)) for part in parts])
    return mean_sigma, mean_error
