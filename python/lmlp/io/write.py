"""Write structures as extended XYZ or HDF5, to the last bit, or as ``input.data`` of RuNNer and n2p2."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lmlp.errors import DataError
from lmlp.files.kinds import STRUCTURES
from lmlp.files.writing import replacing
from lmlp.io.hdf5 import SUFFIXES as HDF5_SUFFIXES
from lmlp.io.hdf5 import write_hdf5
from lmlp.io.labels import CONSTRAINED, LABEL_KEYS
from lmlp.io.runner import runner_text
from lmlp.structure import Structure

_COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    ".xz": lzma.compress,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
}
_EXTXYZ = (".xyz", ".extxyz")
_RUNNER = (".data",)
_RESERVED = {"energy", "stress", "virial", "pbc", "Lattice", "Properties", LABEL_KEYS, CONSTRAINED}


def write_structures(path: str | Path, structures: Iterable[Structure]) -> None:
    """Write structures; the ending names the format. The file appears under its name only when complete.

    ``.xyz``, ``.extxyz``: extended XYZ that reads back bit by bit; units Å, eV, eV/Å, eV/Å³; keys
    ``energy``, ``forces``, ``stress`` (tension positive). ``.data``: ``input.data`` of RuNNer and n2p2 in
    Bohr and Hartree; it holds energy and forces, but no stress. Both also with .xz, .gz or .bz2, compressed.
    ``.h5``, ``.hdf5``: HDF5, needs h5py.

    Raises:
        DataError: nothing to write, another ending, or a structure that the format has no place for.
        InvalidArgumentError: there is a file of another kind.
        OutputError: it cannot be written.
    """
    path = Path(path)
    check_writable(path)
    structures = list(structures)
    if not structures:
        raise DataError(f"{path}: no structure to write")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, STRUCTURES) as unfinished:
        if path.suffix.lower() in HDF5_SUFFIXES:
            write_hdf5(unfinished, structures)
        else:
            compress = _COMPRESSORS.get(path.suffix.lower())
            content = _text(path, structures).encode()
            unfinished.write_bytes(compress(content) if compress else content)


def check_writable(path: Path) -> None:
    """Raise DataError when the ending names no format that can be written."""
    if path.suffix.lower() not in HDF5_SUFFIXES and _bare_suffix(path) not in (*_EXTXYZ, *_RUNNER):
        raise DataError(
            f"{path}: structures are written as .xyz or .extxyz, or as .data (RuNNer, n2p2), also with .xz, "
            ".gz or .bz2, or as .h5 or .hdf5"
        )


def _bare_suffix(path: Path) -> str:
    """Return the ending before that of a compression."""
    bare = Path(path.stem) if path.suffix.lower() in _COMPRESSORS else path
    return bare.suffix.lower()


def _text(path: Path, structures: Iterable[Structure]) -> str:
    if _bare_suffix(path) in _RUNNER:
        return "".join(runner_text(structures))
    return "".join(line for s in structures for line in _lines(s))


def _lines(structure: Structure) -> Iterator[str]:
    from ase.data import chemical_symbols

    properties = "species:S:1:pos:R:3" + (":forces:R:3" if structure.forces is not None else "")
    constrained = structure.info.get(CONSTRAINED)
    free = np.ones(len(structure), dtype=bool)
    if constrained:
        properties += ":move_mask:L:1"
        free[list(constrained)] = False
    head = [f'Lattice="{_join(structure.cell)}"'] if structure.cell.any() else []
    head.append(f"Properties={properties}")
    if structure.energy is not None:
        head.append(f"energy={float(structure.energy)!r}")
    if structure.stress is not None:
        head.append(f'stress="{_join(structure.stress)}"')
    head += [_pair(k, v) for k, v in structure.info.items() if k not in _RESERVED]
    head.append('pbc="' + " ".join("T" if p else "F" for p in structure.pbc) + '"')
    yield f"{len(structure)}\n"
    yield " ".join(head) + "\n"
    for n, z in enumerate(structure.numbers):
        words = [f"{chemical_symbols[z]:<2}", _join(structure.positions[n])]
        if structure.forces is not None:
            words.append(_join(structure.forces[n]))
        if constrained:
            words.append("T" if free[n] else "F")
        yield " ".join(words) + "\n"


def _join(values: np.ndarray) -> str:
    return " ".join(repr(float(v)) for v in np.ravel(values))


def _pair(key: str, value: Any) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        text = "T" if value else "F"
    elif isinstance(value, int | float):
        text = repr(value)
    elif isinstance(value, str):
        text = value
    elif isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "if" and value.size > 1:
        text = " ".join(repr(v) for v in value.tolist())
    else:
        text = "_JSON " + json.dumps(value.tolist() if isinstance(value, np.ndarray) else value, default=str)
    return f"{_quote(key)}={_quote(text)}"


def _quote(text: str) -> str:
    if text and not any(c in " \t\n\"'{}[]\\=," for c in text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'
