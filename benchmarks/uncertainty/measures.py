"""How well σ tells errors: calibration, likelihood, and whether it finds the worst atoms."""

from __future__ import annotations

import numpy as np
from lmlp.metrics import RELIABILITY_LEVELS, normal_multiple, rank, spearman
from scipy.stats import norm

COVERAGES = (0.5, 0.68, 0.9, 0.95)
WORST = 0.01


def force_measures(sigma: np.ndarray, error: np.ndarray) -> dict[str, float]:
    """Measure σ of forces.

    Args:
        sigma: root mean square length of the error, eV/Å ``[n]``, or of each component ``[n, 3]``.
        error: eV/Å ``[n, 3]``.

    Returns:
        measures of components (rmse, area, coverages, nll, crps, sharpness) and of atoms (spearman, auroc).
    """
    components = sigma if sigma.ndim == 2 else np.repeat(sigma[:, None] / np.sqrt(3.0), 3, axis=1)
    lengths = np.sqrt((components**2).sum(axis=1))
    found = normal_measures(components.ravel(), error.ravel())
    sizes = np.linalg.norm(error, axis=1)
    found["spearman"] = spearman(lengths, sizes) or 0.0
    found["auroc"] = auroc(lengths, sizes >= np.quantile(sizes, 1.0 - WORST))
    return found


def normal_measures(sigma: np.ndarray, error: np.ndarray) -> dict[str, float]:
    """Measure σ as that of a normal distribution of the errors; both ``[n]``."""
    z = np.abs(error) / sigma
    observed = np.array([np.mean(z <= normal_multiple(p)) for p in RELIABILITY_LEVELS])
    crps = sigma * (z * (2.0 * norm.cdf(z) - 1.0) + 2.0 * norm.pdf(z) - 1.0 / np.sqrt(np.pi))
    return {
        "rmse": float(np.sqrt(np.mean(error**2))),
        "area": float(np.abs(observed - RELIABILITY_LEVELS).mean()),
        **{f"within_{100 * p:.0f}": float(np.mean(z <= normal_multiple(p))) for p in COVERAGES},
        "nll": float(np.mean(0.5 * np.log(2.0 * np.pi * sigma**2) + 0.5 * z**2)),
        "crps": float(crps.mean()),
        "sharpness": float(np.sqrt(np.mean(sigma**2))),
    }


def auroc(score: np.ndarray, bad: np.ndarray) -> float:
    """Probability that a bad one has a larger score than a good one."""
    n_bad, n_good = np.count_nonzero(bad), np.count_nonzero(~bad)
    return float((rank(score)[bad].sum() - n_bad * (n_bad + 1) / 2) / (n_bad * n_good))
