"""Where files lie that the user has not asked for: models in memory, and runs without an output."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
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
        unfinished = path.with_suffix(".tmp")
        try:
            unfinished.write_bytes(content)
            os.replace(unfinished, path)
        except OSError as error:
            raise OutputError(f"{path}: {error.strerror}") from None
    return path


@cache
def _folder(process: int) -> Path:
    """Return the folder of a process, which is removed with it; a forked one has its own."""
    folder = _new_folder("lmlp-models-")

    def remove() -> None:
        if os.getpid() == process:
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
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


def _new_folder(prefix: str) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix=prefix))
    except OSError as error:
        raise OutputError(f"no folder for temporary files: {error.strerror}") from None
