"""Files of other programs, read by ASE; labels that its readers would make up are left out or refused."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lmlp.errors import DataError, LMLPError
from lmlp.io.formats.atoms import frame_of
from lmlp.io.formats.convergence import Checked, check_output
from lmlp.io.formats.dumps import KINDS as DUMPS
from lmlp.io.formats.dumps import check_data_file, check_dump
from lmlp.io.frame import Frame
from lmlp.io.notes import Notes, warn
from lmlp.io.open import bare_name, is_compressed, open_stream, take


class _NamedText(io.StringIO):
    """Text in memory with the name of its file, which some readers ask for."""

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text)
        self.name = name


def read_foreign(path: Path, selection: slice, notes: Notes) -> Iterator[Frame]:
    """Read what ASE reads, one frame after the other.

    Steps of a calculation whose electrons did not converge are left out; ``notes`` hear of it. They count in
    ``selection``.

    Raises:
        DataError: an unknown format, a reader that failed, made-up elements, steps that did not converge in a
            format in which they cannot be told from the others.
    """
    kind = ase_format(path)
    source, checked, options = _open(path, kind)
    for index, atoms in take(enumerate(_images(source, kind, path, options)), selection):
        if index in checked.unconverged:
            notes.skip("the electrons did not converge: the step is left out", f"{path}:{index}")
        else:
            yield frame_of(atoms, f"{path}:{index}", made_up=kind in DUMPS)


def ase_format(path: Path) -> str:
    """Return the name that ASE has for the format."""
    from ase.io.formats import UnknownFileTypeError, filetype, ioformats

    kind = ""
    try:
        kind = _kind_of_content(path) if is_compressed(path) else filetype(str(path))
    except LMLPError:
        raise
    except UnknownFileTypeError:
        pass
    except Exception as error:  # readers raise whatever comes along; the user needs the file's name
        raise DataError(f"{path}: cannot be read: {error}") from error
    if kind not in ioformats or not ioformats[kind].can_read:
        what = f" (the ending says {kind})" if kind else ""
        raise DataError(
            f"{path}: unknown file format{what}. Extended XYZ is known by its content, or by the endings "
            ".xyz and .extxyz"
        )
    return kind


def _kind_of_content(path: Path) -> str:
    """Return the format of a compressed file: by its bare name, then by what is in it."""
    from ase.io.formats import UnknownFileTypeError, filetype, ioformats

    try:
        kind = filetype(bare_name(path), read=False)
    except UnknownFileTypeError:
        kind = ""
    if kind in ioformats:
        return str(kind)
    with open_stream(path, "rb") as stream:
        return str(filetype(io.BytesIO(stream.read(50000))))


def _open(path: Path, kind: str) -> tuple[Any, Checked, dict[str, Any]]:
    """Return what ASE reads from, what was found in its text, and options for the reader."""
    from ase.io.formats import ioformats

    nothing = Checked("")
    if kind == "lammps-dump-binary":
        raise DataError(
            f"{path}: binary dumps of LAMMPS say types but no elements; write text with `element`"
        )
    takes_text = ioformats[kind].acceptsfd and not ioformats[kind].isbinary
    if not takes_text and not kind.endswith(("-out", "-output")):
        if not is_compressed(path):
            return str(path), nothing, {}
        with open_stream(path, "rb") as stream:
            return io.BytesIO(stream.read()), nothing, {}
    with open_stream(path, "rb") as stream:
        text = stream.read().decode("utf-8", errors="replace").replace("\r\n", "\n")
    options: dict[str, Any] = {}
    if kind in DUMPS:
        text, options = check_dump(str(path), text)
    elif kind == "lammps-data":
        check_data_file(str(path), text)
    checked = check_output(str(path), kind, text)
    if checked.cut:
        steps = "" if checked.n_steps is None else f": {checked.n_steps} complete steps are read"
        warn(f"{path}: the calculation did not end as it should, or the file is cut{steps}")
    return _NamedText(checked.text, str(path)) if takes_text else str(path), checked, options


def _images(source: Any, kind: str, path: Path, options: dict[str, Any]) -> Iterator[Any]:
    """Read one image after the other where ASE can (databases, trajectories)."""
    import ase.io

    try:
        if kind in ("db", "json"):
            yield from _rows(source, kind)
        else:
            yield from ase.io.iread(source, index=":", format=kind, **options)
    except Exception as error:
        text = str(error) or type(error).__name__
        raise DataError(f"{path}: cannot be read as {kind}: {text}") from error


def _rows(source: Any, kind: str) -> Iterator[Any]:
    """Read the rows of a database with their key-value pairs, which ASE's reader drops."""
    import ase.db

    with ase.db.connect(source, type=kind, serial=True) as database:
        for row in database.select():
            atoms = row.toatoms()
            atoms.info.update(row.key_value_pairs)
            yield atoms
