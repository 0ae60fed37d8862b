"""The terminal never costs a result: what cannot be shown or written there is left out, and work goes on."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TextIO


class _Words(io.FileIO):
    """Standard output or error; remembers the first failure instead of raising it."""

    failure: OSError | None = None

    def write(self, data: object) -> int:
        """Write; a closed pipe or a full disk swallows the words."""
        if self.failure is None:
            try:
                return super().write(data)  # type: ignore[arg-type]
            except OSError as error:
                self.failure = error
        return memoryview(data).nbytes  # type: ignore[arg-type]


def guard_streams() -> None:
    """Make standard output and error forgiving: closed, full, or of an encoding that lacks a letter."""
    for number in (0, 1, 2):  # a file opened next would get the number of a closed one, and the words with it
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout, sys.stderr = _guarded(sys.stdout, 1), _guarded(sys.stderr, 2)


def _guarded(stream: TextIO | None, number: int) -> TextIO:
    """Wrap a stream of this process; one that something else has put there stays as it is."""
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8", errors="replace")
    try:
        if stream.fileno() != number:
            return stream
        stream.flush()
    except (OSError, ValueError, AttributeError):
        return stream
    raw = _Words(number, "w", closefd=False)
    encoding = stream.encoding or "utf-8"
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding, errors="replace", line_buffering=True, write_through=number == 2
    )


def lost_words() -> str | None:
    """Return why standard output is incomplete; None if it is not, or if its reader wanted no more."""
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    failure = raw.failure if isinstance(raw, _Words) else None
    if failure is None or failure.errno == errno.EPIPE:
        return None
    return f"standard output: {failure.strerror}; the words are lost, files are as they should be"
