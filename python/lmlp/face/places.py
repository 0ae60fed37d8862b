"""Where files lie that the user has not asked for: models in memory, and runs without an output."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from multiprocessing.util import Finalize
from pathlib import Path

from lmlp.errors import OutputError
from lmlp.export.model_file import stored_checksum


def file_of(content: bytes) -> Path:
    """Return a file with the content of a model, there until this process ends.

    Raises:
        OutputError: it cannot be written.
    """
    path = _folder(os.getpid()) / f"{stored_checksum(content)}.pt"
    if not path.exists():
        unfinished = path.with_suffix(f".{threading.get_ident()}")  # another thread may be at it, too
        _write(unfinished, content)
        os.replace(unfinished, path)
    return path


@contextmanager
def passing_file(content: bytes) -> Iterator[Path]:
    """Give a file with the content of a model, for as long as it takes to read it.

    Raises:
        OutputError: it cannot be written.
    """
    with run_folder() as folder:
        path = folder / "model.pt"
        _write(path, content)
        yield path


@cache
def _folder(process: int) -> Path:
    """Return the folder of a process, which is removed with it; a forked one has its own."""
    folder = _new_folder("lmlp-models-")
    # workers of multiprocessing end without what atexit knows; a fork forgets the finalizers of its parent
    Finalize(None, shutil.rmtree, (folder, True), exitpriority=-100)
    return folder


@contextmanager
def run_folder() -> Iterator[Path]:
    """Give a folder for the files of a run; it stays only where an error leaves weights in it."""
    folder = _new_folder("lmlp-run-")
    try:
        yield folder
    except BaseException:
        if not any([*folder.glob("*.checkpoint*"), *folder.glob("*.diverged.pt")]):
            shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def stamp(path: Path) -> tuple[int, int, int] | None:
    """Return what tells whether a file has been written anew; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from None


def _new_folder(prefix: str) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix=prefix))
    except OSError as error:
        raise OutputError(f"no folder for temporary files: {error.strerror}") from None
