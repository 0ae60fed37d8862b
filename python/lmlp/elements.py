"""Chemical elements and the element tables that weight eeACSFs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lmlp import _core


def atomic_number(symbol: str) -> int:
    """Return the atomic number of a chemical symbol; raises UnknownElementError."""
    return int(_core.atomic_number(symbol))


def symbol(z: int) -> str:
    """Return the chemical symbol of an atomic number 1 to 118; raises UnknownElementError."""
    return str(_core.symbol(z))


def element_table(name: str) -> dict[str, Any]:
    """Return one element table as plain data.

    Keys: ``name``, ``properties`` (names of h_t), ``maxima`` (M_t), ``values`` (symbol -> h_t). Raises
    InvalidArgumentError for an unknown name. Source: JCTC 2023, 19, 3509 (doi 10.1021/acs.jctc.3c00279).
    """
    return dict(_core.element_table(name))


def default_table(elements: Sequence[str]) -> str:
    """Return the name of the table for these elements: ``h-xe`` up to xenon, else ``h-og``."""
    heaviest = max((atomic_number(element) for element in elements), default=1)
    return "h-xe" if heaviest <= atomic_number("Xe") else "h-og"
