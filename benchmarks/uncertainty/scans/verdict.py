"""Whether what warns keeps up with the errors along a path."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LARGE = 5.0
"""Errors above this many times the stated one must not pass unseen."""
THRESHOLD = 3.0
"""Of the combined grade: what `lmlp md` and fix lmlp/select keep structures at by default."""
ALONE = 1.5
"""Of the distance where there is no grade: a threshold that warns in time."""


@dataclass(frozen=True)
class Verdict:
    """What a watch with a threshold makes of one kind of error along a path that is walked from the data.

    Attributes:
        unseen: largest error of a structure below the threshold.
        late: structures with a large error before the first warning.
        silent: whether there is never a warning of a large error, or the warning falls back below the
            threshold while errors are large.
    """

    unseen: float
    late: int
    silent: bool


def judge(errors: np.ndarray, warnings: np.ndarray, threshold: float = THRESHOLD) -> Verdict:
    """Compare errors over the stated ones with what warns of them (grades, distances, or both) ``[n]``."""
    below = warnings < threshold
    large = errors > LARGE
    first = len(below) if below.all() else int(np.argmin(below))
    late = int(large[:first].sum())
    silent = bool((large & below)[first:].any() or (late and below.all()))
    return Verdict(float(errors[below].max(initial=0.0)), late, silent)
