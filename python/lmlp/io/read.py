"""Read reference structures from files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from lmlp.errors import DataError, InvalidArgumentError
from lmlp.io.detect import reader_of
from lmlp.io.formats.extxyz import parse_frame, split_frames
from lmlp.io.formats.foreign import read_foreign
from lmlp.io.formats.hdf5 import read_hdf5_frames
from lmlp.io.formats.runner import BOHR_HARTREE, RunnerUnits, read_runner_frames
from lmlp.io.frame import Frame
from lmlp.io.keys import LABELS, NONE, DataKeys
from lmlp.io.labels import to_structure
from lmlp.io.notes import Notes
from lmlp.io.open import check_exists, open_stream, split_index, take
from lmlp.structure import Structure


def read_structures(
    paths: str | Path | Iterable[str | Path],
    keys: DataKeys | None = None,
    *,
    runner_units: RunnerUnits | None = None,
) -> list[Structure]:
    """Read every frame of one or several files.

    Extended XYZ and ``input.data`` of RuNNer and n2p2 (Bohr, Hartree) are known by their content and read
    line by line, HDF5 as written by ``write_structures`` frame by frame; everything else is read by ASE.
    Files ending in .xz, .gz or .bz2 are decompressed as a stream. ``file@start:stop:step`` selects frames as
    in ASE. Forces are those of the file, never altered by constraints. ``Structure.info`` and
    ``Structure.columns`` hold what else the frame has; under ``label_keys`` stand the names that the labels
    had in the file, under ``constrained_atoms`` the atoms that a constraint holds, under ``entry_spellings``
    the texts of numbers that are written in another way.

    A label whose weight is 0, a structure whose weight is 0 and a step of a calculation that did not converge
    are left out, units that the file names are converted: each is told as a DataWarning.

    Args:
        paths: a file or several; order is kept.
        keys: names of the labels; see DataKeys for what is guessed.
        runner_units: of ``input.data`` files that are not in Bohr and Hartree.

    Returns:
        Structures in Å, eV, eV/Å, eV/Å³ (stress: tension positive).

    Raises:
        DataError: no such file, empty or truncated file, ambiguous or missing keys, values not finite,
            weights or units that cannot be obeyed.
        InvalidArgumentError: ``runner_units``, and no file is an ``input.data``.
        UnknownElementError: a symbol that is no element.
        GeometryError: periodic without a cell.
    """
    files = [paths] if isinstance(paths, str | Path) else list(paths)
    if not files:
        raise DataError("no data file given")
    if runner_units is not None and not any_runner(files):
        raise InvalidArgumentError(
            f"units of input.data have no effect: {', '.join(map(str, files))} is of another format"
        )
    return list(iterate_structures(files, keys, runner_units=runner_units))


def any_runner(files: Iterable[str | Path]) -> bool:
    """Tell whether one of the files is an ``input.data`` of RuNNer or n2p2, whose units can be chosen."""
    paths = [split_index(file)[0] for file in files]
    return any(path.is_file() and reader_of(path) == "runner" for path in paths)


def iterate_structures(
    paths: Iterable[str | Path], keys: DataKeys | None = None, *, runner_units: RunnerUnits | None = None
) -> Iterator[Structure]:
    """Read structures one after the other, as :func:`read_structures` does, without keeping them.

    Raises:
        DataError, UnknownElementError, GeometryError: as there; a label that no frame of a file has is only
            known at the end of the file.
    """
    keys = keys or DataKeys()
    for file in paths:
        yield from _structures(file, keys, runner_units or BOHR_HARTREE)


def _structures(file: str | Path, keys: DataKeys, runner_units: RunnerUnits) -> Iterator[Structure]:
    path, selection = split_index(file)
    check_exists(path)
    notes = Notes(str(file))
    yield from labeled(_frames(path, selection, runner_units, notes), keys, notes)


def labeled(frames: Iterable[Frame], keys: DataKeys, notes: Notes) -> Iterator[Structure]:
    """Pick the labels of frames by ``keys``, in eV and Å; ``notes`` are told at the end.

    Raises:
        DataError, GeometryError: as :func:`read_structures`.
    """
    wanted = {label: name for label in LABELS if (name := keys.wanted(label)) not in (None, NONE)}
    present: dict[str, set[str]] = {label: set() for label in wanted}
    n_frames = n_kept = 0
    for frame in frames:
        n_frames += 1
        for label, names in present.items():
            names |= set(frame.columns if label == "forces" else frame.entries)
        structure = to_structure(frame, keys, notes)
        if structure is not None:
            n_kept += 1
            yield structure
    n_frames += notes.n_skipped
    notes.tell(n_frames)
    if n_frames == 0:
        raise DataError(f"{notes.file}: the selection holds no frame")
    for label, names in present.items():
        if wanted[label] not in names:
            there = ", ".join(sorted(names)) or "none"
            raise DataError(
                f"{notes.file}: no frame has {wanted[label]!r} for the {label}; there are: {there}"
            )
    if n_kept == 0:
        raise DataError(f"{notes.file}: no structure is left: {'; '.join(notes.frames)}")


def _frames(path: Path, selection: slice, runner_units: RunnerUnits, notes: Notes) -> Iterator[Frame]:
    """Choose the reader by the content, or by the ending."""
    kind = reader_of(path)
    if kind == "hdf5":
        yield from read_hdf5_frames(path, selection)
    elif kind == "ase":
        yield from read_foreign(path, selection, notes)
    else:
        with open_stream(path, "rt") as stream:
            if kind == "runner":
                yield from take(read_runner_frames(stream, str(path), runner_units), selection)
            else:
                for raw in take(split_frames(stream, str(path)), selection):
                    yield parse_frame(raw, str(path))
