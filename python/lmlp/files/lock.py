"""A lock on an output: two runs never write the same files.

The system releases the lock when the process ends, however that happens; only then its file may be left over.
"""

from __future__ import annotations

import errno
import os
import shlex
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lmlp.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
_held: dict[str, tuple[int, int]] = {}  # real path of the lock: process and thread that hold it


def lock_path(path: Path) -> Path:
    """Return ``.<name>.lmlp-lock`` beside a file."""
    return path.with_name(f".{path.name}.lmlp-lock")


@contextmanager
def locked(path: Path, warn: Callable[[str], None] = lambda text: None) -> Iterator[None]:
    """Hold the lock of an output; a thread that holds it already may take it again.

    Args:
        path: what is written; its folder must exist.
        warn: hears that the file system has no locks.

    Raises:
        OutputError: another process or thread writes it; that one is named. The folder cannot be written.
    """
    lock, me = lock_path(path), (os.getpid(), threading.get_ident())
    name = os.path.realpath(lock)
    holder = _held.get(name)
    if holder == me:
        yield
        return
    if holder is not None and holder[0] == me[0]:
        raise OutputError(f"{path}: another thread of this process writes it")
    handle = _acquire(lock, path, warn)
    _held[name] = me
    try:
        yield
    finally:
        del _held[name]
        if handle is not None:
            lock.unlink(missing_ok=True)  # before the release: who waits for this file finds that it is gone
            os.close(handle)


def _acquire(lock: Path, path: Path, warn: Callable[[str], None]) -> int | None:
    while True:
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except FileNotFoundError:
            raise OutputError(f"{path}: the folder {path.absolute().parent} does not exist") from None
        except OSError as error:
            raise OutputError(f"{path}: cannot be written there: {error.strerror}") from None
        try:
            _flock(handle)
        except BlockingIOError:
            owner = os.pread(handle, 4096, 0).decode("utf-8", errors="replace").strip() or "unknown"
            os.close(handle)
            elsewhere = f" on {socket.gethostname()}, " not in owner
            hint = f"; if that process is certainly gone, remove {lock}" if elsewhere else ""
            raise OutputError(
                f"{path}: another process writes it ({owner}): wait for its end, or choose another name{hint}"
            ) from None
        except OSError as error:
            os.close(handle)
            lock.unlink(missing_ok=True)
            if fcntl is not None and error.errno not in _UNSUPPORTED:
                raise OutputError(f"{lock}: {error.strerror}") from None
            warn(
                f"{path.parent}: this file system has no locks: do not start two runs with the output {path}"
            )
            return None
        with suppress(OSError):
            if os.path.samestat(os.fstat(handle), os.stat(lock)):
                break
        os.close(handle)  # the one before has just removed it
    with suppress(OSError):  # a full disk is found and named elsewhere
        os.ftruncate(handle, 0)
        os.pwrite(handle, _owner().encode("utf-8", errors="replace"), 0)
    return handle


def _flock(handle: int) -> None:
    if fcntl is None:
        raise OSError(errno.ENOSYS, "no locks")
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _owner() -> str:
    started = time.strftime("%Y-%m-%d %H:%M:%S")
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])[:1000]
    return f"process {os.getpid()} on {socket.gethostname()}, since {started}: {command}"
