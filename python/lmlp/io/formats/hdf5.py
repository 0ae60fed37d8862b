"""Structures in one HDF5 file: arrays over all structures and over all atoms, read in part without the rest.

Layout (attributes ``format = lmlp-structures``, ``version = 1``), units Å, eV, eV/Å, eV/Å³:

    n_atoms [S]   cell [S, 3, 3]   pbc [S, 3]   energy [S]   stress [S, 3, 3]   info [S] (JSON)
    numbers [A]   positions [A, 3]   forces [A, 3]   columns (lmlp.io.formats.hdf5_columns)

A label that a structure lacks is NaN.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lmlp.errors import DataError
from lmlp.io.formats.comment import SPELLINGS
from lmlp.io.formats.hdf5_columns import Columns, write_columns
from lmlp.io.formats.plain import from_json, to_json
from lmlp.io.frame import Frame
from lmlp.io.labels import CONSTRAINED
from lmlp.io.losses import HDF5, writable_columns, writable_entries
from lmlp.structure import Structure

SUFFIXES = (".h5", ".hdf5")
_FORMAT = "lmlp-structures"
_VERSION = 1
_BY_STRUCTURE = ("n_atoms", "cell", "pbc", "energy", "stress", "info")
_BY_ATOM = ("numbers", "positions", "forces")


def _h5py() -> Any:
    try:
        import h5py
    except ImportError:
        raise DataError("HDF5 files need h5py: pip install h5py") from None
    return h5py


def write_hdf5(path: Path, structures: Sequence[Structure]) -> None:
    """Write structures to ``path``, whose ending is left to the caller; values read back bit by bit."""
    h5py = _h5py()
    nothing = np.full((3, 3), np.nan)
    text = h5py.string_dtype()
    with h5py.File(path, "w") as file:
        file.attrs["format"], file.attrs["version"] = _FORMAT, _VERSION
        options = {"compression": "gzip", "shuffle": True}
        file.create_dataset("n_atoms", data=np.array([len(s) for s in structures], dtype=np.int64))
        file.create_dataset("cell", data=np.stack([s.cell for s in structures]), **options)
        file.create_dataset("pbc", data=np.stack([s.pbc for s in structures]))
        energies = [np.nan if s.energy is None else s.energy for s in structures]
        file.create_dataset("energy", data=np.array(energies, dtype=np.float64))
        stresses = [nothing if s.stress is None else s.stress for s in structures]
        file.create_dataset("stress", data=np.stack(stresses), **options)
        file.create_dataset("numbers", data=np.concatenate([s.numbers for s in structures]), **options)
        file.create_dataset("positions", data=np.concatenate([s.positions for s in structures]), **options)
        forces = [np.full((len(s), 3), np.nan) if s.forces is None else s.forces for s in structures]
        file.create_dataset("forces", data=np.concatenate(forces), **options)
        info = [to_json(_entries(s)) for s in structures]
        file.create_dataset("info", data=np.array(info, dtype=object), dtype=text)
        columns = [{n: s.columns[n] for n in writable_columns(s, HDF5)} for s in structures]
        write_columns(file, columns, text, options)


def _entries(structure: Structure) -> dict[str, Any]:
    keys = [*writable_entries(structure, HDF5), CONSTRAINED, SPELLINGS]
    return {k: structure.info[k] for k in keys if k in structure.info}


def read_hdf5_frames(path: Path, selection: slice = slice(None)) -> Iterator[Frame]:
    """Read the selected structures, each with one access to the file.

    Raises:
        DataError: not such a file, of a newer version, or with arrays that do not fit each other.
    """
    h5py = _h5py()
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise DataError(f"{path}: not an HDF5 file, or damaged ({error})") from error
    with file:
        _check(file, path)
        n_atoms = file["n_atoms"][:]
        first = np.concatenate([[0], np.cumsum(n_atoms)])
        columns = Columns(file, n_atoms)
        for index in range(*selection.indices(len(n_atoms))):
            atoms = slice(int(first[index]), int(first[index + 1]))
            yield _frame(file, index, atoms, path, columns.of(index))


def _check(file: Any, path: Path) -> None:
    if file.attrs.get("format") != _FORMAT:
        raise DataError(f"{path}: an HDF5 file, but none that `lmlp data convert` wrote")
    if file.attrs["version"] > _VERSION:
        version = file.attrs["version"]
        raise DataError(f"{path}: version {version} of the format; this lmlp reads up to {_VERSION}")
    missing = [name for name in (*_BY_STRUCTURE, *_BY_ATOM) if name not in file]
    if missing:
        raise DataError(f"{path}: no {', '.join(missing)} in the file")
    n_structures, n_atoms = len(file["n_atoms"]), int(file["n_atoms"][:].sum())
    for names, length in ((_BY_STRUCTURE, n_structures), (_BY_ATOM, n_atoms)):
        for name in names:
            if len(file[name]) != length:
                raise DataError(f"{path}: {name} has {len(file[name])} entries, not {length}")
    if n_structures == 0:
        raise DataError(f"{path}: no frame in the file")


def _frame(file: Any, index: int, atoms: slice, path: Path, columns: dict[str, np.ndarray]) -> Frame:
    entries = from_json(file["info"].asstr()[index])
    constrained, spellings = entries.pop(CONSTRAINED, []), entries.pop(SPELLINGS, {})
    energy, stress = float(file["energy"][index]), file["stress"][index]
    if not np.isnan(energy):
        entries["energy"] = energy
    if not np.isnan(stress).all():
        entries["stress"] = stress
    forces = file["forces"][atoms]
    return Frame(
        numbers=file["numbers"][atoms].astype(np.int32),
        positions=file["positions"][atoms],
        cell=file["cell"][index],
        pbc=file["pbc"][index].astype(bool),
        source=f"{path}:{index}",
        entries=entries,
        columns=columns if np.isnan(forces).all() else {**columns, "forces": forces},
        spellings=spellings,
        constrained=[int(i) for i in constrained],
    )
