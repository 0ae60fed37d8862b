"""Sizes of errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lmlp.errors import InvalidArgumentError


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


def finite(name: str, values: np.ndarray) -> np.ndarray:
    """Return values of any shape as float64; raise InvalidArgumentError on NaN rather than hiding it."""
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise InvalidArgumentError(
            f"{name}: {np.count_nonzero(~np.isfinite(array))} of {array.size} values are NaN or infinite"
        )
    return array


def summarize(errors: np.ndarray) -> ErrorSummary:
    """Summarize errors of any shape over all components; raises on NaN rather than hiding it."""
    flat = finite("errors", errors).ravel()
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
