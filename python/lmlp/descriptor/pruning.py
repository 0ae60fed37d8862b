"""Functions that are of no use for the elements of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lmlp.descriptor.spec import element_weights, normalize_spec

_Row = dict[str, Any]


@dataclass(frozen=True)
class Dropped:
    """A function that :func:`prune` removed.

    Attributes:
        index: its row in the given spec.
        function: the row.
        reason: why it is useless for these elements.
    """

    index: int
    function: dict[str, Any]
    reason: str


def prune(spec: Mapping[str, Any], elements: Sequence[str]) -> tuple[dict[str, Any], list[Dropped]]:
    """Drop functions that are zero for all given elements or copy another one.

    Two functions are copies when they differ at most in element weights and these are proportional: then
    both are functions of one sum (with the scalings ``linear`` and ``sqrt``, the same up to a factor).

    Returns:
        The spec without them, and what was dropped and why. The order of the rest is kept.
    """
    normal = normalize_spec(spec)
    kept: list[_Row] = []
    dropped: list[Dropped] = []
    seen: dict[tuple[Any, ...], int] = {}
    for index, (row, weights) in enumerate(
        zip(normal["functions"], element_weights(normal, elements), strict=True)
    ):
        if _vanishes(row, weights, len(elements)):
            dropped.append(Dropped(index, row, f"its weight is 0 for all of {', '.join(elements)}"))
            continue
        key = _form(row, weights, len(elements))
        if key in seen:
            dropped.append(Dropped(index, row, f"for {', '.join(elements)} it copies function {seen[key]}"))
            continue
        seen[key] = index
        kept.append(row)
    return {**normal, "functions": kept}, dropped


def _factor_weights(row: _Row, weights: Sequence[float], n_elements: int) -> list[Sequence[float]]:
    """Return the weights of a function, or of each factor of a correlation function."""
    if row["kind"] != "correlation":
        return [weights]
    return [weights[k * n_elements : (k + 1) * n_elements] for k in range(len(row["factors"]))]


def _vanishes(row: _Row, weights: Sequence[float], n_elements: int) -> bool:
    return any(max(w) == 0 for w in _factor_weights(row, weights, n_elements))


def _form(row: _Row, weights: Sequence[float], n_elements: int) -> tuple[Any, ...]:
    """Return what copies of a function have in common; the order of factors does not matter."""
    parts = row["factors"] if row["kind"] == "correlation" else [row]
    forms = []
    for part, w in zip(parts, _factor_weights(row, weights, n_elements), strict=True):
        form = tuple(sorted((k, v) for k, v in part.items() if k not in ("weight", "weight2", "combine")))
        forms.append((form, tuple(round(x / max(w), 12) for x in w)))
    return (row["kind"], *sorted(forms))
