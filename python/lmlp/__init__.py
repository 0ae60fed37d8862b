"""Lifelong machine learning potentials: eeACSFs, network ensembles, uncertainties, LAMMPS and ASE.

Importing ``lmlp`` is light: torch, ase and matplotlib are loaded by the parts that need them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from lmlp.version import __version__

_LAZY = {
    "LMLPCalculator": "lmlp.calculators.ase",
}
__all__ = ["LMLPCalculator", "__version__"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'lmlp' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
