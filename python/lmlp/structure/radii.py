"""Covalent radii: what counts as a bond, and below which distance atoms repel each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lmlp.elements import atomic_number
from lmlp.errors import UnknownElementError

_LAST = 96  # curium; beyond it there are no measured radii


def covalent_radii(symbols: Sequence[str]) -> np.ndarray:
    """Return single-bond covalent radii in Å, float64 ``[n]`` (doi 10.1039/b801115j).

    Raises:
        UnknownElementError: an element beyond curium, which has none.
    """
    from ase.data import covalent_radii as table

    numbers = [atomic_number(symbol) for symbol in symbols]
    missing = [symbol for symbol, z in zip(symbols, numbers, strict=True) if z > _LAST]
    if missing:
        raise UnknownElementError(f"{', '.join(missing)}: there are covalent radii of H to Cm only")
    return np.asarray(table[numbers], dtype=np.float64)


def radii_of_numbers(numbers: np.ndarray) -> np.ndarray:
    """Return covalent radii in Å by atomic number ``[n]``; beyond curium, that of curium."""
    from ase.data import covalent_radii as table

    return np.asarray(table[np.minimum(numbers, _LAST)], dtype=np.float64)
