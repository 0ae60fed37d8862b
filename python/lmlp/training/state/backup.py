"""Saving while a run goes on: a failure is told and tried again, it never ends the run."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from lmlp.errors import LMLPError, OutputError
from lmlp.training.state.checkpoint import previous_path, save_checkpoint
from lmlp.training.state.log import JsonLog

Result = TypeVar("Result")


def _no_room(error: BaseException) -> bool:
    cause = error.__cause__ if isinstance(error, LMLPError) else error
    return isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)


class Backup:
    """Writes checkpoints and log records of a run.

    Args:
        path: the checkpoint.
        say: hears of the first failure of several, and of the success after it.

    Attributes:
        failure: why the last checkpoint could not be written; None if it was.
    """

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self.path = path
        self.failure: str | None = None
        self._say = say
        self._log_failed = False

    def save(self, state: Mapping[str, Any]) -> None:
        """Write a checkpoint, or tell why that failed."""
        try:
            self.with_room(lambda: save_checkpoint(self.path, dict(state)))
        except (LMLPError, OSError) as error:
            if self.failure is None:
                self._say(f"warning: no checkpoint: {error}. Training goes on and tries again; make room")
            self.failure = str(error)
            return
        if self.failure is not None:
            self._say(f"{self.path}: saved again")
        self.failure = None

    def with_room(self, write: Callable[[], Result]) -> Result:
        """Write something; where the disk is full, the checkpoint before the last one gives way.

        Raises:
            LMLPError, OSError: what ``write`` raises when there is nothing to give, or not enough.
        """
        try:
            return write()
        except (LMLPError, OSError) as error:
            before = previous_path(self.path)
            if not (_no_room(error) and self.path.exists() and before.exists()):
                raise
            before.unlink()
        return write()

    def note(self, log: JsonLog, record: dict[str, Any]) -> None:
        """Write a record to the log; one that cannot be written comes with the next."""
        try:
            log.write(record)
        except OutputError as error:
            if not self._log_failed:
                self._say(f"warning: {error}. Training goes on; the log catches up when there is room")
            self._log_failed = True
            return
        self._log_failed = False

    @property
    def where(self) -> str:
        """Tell where the state of the run is, for the end of a message."""
        if self.failure is None:
            return f"All progress is in {self.path}"
        kept = f"; {self.path} is older" if self.path.exists() else ""
        return f"The progress could not be saved ({self.failure}){kept}"
