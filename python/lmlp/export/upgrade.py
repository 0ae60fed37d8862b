"""Upgrades of older model files: one function ``upgrade_vN`` per format version N, applied in turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lmlp.errors import ModelFileError

# The newest that this version of lmlp reads; what it writes is the oldest that can hold the model.
FORMAT_VERSION = 4

# Entries of `lmlp.json` that models may be without (null), and the version that each came with. They are the
# fields of `ModelData` of the same names.
FIELDS = {"baseline": 2, "free_atoms": 3, "spread_maps": 4, "distance": 4}


def upgrade_v1(header: dict[str, Any]) -> dict[str, Any]:
    """Version 2 came with baselines; readers of version 1 would leave one out without a word."""
    if "baseline" in header:
        raise ModelFileError("a baseline in a file of format version 1, which knows none")
    return {**header, "baseline": None}


def upgrade_v2(header: dict[str, Any]) -> dict[str, Any]:
    """Version 3 came with free atoms; older readers would leave them out without a word."""
    if "free_atoms" in header:
        raise ModelFileError("free_atoms in a file of an older format version than 3, which knows none")
    return {**header, "free_atoms": None}


def upgrade_v3(header: dict[str, Any]) -> dict[str, Any]:
    """Version 4 came with spread maps and distances; before, σ of forces was one of components."""
    for key in ("spread_maps", "distance"):
        if key in header:
            raise ModelFileError(f"{key} in a file of an older format version than 4, which knows none")
    return {**header, "spread_maps": None, "distance": None}


# N -> function that turns the `lmlp.json` of version N into that of version N + 1. Version 1 is the first.
UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {
    1: upgrade_v1,
    2: upgrade_v2,
    3: upgrade_v3,
}


def upgrade(header: dict[str, Any]) -> dict[str, Any]:
    """Bring the ``lmlp.json`` of an older version to ``FORMAT_VERSION``."""
    while header["format_version"] < FORMAT_VERSION:
        version = header["format_version"]
        header = {**UPGRADES[version](header), "format_version": version + 1}
    return header
