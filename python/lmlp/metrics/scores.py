"""Scores of predicted normal distributions: one number for the size of σ and its order together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lmlp.errors import InvalidArgumentError
from lmlp.metrics.errors import finite

MULTIPLE_LEVELS = (0.5, 0.68, 0.9, 0.95, 0.99)
"""Confidence levels of conformal multiples."""


def checked_pair(sigma: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return σ ≥ 0 and errors as float64 arrays of one shape, or σ ``[n]`` of vectors ``[n, k]``."""
    sigma, errors = finite("sigma", sigma), finite("errors", errors)
    vectors = errors.ndim == 2 and sigma.shape == errors.shape[:1]
    if sigma.shape != errors.shape and not vectors:
        raise InvalidArgumentError(
            f"{sigma.size} values of σ for {errors.size} errors (shapes {sigma.shape} and {errors.shape})"
        )
    if (sigma < 0.0).any():
        raise InvalidArgumentError(f"σ is negative for {np.count_nonzero(sigma < 0.0)} values")
    return sigma, errors


def by_component(sigma: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return σ and errors of single components, flat.

    σ ``[n]`` of vectors ``[n, k]`` is the root mean square length of the error vector: each component has
    σ/√k. Arrays of the same shape are components already.
    """
    sigma, errors = checked_pair(sigma, errors)
    if sigma.shape != errors.shape:
        n_components = errors.shape[1]
        sigma = np.repeat(sigma / math.sqrt(n_components), n_components)
    return sigma.ravel(), errors.ravel()


def by_length(sigma: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return σ and sizes of errors, flat: lengths of vectors where σ is one number for each."""
    sigma, errors = checked_pair(sigma, errors)
    if sigma.shape != errors.shape:
        return sigma, np.linalg.norm(errors, axis=1)
    return sigma.ravel(), np.abs(errors).ravel()


def negative_log_likelihood(sigma: np.ndarray, errors: np.ndarray) -> float | None:
    """Mean of ½ ln(2πσ²) + error²/(2σ²) over components: the smaller the better; the unit is ln of that of σ.

    Returns:
        None without errors, and where a σ is 0, which has no likelihood.
    """
    sigma, errors = by_component(sigma, errors)
    if sigma.size == 0 or not (sigma > 0.0).all():
        return None
    return float(np.mean(0.5 * math.log(2.0 * math.pi) + np.log(sigma) + 0.5 * (errors / sigma) ** 2))


_erf = np.frompyfunc(math.erf, 1, 1)


def crps(sigma: np.ndarray, errors: np.ndarray) -> float | None:
    """Continuous ranked probability score, mean over components, in the unit of σ: the smaller the better.

    ∫ (Φ(t/σ) − [t ≥ error])² dt = σ (z (2Φ(z) − 1) + 2φ(z) − 1/√π) with z = error/σ; \\|error\\| for σ = 0.
    None without errors.
    """
    sigma, errors = by_component(sigma, errors)
    if sigma.size == 0:
        return None
    scores = np.abs(errors)
    known = sigma > 0.0
    z = scores[known] / sigma[known]
    inside = _erf(z / math.sqrt(2.0)).astype(np.float64)
    density = np.exp(-0.5 * z * z) * math.sqrt(2.0 / math.pi)
    scores[known] = sigma[known] * (z * inside + density - 1.0 / math.sqrt(math.pi))
    return float(scores.mean())


def sharpness(sigma: np.ndarray) -> float | None:
    """Root mean square σ: of two calibrated models, the one with the smaller one knows more."""
    sigma = finite("sigma", sigma)
    return float(np.sqrt(np.mean(sigma**2))) if sigma.size else None


def conformal_multiples(
    sigma: np.ndarray, errors: np.ndarray, levels: Sequence[float] = MULTIPLE_LEVELS
) -> dict[str, float | None]:
    """How many σ hold a given share of the errors, without assuming a distribution.

    The multiple of level p is the ⌈(n + 1)·p⌉-th smallest size(error)/σ of n errors: the next error of the
    same kind is smaller than so many σ with a probability of at least p. Errors of atoms of one structure
    resemble each other, so that n counts for less than it says.

    Args:
        sigma: ``[n]`` of vectors, whose lengths are meant, or of the shape of the errors.
        errors: ``[n, k]`` or any shape.
        levels: between 0 and 1.

    Returns:
        by level (``"0.95"``); None where n is too small for it, or where the σ of that error is 0.
    """
    sigma, size = by_length(sigma, errors)
    ratio = np.where(size > 0.0, np.inf, 0.0)
    np.divide(size, sigma, out=ratio, where=sigma > 0.0)
    ratio.sort()
    multiples: dict[str, float | None] = {}
    for level in levels:
        # rounded: (n + 1)·p may miss an integer by its last bit
        place = math.ceil(round((len(ratio) + 1) * level, 9))
        value = float(ratio[place - 1]) if 1 <= place <= len(ratio) else math.inf
        multiples[f"{level:g}"] = value if math.isfinite(value) else None
    return multiples
