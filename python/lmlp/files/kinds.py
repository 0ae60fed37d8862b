"""What a file is, by its content: results replace results of their kind only."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

MODEL = "model file"
CHECKPOINT = "checkpoint"
LOG = "log of a training"
MEMORY = "memory"
REPORT = "report"
FIGURES = "report in JSON"
OBSERVABLES = "file of observables"
STRUCTURES = "file of structures"
PREDICTIONS = "file of predictions"
SUSPECTS = "list of suspects"
PICTURE = "picture"
LIBRARY = "library"
MD_LOG = "log of a simulation"
RESTART = "restart file"

_HEAD, _TAIL = 65536, 2048
_PACKED: dict[bytes, Callable[..., Any]] = {b"\xfd7zXZ": lzma.open, b"\x1f\x8b": gzip.open, b"BZh": bz2.open}
_PICTURES = (b"\x89PNG", b"%PDF")
_LIBRARIES = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")


def is_kind(path: Path, kind: str) -> bool:
    """Tell whether a file is of a kind; an empty one, in which nothing can be lost, is of every kind."""
    head = _head(path)
    return not head or _TESTS[kind](path, head)


def kind_of(path: Path) -> str:
    """Return what a file is, in words."""
    head = _head(path)
    if not head:
        return "empty file"
    return next((kind for kind, test in _TESTS.items() if test(path, head)), "file of another kind")


def _head(path: Path) -> bytes:
    """Return the first bytes, unpacked if they are compressed."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    opener = next((o for magic, o in _PACKED.items() if head.startswith(magic)), None)
    if opener is None:
        return head
    try:
        with opener(path, "rb") as file:
            return bytes(file.read(_HEAD)) or head
    except (OSError, EOFError, lzma.LZMAError):
        return head


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - _TAIL, 0))
        return file.read()


def _is_model(path: Path, head: bytes) -> bool:
    return head.startswith(b"PK") and b"lmlp-sha256:" in _tail(path)[-76:]


def _is_log(path: Path, head: bytes) -> bool:
    try:
        record = json.loads(head.partition(b"\n")[0])
    except ValueError:  # the first record, with all settings, can be longer than the head
        return head.startswith(b'{"type": "')
    return isinstance(record, dict) and "type" in record


def _is_structures(path: Path, head: bytes) -> bool:
    """Recognize extended XYZ (a count of atoms first), input.data of RuNNer, and HDF5."""
    lines = [line.split() for line in head.splitlines() if line.strip() and not line.startswith(b"#")]
    if head.startswith(b"\x89HDF"):
        return True
    return bool(lines) and (lines[0] == [b"begin"] or (len(lines[0]) == 1 and lines[0][0].isdigit()))


_TESTS: dict[str, Callable[[Path, bytes], bool]] = {
    MODEL: _is_model,
    # a damaged one, too: the one before it is beside it
    CHECKPOINT: lambda path, head: head.startswith(b"PK") and b"lmlp-checkpoint" in head,
    LOG: _is_log,
    MEMORY: lambda path, head: head.startswith(b"SQLite format 3"),
    REPORT: lambda path, head: head.startswith(b"<!DOCTYPE html>") and b"lmlp " in _tail(path),
    FIGURES: lambda path, head: head.startswith(b"{") and b'"session"' in head[:40],
    OBSERVABLES: lambda path, head: head.startswith(b"{") and b'"observables"' in head[:40],
    PREDICTIONS: lambda path, head: _is_structures(path, head) and b"lmlp_forces" in head,
    SUSPECTS: lambda path, head: _is_structures(path, head) and b"lmlp_reason" in head,
    STRUCTURES: _is_structures,
    PICTURE: lambda path, head: head.startswith(_PICTURES) or b"<svg" in head,
    LIBRARY: lambda path, head: head.startswith(_LIBRARIES),
    MD_LOG: lambda path, head: head.startswith(b"# step time_ps"),
    RESTART: lambda path, head: head.startswith(b"PK") and b"facts.npy" in head,
}
