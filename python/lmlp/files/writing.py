"""Write files whole or not at all, and say which one could not be written and why."""

from __future__ import annotations

import errno
import glob
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lmlp.errors import InvalidArgumentError, OutputError
from lmlp.files.kinds import is_kind, kind_of

_PROBE = 4096
_UNSUPPORTED = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


@contextmanager
def replacing(path: str | Path, kind: str, keep: Path | None = None) -> Iterator[Path]:
    """Give the name of a new file that takes the place of ``path`` when the block ends well.

    A crash at any moment leaves the old file or the new one, both whole.

    Args:
        path: file to write.
        kind: what is written; a file of another kind is not replaced.
        keep: where the replaced file goes; None drops it.

    Raises:
        InvalidArgumentError: there is a file of another kind.
        OutputError: it cannot be written; what was begun is taken away.
    """
    path = Path(path)
    with _named(path):
        check_kind(path, kind)
        temporary = _create(path)
    try:
        with _named(path):
            yield temporary
            _sync(temporary)
            if keep is not None and path.exists():
                set_aside(path, keep, kind, leave=True)
            os.replace(temporary, path)
            _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def set_aside(path: Path, target: Path, kind: str, *, leave: bool = False) -> None:
    """Give a file another name; with ``leave`` it keeps its own as well, where the file system has links."""
    check_kind(target, kind)
    if leave:
        link = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
        try:
            os.link(path, link)
        except OSError:  # a file system without links
            leave = False
        else:
            os.replace(link, target)
            return
    os.replace(path, target)


def append(path: Path, text: str) -> None:
    """Append to a file; if that fails, nothing of it stays.

    Raises:
        OutputError: the disk is full, the file has gone…
    """
    with _named(path), path.open("ab", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        rest = memoryview(text.encode("utf-8"))
        try:
            while rest:
                rest = rest[file.write(rest) :]
        except OSError:
            with suppress(OSError):
                file.truncate(end)
            raise


def check_kind(path: Path, kind: str) -> None:
    """Refuse to replace a file of another kind.

    Raises:
        InvalidArgumentError: names the file and what it is.
    """
    if path.is_dir():
        raise InvalidArgumentError(f"{path} is a folder: name a file, e.g. {path / 'name'}")
    if path.exists() and not path.is_file():
        raise InvalidArgumentError(f"{path} is a device or a pipe, not a file: name a file")
    if path.exists() and not is_kind(path, kind):
        raise InvalidArgumentError(
            f"{path} exists and is no {kind} ({kind_of(path)}): it is not replaced; choose another name"
        )


def check_room(path: Path, n_bytes: int) -> None:
    """Try whether ``n_bytes`` can be written beside ``path``, and take them away again.

    Raises:
        OutputError: no folder, no permission, no room, a name that is too long…
    """
    with _named(path, f"{n_bytes / 2**20:.1f} MiB cannot be written there"):
        temporary = _create(path)
        try:
            with temporary.open("wb") as file:
                file.write(b"\0" * min(n_bytes, _PROBE))
                file.flush()
                if n_bytes > _PROBE:
                    _reserve(file.fileno(), n_bytes)
                os.fsync(file.fileno())
        finally:
            temporary.unlink(missing_ok=True)


def _reserve(handle: int, n_bytes: int) -> None:
    """Take the room from the disk; where the system cannot, compare with what it says is free."""
    try:
        os.posix_fallocate(handle, 0, n_bytes)
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _UNSUPPORTED:
            raise
        facts = os.fstatvfs(handle)
        if facts.f_bavail * facts.f_frsize < n_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from None


@contextmanager
def _named(path: Path, what: str = "cannot be written") -> Iterator[None]:
    """Turn what the system says into an error that names the file, and the room where that is short."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        free = ""
        with suppress(OSError):
            free = f" ({shutil.disk_usage(path.parent).free / 2**20:.1f} MiB are free)"
        raise OutputError(f"{path}: {what}: {error.strerror or error}{free}") from error


def _create(path: Path) -> Path:
    """Make an empty file beside ``path`` whose name nobody has."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    return temporary


def remove_unfinished(path: Path) -> None:
    """Take away what a process that was killed had begun to write in place of ``path``.

    The caller holds the lock of the file: nobody else writes it now.
    """
    for unfinished in path.parent.glob(f".{glob.escape(path.name)}.????????.tmp"):
        unfinished.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Bring a file or the names in a folder to the disk, where the system can."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        if not path.is_dir():
            raise
    finally:
        os.close(handle)
