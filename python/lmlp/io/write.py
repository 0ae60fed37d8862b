"""Write structures as extended XYZ or HDF5, to the last bit, or as ``input.data`` of RuNNer and n2p2."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from lmlp.errors import DataError
from lmlp.files.kinds import STRUCTURES
from lmlp.files.writing import replacing
from lmlp.io.formats.comment import SPELLINGS, write_pair
from lmlp.io.formats.hdf5 import SUFFIXES as HDF5_SUFFIXES
from lmlp.io.formats.hdf5 import write_hdf5
from lmlp.io.formats.runner import runner_text
from lmlp.io.labels import CONSTRAINED
from lmlp.io.losses import EXTXYZ, HDF5, RUNNER, losses, writable_columns, writable_entries
from lmlp.structure import Structure

_COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    ".xz": lzma.compress,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
}
_EXTXYZ = (".xyz", ".extxyz")
_RUNNER = (".data",)


def write_structures(path: str | Path, structures: Iterable[Structure]) -> None:
    """Write structures; the ending names the format. The file appears under its name only when complete.

    ``.xyz``, ``.extxyz``: extended XYZ that reads back bit by bit; units Å, eV, eV/Å, eV/Å³; keys
    ``energy``, ``forces``, ``stress`` (tension positive), and all entries and columns. ``.data``:
    ``input.data`` of RuNNer and n2p2 in Bohr and Hartree; it holds energy and forces, but no stress. Both
    also with .xz, .gz or .bz2, compressed. ``.h5``, ``.hdf5``: HDF5, needs h5py. What a format has no place
    for is left out: :func:`left_out` tells it.

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


def left_out(path: Path, structures: Iterable[Structure]) -> str:
    """Say what the format of ``path`` has no place for; empty if it holds everything."""
    kind = _kind(path)
    parts = [f"the {name} of {count}" for name, count in losses(structures, kind).items()]
    return f"{', '.join(parts)} is left out, {kind} has no place for it" if parts else ""


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


def _kind(path: Path) -> str:
    if path.suffix.lower() in HDF5_SUFFIXES:
        return HDF5
    return RUNNER if _bare_suffix(path) in _RUNNER else EXTXYZ


def _text(path: Path, structures: Iterable[Structure]) -> str:
    if _kind(path) == RUNNER:
        return "".join(runner_text(structures))
    return "".join(line for s in structures for line in _lines(s))


def _lines(structure: Structure) -> Iterator[str]:
    from ase.data import chemical_symbols

    blocks = _columns(structure)
    types = {"f": "R", "i": "I", "u": "I", "b": "L"}
    properties = "species:S:1" + "".join(
        f":{name}:{types.get(block.dtype.kind, 'S')}:{block.shape[1]}" for name, block in blocks.items()
    )
    head = [f'Lattice="{_join(structure.cell)}"'] if structure.cell.any() else []
    head.append(f"Properties={properties}")
    if structure.energy is not None:
        head.append(f"energy={float(structure.energy)!r}")
    if structure.stress is not None:
        head.append(f'stress="{_join(structure.stress)}"')
    spelled = structure.info.get(SPELLINGS)
    texts = spelled if isinstance(spelled, dict) else {}
    head += [write_pair(k, structure.info[k], texts) for k in writable_entries(structure, EXTXYZ)]
    head.append('pbc="' + " ".join("T" if p else "F" for p in structure.pbc) + '"')
    yield f"{len(structure)}\n"
    yield " ".join(head) + "\n"
    for n, z in enumerate(structure.numbers):
        yield " ".join([f"{chemical_symbols[z]:<2}", *(_join(block[n]) for block in blocks.values())]) + "\n"


def _columns(structure: Structure) -> dict[str, np.ndarray]:
    """Return what stands behind the elements: name -> ``[n_atoms, columns]``."""
    n = len(structure)
    blocks = {"pos": structure.positions}
    if structure.forces is not None:
        blocks["forces"] = structure.forces
    constrained = structure.info.get(CONSTRAINED)
    if constrained and "move_mask" not in structure.columns:
        free = np.ones(n, dtype=bool)
        free[list(constrained)] = False
        blocks["move_mask"] = free
    blocks |= {name: structure.columns[name] for name in writable_columns(structure, EXTXYZ)}
    return {name: np.reshape(block, (n, -1)) for name, block in blocks.items()}


def _join(values: np.ndarray) -> str:
    return " ".join(_word(v) for v in np.ravel(values).tolist())


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "T" if value else "F"
    return value if isinstance(value, str) else repr(value)
