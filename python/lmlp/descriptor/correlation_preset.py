"""Functions of the preset ``eeacsf-correlation``: many-body functions of element channels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement, product
from typing import Any

import numpy as np

from lmlp.errors import InvalidArgumentError

_Row = dict[str, Any]


def independent_channels(names: Sequence[str], weights: Sequence[Sequence[float]]) -> list[str]:
    """Return the element properties whose weights are not linear combinations of earlier ones.

    Args:
        names: element properties.
        weights: of each property for the elements of the model ``[n_names, n_elements]``.
    """
    kept: list[str] = []
    rows: list[Sequence[float]] = []
    for name, row in zip(names, weights, strict=True):
        if np.linalg.matrix_rank(np.array([*rows, row]), tol=1e-9) > len(rows):
            kept.append(name)
            rows.append(row)
    return kept


def couplings(n_factors: int, l_max: int) -> list[tuple[int, ...]]:
    """Return the degrees l_1 ≤ … ≤ l_n from 1 to l_max whose functions are not zero: even sum, no l alone."""
    lists = combinations_with_replacement(range(1, l_max + 1), n_factors)
    return [ls for ls in lists if sum(ls) % 2 == 0 and 2 * ls[-1] <= sum(ls)]


def pair_functions(channels: Sequence[str], n: int, l_max: int, span: int) -> Iterator[list[Any]]:
    """Yield factors (channel, radial function, l) of power spectra of radial functions ≤ span apart."""
    for a, b in combinations_with_replacement(channels, 2):
        for r, s in product(range(n), range(n)):
            if abs(r - s) > span or (a == b and r > s):
                continue
            for degree in range(l_max + 1):
                yield [(a, r, degree), (b, s, degree)]


def multiple_functions(channels: Sequence[str], n: int, l_max: int, n_factors: int) -> Iterator[list[Any]]:
    """Yield functions of three or more factors of one radial function.

    At most one factor has a channel other than the first: all of them would be too many, and gain little.
    """
    for ls in couplings(n_factors, l_max):
        for r in range(n):
            yield [(channels[0], r, degree) for degree in ls]
            for k, other in product(range(n_factors), channels[1:]):
                if k > 0 and ls[k] == ls[k - 1]:
                    continue  # the same product in another order
                yield [(other if i == k else channels[0], r, degree) for i, degree in enumerate(ls)]


def correlation_rows(
    functions: Iterator[list[Any]], shifts: Sequence[float], etas: Sequence[float]
) -> list[_Row]:
    """Return the rows of a spec."""
    return [
        {
            "kind": "correlation",
            "factors": [
                {"weight": weight, "eta": etas[r], "shift": shifts[r], "l": degree}
                for weight, r, degree in factors
            ],
        }
        for factors in functions
    ]


def growing_centers(r_min: float, r_max: float, n: int, growth: float) -> tuple[list[float], list[float]]:
    """Return n centers of shifted Gaussians and their η, widths as the distances between centers.

    Args:
        r_min: first center in Å.
        r_max: last center in Å.
        n: number of centers.
        growth: centers are equally spaced in R^(1/growth): 1 for equal widths, larger for finer functions at
            short and broader ones at long distance.

    Raises:
        InvalidArgumentError: fewer than two centers, an empty range, or a growth below 1.
    """
    if n < 2 or not 0 < r_min < r_max or growth < 1:
        raise InvalidArgumentError(
            "shifted Gaussians need 2 or more centers, 0 < r_min < r_max and a growth of 1 or more, "
            f"given {n} from {r_min} to {r_max} Å with growth {growth}"
        )
    centers = np.linspace(r_min ** (1 / growth), r_max ** (1 / growth), n) ** growth
    width = np.gradient(centers)
    return [round(float(c), 10) for c in centers], [round(float(e), 10) for e in 1 / (2 * width**2)]
