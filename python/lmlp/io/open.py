"""Open data files, compressed or not, as streams that are read once from front to back."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, TypeVar

from lmlp.errors import DataError

T = TypeVar("T")

_OPENERS = {".xz": lzma.open, ".gz": gzip.open, ".bz2": bz2.open}
_NUMBER = r"(-?[0-9]{1,18})?"
_INDEX = re.compile(rf"{_NUMBER}|{_NUMBER}:{_NUMBER}(:{_NUMBER})?", re.ASCII)


def is_compressed(path: Path) -> bool:
    """Tell by the suffix whether the file is compressed."""
    return path.suffix.lower() in _OPENERS


def bare_name(path: Path) -> str:
    """Return the file name without the suffix of a compression."""
    return path.stem if is_compressed(path) else path.name


@contextmanager
def open_stream(path: Path, mode: str) -> Iterator[IO[Any]]:
    """Open a file with mode ``"rt"`` or ``"rb"``; a broken archive raises DataError naming the file."""
    opener = _OPENERS.get(path.suffix.lower(), open)
    options = {"encoding": "utf-8-sig"} if mode == "rt" else {}
    try:
        with opener(path, mode, **options) as stream:  # type: ignore[operator]
            yield stream
    except (EOFError, lzma.LZMAError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: the compressed file is truncated or damaged ({error})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a text file in UTF-8 ({error})") from error


def split_index(path: str | Path) -> tuple[Path, slice]:
    """Split ``file@start:stop:step`` (ASE notation) into the file and a slice; no ``@`` means all frames.

    Raises:
        DataError: a selection that is none.
    """
    name, mark, index = str(path).rpartition("@")
    if not mark or not name or Path(path).exists():
        return Path(path), slice(None)
    found = _INDEX.fullmatch(index)
    if found is None or not index:
        if not Path(name).exists():
            return Path(path), slice(None)
        raise DataError(f"{path}: @{index} selects no frames; write @5, @10:20, @::10 or @-100:")
    if ":" not in index:
        n = int(index)
        return Path(name), slice(n, n + 1 if n != -1 else None)
    start, stop, step = (int(x) if x else None for x in [*index.split(":"), ""][:3])
    if step == 0:
        raise DataError(f"{path}: the step of @{index} is 0; @::10 takes every tenth frame")
    return Path(name), slice(start, stop, step)


def take(items: Iterator[T], selection: slice) -> Iterable[T]:
    """Take a slice of a stream; only a selection from the end needs all items at once."""
    if all(x is None or x >= 0 for x in (selection.start, selection.stop, selection.step)):
        return islice(items, selection.start, selection.stop, selection.step)
    return list(items)[selection]


def check_exists(path: Path) -> None:
    """Raise DataError when there is no such file or nothing in it."""
    if not path.exists():
        raise DataError(f"{path}: no such file")
    if path.is_dir():
        raise DataError(f"{path}: is a folder; name the files in it")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty")
