"""Read reference structures from files."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from lmlp.errors import DataError, LMLPError
from lmlp.io.extxyz import parse_frame, split_frames
from lmlp.io.frame import Frame
from lmlp.io.hdf5 import SUFFIXES as HDF5_SUFFIXES
from lmlp.io.hdf5 import read_hdf5_frames
from lmlp.io.keys import LABELS, NONE, DataKeys
from lmlp.io.labels import to_structure
from lmlp.io.runner import BOHR_HARTREE, RunnerUnits, looks_like_runner, read_runner_frames
from lmlp.io.stream import bare_name, check_exists, is_compressed, open_stream, split_index
from lmlp.structure import Structure

T = TypeVar("T")

_EXTXYZ_SUFFIXES = (".xyz", ".extxyz")


def read_structures(
    paths: str | Path | Iterable[str | Path],
    keys: DataKeys | None = None,
    *,
    runner_units: RunnerUnits = BOHR_HARTREE,
) -> list[Structure]:
    """Read every frame of one or several files.

    Extended XYZ and ``input.data`` of RuNNer and n2p2 (Bohr, Hartree) are read line by line, HDF5 as written
    by ``write_structures`` frame by frame; everything else is read by ASE. Files ending in .xz, .gz or .bz2
    are decompressed as a stream. ``file@start:stop:step`` selects frames as in ASE. Forces are those of the
    file, never altered by constraints. ``Structure.info`` holds what else the frame has, under ``label_keys``
    the names that the labels had in the file, and under ``constrained_atoms`` the atoms that a constraint
    holds.

    Args:
        paths: a file or several; order is kept.
        keys: names of the labels; see DataKeys for what is guessed.
        runner_units: of ``input.data`` files that are not in Bohr and Hartree.

    Returns:
        Structures in Å, eV, eV/Å, eV/Å³ (stress: tension positive).

    Raises:
        DataError: no such file, empty or truncated file, ambiguous or missing keys, values not finite.
        UnknownElementError: a symbol that is no element.
        GeometryError: periodic without a cell.
    """
    files = [paths] if isinstance(paths, str | Path) else list(paths)
    if not files:
        raise DataError("no data file given")
    keys = keys or DataKeys()
    structures: list[Structure] = []
    for file in files:
        found = [(frame, to_structure(frame, keys)) for frame in read_frames(file, runner_units)]
        _check_wanted(str(file), [frame for frame, _ in found], keys)
        structures += [structure for _, structure in found]
    return structures


def read_frames(file: str | Path, runner_units: RunnerUnits = BOHR_HARTREE) -> list[Frame]:
    """Read the frames of one file with all their entries under the names of the file."""
    path, selection = split_index(file)
    check_exists(path)
    frames = list(_frames(path, selection, runner_units))
    if not frames:
        raise DataError(f"{file}: the selection holds no frame")
    return frames


def iterate_structures(
    paths: Iterable[str | Path], keys: DataKeys | None = None, *, runner_units: RunnerUnits = BOHR_HARTREE
) -> Iterator[Structure]:
    """Read structures one after the other, as :func:`read_structures` does, without keeping them.

    Raises:
        DataError, UnknownElementError, GeometryError: as there; a label that no frame of a file has is only
            known at the end of the file.
    """
    keys = keys or DataKeys()
    for file in paths:
        path, selection = split_index(file)
        check_exists(path)
        missing = {label: keys.wanted(label) for label in LABELS if keys.wanted(label) not in (None, NONE)}
        empty = True
        for frame in _frames(path, selection, runner_units):
            empty = False
            for label, name in list(missing.items()):
                if name in (frame.columns if label == "forces" else frame.entries):
                    del missing[label]
            yield to_structure(frame, keys)
        if empty:
            raise DataError(f"{file}: the selection holds no frame")
        for label, name in missing.items():
            raise DataError(f"{file}: no frame has {name!r} for the {label}")


def _check_wanted(file: str, frames: list[Frame], keys: DataKeys) -> None:
    for label in LABELS:
        name = keys.wanted(label)
        if name is None or name == NONE:
            continue
        stores = [frame.columns if label == "forces" else frame.entries for frame in frames]
        if not any(name in store for store in stores):
            present = sorted({n for store in stores for n in store})
            raise DataError(
                f"{file}: no frame has {name!r} for the {label}; there are: {', '.join(present) or 'none'}"
            )


def _is_extxyz(path: Path) -> bool:
    return Path(bare_name(path)).suffix.lower() in _EXTXYZ_SUFFIXES


def _frames(path: Path, selection: slice, runner_units: RunnerUnits) -> Iterator[Frame]:
    """Choose the reader by the ending, or by the first line."""
    if _is_extxyz(path):
        with open_stream(path, "rt") as stream:
            for raw in _select(split_frames(stream, str(path)), selection):
                yield parse_frame(raw, str(path))
    elif path.suffix.lower() in HDF5_SUFFIXES:
        yield from read_hdf5_frames(path, selection)
    elif looks_like_runner(_first_line(path)):
        with open_stream(path, "rt") as stream:
            yield from _select(read_runner_frames(stream, str(path), runner_units), selection)
    else:
        yield from _ase_frames(path, selection)


def _select(frames: Iterator[T], selection: slice) -> Iterable[T]:
    """Take a slice of a stream; only a selection from the end needs all frames at once."""
    if all(x is None or x >= 0 for x in (selection.start, selection.stop, selection.step)):
        return islice(frames, selection.start, selection.stop, selection.step)
    return list(frames)[selection]


def _first_line(path: Path) -> str:
    """Return the first line that is not blank among the first kilobytes, whatever kind of file it is."""
    with open_stream(path, "rb") as stream:
        start = stream.read(4096)
    lines = start.decode(errors="replace").splitlines()
    return next((line for line in lines if line.strip()), "")


def _ase_frames(path: Path, selection: slice) -> Iterator[Frame]:
    from ase.io.formats import UnknownFileTypeError, filetype, ioformats

    kind = "data"
    try:
        if is_compressed(path):
            with open_stream(path, "rb") as stream:
                content = stream.read()
            kind = filetype(bare_name(path), read=False)
            binary = ioformats[kind].isbinary
            source: Any = io.BytesIO(content) if binary else io.StringIO(content.decode())
        else:
            kind, source = filetype(str(path)), str(path)
    except LMLPError:
        raise
    except UnknownFileTypeError as error:
        raise DataError(
            f"{path}: unknown file format ({error}); extended XYZ files end in .xyz or .extxyz"
        ) from error
    except Exception as error:  # readers raise whatever comes along; the user needs the file's name
        raise DataError(f"{path}: cannot be read as {kind}: {error}") from error
    for index, atoms in _select(enumerate(_images(source, kind, path)), selection):
        yield _from_atoms(atoms, f"{path}:{index}")


def _images(source: Any, kind: str, path: Path) -> Iterator[Any]:
    """Read one image after the other where ASE can (databases, trajectories)."""
    import ase.io

    try:
        yield from ase.io.iread(source, index=":", format=kind)
    except Exception as error:
        raise DataError(f"{path}: cannot be read as {kind}: {error}") from error


def _from_atoms(atoms: Any, source: str) -> Frame:
    """Copy atoms and the stored results of a calculation; raw forces, as the calculator has them."""
    results = dict(getattr(atoms.calc, "results", {})) if atoms.calc is not None else {}
    results = {k: v for k, v in results.items() if v is not None}
    columns = {k: v for k, v in atoms.arrays.items() if k not in ("numbers", "positions")}
    entries = dict(atoms.info)
    for name, value in results.items():
        per_atom = np.ndim(value) > 0 and np.shape(value)[0] == len(atoms) and name != "stress"
        (columns if per_atom else entries)[name] = value
    constrained = sorted({int(i) for c in atoms.constraints for i in np.ravel(getattr(c, "index", []))})
    if len(atoms) == 0 or (atoms.numbers < 1).any():
        raise DataError(f"{source}: a frame without atoms, or with atoms that are no element")
    return Frame(
        numbers=np.array(atoms.numbers, dtype=np.int32),
        positions=np.array(atoms.positions, dtype=np.float64),
        cell=np.array(atoms.cell, dtype=np.float64),
        pbc=np.array(atoms.pbc, dtype=bool),
        source=source,
        entries=entries,
        columns=columns,
        constrained=constrained,
    )
