"""Where the shifted Gaussians of a preset begin: short enough for any bond, or where the data begin."""

from __future__ import annotations

from lmlp.errors import InvalidArgumentError

ANYWHERE = (0.8, 0.9)
"""First centers of radial and angular functions in Å that suit bonds of hydrogen."""

# Below the shortest distance, so that what comes a little closer still lies on a Gaussian's flank.
_MARGIN = 0.15
# Equal specs for data that differ by little.
_STEP = 0.05
_SHORTEST = 0.3
# Of the last center: the range keeps half of its length, or the Gaussians would become too narrow.
_LATEST = 0.5


def first_centers(shortest: float | None, last: tuple[float, float]) -> tuple[float, float]:
    """Return the first centers of radial and angular functions in Å.

    Args:
        shortest: shortest distance in the data in Å; None if unknown.
        last: last centers of radial and angular functions in Å.

    Raises:
        InvalidArgumentError: a distance that is not positive.
    """
    if shortest is None:
        return ANYWHERE
    if not shortest > 0:
        raise InvalidArgumentError(f"shortest distance in the data: {shortest!r} Å, must be positive")
    radial = max(shortest - _MARGIN, _SHORTEST)
    angular = radial + ANYWHERE[1] - ANYWHERE[0]
    return _rounded(min(radial, _LATEST * last[0])), _rounded(min(angular, _LATEST * last[1]))


def _rounded(value: float) -> float:
    return round(_STEP * round(value / _STEP), 10)
