"""The one rule for all commands: which files an output may name (docs/outputs.md)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lmlp.errors import InvalidArgumentError
from lmlp.files.kinds import CHECKPOINT, MODEL
from lmlp.files.writing import check_kind, check_room

_ROOM = 65536  # bytes that every output must have room for


@dataclass(frozen=True)
class Output:
    """A file that a command writes.

    Attributes:
        path: where.
        kind: what (``lmlp.files.kinds``).
        replaces: whether one of its kind that is there already gives way without ``--force``.
        hint: what to do about one that is there already.
        makes_folder: whether the command makes the folder if there is none.
    """

    path: Path
    kind: str
    replaces: bool = False
    hint: str = "--force replaces it"
    makes_folder: bool = False


def check_outputs(
    outputs: Sequence[Output], inputs: Iterable[str | Path] = (), *, force: bool = False
) -> None:
    """Refuse before any work what could not be written, or would destroy something.

    An output is a file in a folder that exists and can be written. It is none of the inputs, by whatever
    name, and no other output. Files of another kind are never replaced, results only with ``force``.

    Args:
        outputs: all files that will be written, those named by the user first.
        inputs: all files that are read; ``file@1:5`` is that file.
        force: replace results.

    Raises:
        InvalidArgumentError: names the file and what is allowed.
        OutputError: the folder cannot be written.
    """
    check_names(outputs, inputs)
    check_existing(outputs, force=force)


def check_names(outputs: Sequence[Output], inputs: Iterable[str | Path] = ()) -> None:
    """Check names and folders; nothing is written yet. See :func:`check_outputs`."""
    known = [path for given in inputs for path in _files_of(given)]
    taken: dict[str, Path] = {}
    for output in outputs:
        path = output.path
        _check_name(path, makes_folder=output.makes_folder)
        if output.kind == MODEL and path.suffix == ".checkpoint":
            raise InvalidArgumentError(
                f"{path}: the ending .checkpoint is that of a {CHECKPOINT}: choose .pt"
            )
        for other in known:
            if _same(path, other):
                raise InvalidArgumentError(f"{path} is read by this command, as {other}: name another output")
        name = os.path.realpath(path)
        if name in taken:
            raise InvalidArgumentError(f"{path} is named twice among the files to write")
        taken[name] = path


def check_existing(outputs: Sequence[Output], *, force: bool = False) -> None:
    """Check what is there already, and try to write. See :func:`check_outputs`."""
    for output in outputs:
        path = output.path
        check_kind(path, output.kind)
        if path.is_symlink() and not path.exists():
            raise InvalidArgumentError(f"{path} is a link to {os.readlink(path)}, which does not exist")
        if path.exists() and not (output.replaces or force):
            raise InvalidArgumentError(f"{path} exists; {output.hint}, or choose another name")
        if path.exists() and not os.access(path, os.W_OK):
            raise InvalidArgumentError(f"{path} exists and is write-protected: it is not replaced")
    longest: dict[Path, Path] = {}
    for output in sorted(outputs, key=lambda output: len(output.path.name)):
        longest[output.path.parent] = output.path
    for path in longest.values():
        if path.parent.is_dir():
            check_room(path, _ROOM)


def _check_name(path: Path, *, makes_folder: bool) -> None:
    text = str(path)
    if "\0" in text or not path.name or path.name == "..":
        raise InvalidArgumentError(f"{text!r} is no name of a file: name one, e.g. model.pt")
    folder = path.parent
    try:
        if path.is_dir():
            raise InvalidArgumentError(f"{path} is a folder: name a file, e.g. {path / 'name'}")
        while makes_folder and not folder.exists():
            folder = folder.parent
        if not folder.exists():
            raise InvalidArgumentError(f"{path}: the folder {folder.absolute()} does not exist")
        if not folder.is_dir():
            raise InvalidArgumentError(f"{path}: {folder} is a file, not a folder")
        path.exists()
    except OSError as error:
        raise InvalidArgumentError(f"{path}: {error.strerror}") from None


def _files_of(given: str | Path) -> list[Path]:
    """Return the file that an input names, with and without a selection of frames."""
    text = str(given)
    return [
        Path(name) for name in dict.fromkeys((text, text.rpartition("@")[0])) if name and "\0" not in name
    ]


def _same(a: Path, b: Path) -> bool:
    """Tell whether two names are one file: by path, through links of any sort, or written differently."""
    try:
        return os.path.samefile(a, b)
    except OSError:
        return os.path.realpath(a) == os.path.realpath(b)
