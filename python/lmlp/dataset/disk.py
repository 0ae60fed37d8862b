"""Data larger than memory: converted once to arrays on disk, read when they are used.

The folder of a converted set holds raw arrays (atoms sorted by species within each structure) and, written
last, ``meta.json``, which names the source files; without it the folder is not whole and is made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, overload

import numpy as np

from lmlp.dataset.arrays import Dataset, check_structure
from lmlp.elements import symbol
from lmlp.errors import DataError, InvalidArgumentError, UnknownElementError
from lmlp.structure import Structure
from lmlp.structure.free_atoms import from_plain

_VERSION = 2
BYTES_PER_ATOM = 24 + 24 + 8 + 4 + 4
"""Of positions, forces, order, numbers, species."""
_HEAD = 2**20
_CHUNK = 2**16
_INPUTS = re.compile(r"inputs-\d+\.(bin|json|tmp)")  # of lmlp.dataset.input_file

# name -> dtype and shape of one entry; the first are per atom and too large for memory
_BY_ATOM: dict[str, tuple[str, tuple[int, ...]]] = {
    "numbers": ("<i4", ()),
    "positions": ("<f8", (3,)),
    "forces": ("<f8", (3,)),
    "order": ("<i8", ()),
    "species": ("<i4", ()),
}
_BY_STRUCTURE: dict[str, tuple[str, tuple[int, ...]]] = {
    "n_atoms": ("<i8", ()),
    "cell": ("<f8", (3, 3)),
    "pbc": ("|b1", (3,)),
    "energy": ("<f8", ()),
    "stress": ("<f8", (3, 3)),
    "source_end": ("<i8", ()),
}


@dataclass(frozen=True)
class StreamedDataset(Dataset):
    """A data set whose arrays over atoms stay on disk.

    Attributes:
        digest: fingerprint, computed when the data were converted.
        folder: where the arrays are.
        n_held_out: structures at the end that no member trains on.
    """

    digest: str = ""
    folder: Path = Path()
    n_held_out: int = 0

    def fingerprint(self) -> str:
        """Return a hash of geometries and labels, in their order; that of the same data in memory."""
        return self.digest


class DiskStructures(Sequence[Structure]):
    """Structures of a converted set, made from its arrays one by one; atoms in the order of the files."""

    def __init__(self, folder: Path) -> None:
        self.arrays = {name: _open(folder, name) for name in (*_BY_ATOM, *_BY_STRUCTURE) if name != "species"}
        self.names = np.memmap(folder / "sources.bin", dtype=np.uint8, mode="r")
        self.first = np.concatenate([[0], np.cumsum(self.arrays["n_atoms"])])

    def __len__(self) -> int:
        return len(self.arrays["n_atoms"])

    @overload
    def __getitem__(self, index: int) -> Structure: ...

    @overload
    def __getitem__(self, index: slice) -> list[Structure]: ...

    def __getitem__(self, index: int | slice) -> Structure | list[Structure]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        index = range(len(self))[index]
        a = self.arrays
        atoms = slice(self.first[index], self.first[index + 1])
        back = np.argsort(a["order"][atoms])
        energy, stress, forces = float(a["energy"][index]), np.array(a["stress"][index]), a["forces"][atoms]
        ends = a["source_end"][max(index - 1, 0) : index + 1]
        start = 0 if index == 0 else int(ends[0])
        return Structure(
            numbers=np.array(a["numbers"][atoms])[back],
            positions=np.array(a["positions"][atoms])[back],
            cell=np.array(a["cell"][index]),
            pbc=np.array(a["pbc"][index]),
            energy=None if np.isnan(energy) else energy,
            forces=None if np.isnan(forces[0, 0]) else np.array(forces)[back],
            stress=None if np.isnan(stress[0, 0]) else stress,
            source=bytes(self.names[start : int(ends[-1])]).decode(),
        )


def file_names() -> set[str]:
    """Return the names of the files that a folder of converted data can hold."""
    arrays = {f"{name}.bin" for name in (*_BY_ATOM, *_BY_STRUCTURE, "sources")}
    return arrays | {"meta.json", "meta.tmp"}


def _open(folder: Path, name: str) -> np.ndarray:
    dtype, shape = (_BY_ATOM | _BY_STRUCTURE)[name]
    flat = np.memmap(folder / f"{name}.bin", dtype=dtype, mode="r")
    return flat.reshape(-1, *shape)


def write_converted(
    folder: Path, structures: Iterable[Structure], numbers: Sequence[int] | None, meta: dict[str, Any]
) -> None:
    """Write structures to a folder, one after the other; it is whole when this has returned.

    Args:
        folder: emptied first.
        structures: read once, never held together.
        numbers: atomic numbers in species order; default: those that occur, ascending.
        meta: what the folder will be recognized by.

    Raises:
        DataError, UnknownElementError: a structure that cannot be used; it is named.
        OSError: no space.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rank = np.arange(1024) if numbers is None else np.full(1024, -1)
    if numbers is not None:
        rank[list(numbers)] = np.arange(len(numbers))
    present: set[int] = set()
    files = {name: (folder / f"{name}.bin").open("wb") for name in (*_BY_ATOM, *_BY_STRUCTURE, "sources")}
    try:
        end = count = 0
        for count, s in enumerate(structures, start=1):
            check_structure(s, count - 1)
            kinds = rank[s.numbers]
            if (kinds < 0).any():
                foreign = sorted({symbol(int(z)) for z in s.numbers[kinds < 0]})
                raise UnknownElementError(f"{s.source} contains {', '.join(foreign)}, not among the elements")
            present |= set(np.unique(s.numbers).tolist())
            source = s.source.encode()
            end += len(source)
            _write(files, s, np.argsort(kinds, kind="stable"), end)
            files["sources"].write(source)
        if not count:
            raise DataError("no structures to train on")
    finally:
        for file in files.values():
            file.close()
    species = list(numbers) if numbers is not None else sorted(present)
    _write_species(folder, species)
    digest = Dataset.fingerprint(_dataset(folder, species, ""))
    text = json.dumps({**meta, "version": _VERSION, "numbers": species, "digest": digest})
    (folder / "meta.tmp").write_text(text, encoding="utf-8")
    os.replace(folder / "meta.tmp", folder / "meta.json")


def _write(files: Mapping[str, IO[bytes]], s: Structure, order: np.ndarray, source_end: int) -> None:
    nothing = np.full((3, 3), np.nan)
    stress = nothing if s.stress is None else np.asarray(s.stress, np.float64)
    entry: dict[str, Any] = {
        "numbers": s.numbers[order],
        "positions": s.positions[order],
        "forces": np.full((len(s), 3), np.nan) if s.forces is None else np.asarray(s.forces)[order],
        "order": order,
        "n_atoms": len(s),
        "cell": s.cell,
        "pbc": s.pbc,
        "energy": np.nan if s.energy is None else s.energy,
        "stress": stress,
        "source_end": source_end,
    }
    for name, value in entry.items():
        dtype, _ = (_BY_ATOM | _BY_STRUCTURE)[name]
        files[name].write(np.ascontiguousarray(value, dtype=dtype).tobytes())


def _write_species(folder: Path, species: list[int]) -> None:
    lookup = np.full(max(species) + 1, -1, dtype=np.int32)
    lookup[species] = np.arange(len(species))
    numbers = _open(folder, "numbers")
    with (folder / "species.bin").open("wb") as file:
        for start in range(0, len(numbers), _CHUNK):
            file.write(lookup[numbers[start : start + _CHUNK]].astype("<i4").tobytes())


def _dataset(folder: Path, numbers: list[int], digest: str, n_held_out: int = 0) -> StreamedDataset:
    structures = DiskStructures(folder)
    species = _open(folder, "species")
    first = structures.first.astype(np.int64)
    counts = np.zeros((len(structures), len(numbers)), dtype=np.int64)
    for start in range(0, len(structures), 1024):
        atoms = slice(first[start], first[min(start + 1024, len(structures))])
        sizes = np.diff(first[start : start + 1025])
        owner = np.repeat(np.arange(start, start + len(sizes)), sizes)
        np.add.at(counts, (owner, species[atoms]), 1)
    energies, stress = np.array(structures.arrays["energy"]), np.array(structures.arrays["stress"])
    cells = np.asarray(structures.arrays["cell"])
    labeled = np.isfinite(stress).all(axis=(1, 2))
    volumes = np.where(labeled, [abs(np.linalg.det(c)) for c in cells], 1.0)
    return StreamedDataset(
        structures=structures,
        numbers=numbers,
        order=structures.arrays["order"],
        species=species,
        first_atom=first,
        element_atoms=np.pad(np.cumsum(counts, axis=1), ((0, 0), (1, 0))),
        counts=counts,
        energies=energies,
        forces=structures.arrays["forces"],
        stress=(stress + stress.transpose(0, 2, 1)) / 2,
        volumes=volumes,
        digest=digest,
        folder=folder,
        n_held_out=n_held_out,
    )


def open_converted(folder: Path, meta: dict[str, Any]) -> StreamedDataset | None:
    """Open a converted set; None if it is not whole, or not of these sources."""
    try:
        found = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return None
    if found.get("version") != _VERSION or any(found.get(k) != v for k, v in meta.items()):
        return None
    data = _dataset(folder, found["numbers"], found["digest"], found.get("n_held_out", 0))
    return replace(data, free_atoms=tuple(from_plain(entry) for entry in found.get("free_atoms", [])))


def identify(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Return what files are recognized by: name, size, time of change, hash of the first megabyte."""
    return [_identity(path) for path in paths]


def _identity(path: Path) -> dict[str, Any]:
    status = path.stat()
    with path.open("rb") as file:
        head = hashlib.sha256(file.read(_HEAD)).hexdigest()
    return {
        "path": str(path.resolve()),
        "size": status.st_size,
        "changed": status.st_mtime_ns,
        "head": head,
    }


def chunks(structures: Iterable[Structure], size: int) -> Iterator[list[Structure]]:
    """Cut structures, as they come, into lists."""
    part: list[Structure] = []
    for s in structures:
        part.append(s)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


def check_folder(folder: Path) -> None:
    """Refuse to empty a folder that holds something else than what training puts there.

    Raises:
        InvalidArgumentError: names the folder and what is in it.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InvalidArgumentError(
            f"{folder} exists and is no folder of converted data: choose another output"
        )
    if not folder.exists():
        return
    names = file_names()
    foreign = sorted(
        p.name for p in folder.iterdir() if p.name not in names and not _INPUTS.fullmatch(p.name)
    )
    if foreign:
        raise InvalidArgumentError(
            f"{folder} exists and holds {foreign[0]}: converted data do not replace it; choose another output"
        )
