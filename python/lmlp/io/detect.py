"""Which reader a file needs: decided by what is in it, then by its ending."""

from __future__ import annotations

import re
from pathlib import Path

from lmlp.errors import DataError
from lmlp.io.formats.hdf5 import SUFFIXES as HDF5_SUFFIXES
from lmlp.io.formats.runner import looks_like_runner
from lmlp.io.open import bare_name, open_stream

_EXTXYZ_SUFFIXES = (".xyz", ".extxyz")
_HEAD = 2**16
_PAIR = re.compile(r"(properties|lattice)\s*=", re.IGNORECASE)
_ATOM = re.compile(r"\s*[A-Za-z]{1,2}(\s+[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?){3}(\s|$)")


def reader_of(path: Path) -> str:
    """Return ``extxyz``, ``hdf5``, ``runner`` (``input.data``) or ``ase``: what ASE reads.

    Raises:
        DataError: a damaged archive, text in UTF-16.
    """
    if path.suffix.lower() in HDF5_SUFFIXES:
        return "hdf5"
    with open_stream(path, "rb") as stream:
        head = stream.read(_HEAD)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{path}: is UTF-16 text; save it as UTF-8")
    lines = head.decode("utf-8-sig", errors="replace").splitlines()
    if looks_like_runner(lines):
        return "runner"
    if Path(bare_name(path)).suffix.lower() in _EXTXYZ_SUFFIXES or _looks_like_extxyz(lines):
        return "extxyz"
    return "ase"


def _looks_like_extxyz(lines: list[str]) -> bool:
    """Tell whether text begins with a number of atoms, a line of pairs and an atom."""
    while lines and not lines[0].strip():
        lines = lines[1:]
    if len(lines) < 3 or not re.fullmatch(r"\s*[0-9]+\s*", lines[0], re.ASCII):
        return False
    return bool(_PAIR.search(lines[1])) or ("=" in lines[1] and bool(_ATOM.match(lines[2])))
