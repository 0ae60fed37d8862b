"""What surrounds a run: who hears of it, who else computes it, what it goes on from."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from lmlp.errors import ConfigError, InvalidArgumentError
from lmlp.files.rule import Output, check_outputs
from lmlp.files.writing import remove_unfinished
from lmlp.training.config import RunConfig
from lmlp.training.observer import Observer
from lmlp.training.state.backup import Backup
from lmlp.training.state.checkpoint import load_checkpoint
from lmlp.training.workers import Workers


class Context:
    """Surroundings of one run.

    Args:
        config: settings.
        observer: hears of the progress; of several processes, only that of the first does.
        resume: continue from the checkpoint.
        force: drop the checkpoint and the log of an earlier run; default: they get other names.
        started: ``time.monotonic()`` that the time limit counts from; default now.
        workers: processes that train together; default this one alone.

    Attributes:
        keeps_earlier: files of an earlier run get other names.
        backup: writes checkpoints, and knows whether they could be written.
    """

    def __init__(
        self,
        config: RunConfig,
        observer: Observer | None = None,
        *,
        resume: bool = False,
        force: bool = False,
        started: float | None = None,
        workers: Workers | None = None,
    ) -> None:
        self.config = config
        self.workers = workers or Workers()
        self.observer = observer if observer and self.workers.is_first else Observer()
        self.resume = resume
        self.started = time.monotonic() if started is None else started
        self.keeps_earlier = not (resume or force)
        self.backup = Backup(config.checkpoint, self.observer.on_message)

    @property
    def seconds_used(self) -> float:
        """Seconds of the time limit that are gone."""
        return time.monotonic() - self.started

    def begin(self, outputs: Sequence[Output], inputs: Sequence[Path]) -> dict[str, Any] | None:
        """Check the files before anything is read, and load what the run goes on from.

        Returns:
            the checkpoint, None if the run begins.

        Raises:
            ConfigError: outputs that cannot be written or would destroy something.
            ModelFileError: the checkpoint cannot be read.
        """

        def check() -> None:
            try:
                check_outputs(outputs, inputs)
            except InvalidArgumentError as error:
                raise ConfigError(f"output: {error}") from None
            remove_unfinished(self.config.checkpoint)

        self.workers.together(check)
        saved = None
        if self.resume:
            saved = self.workers.together(lambda: load_checkpoint(self.config.checkpoint))
        if self.config.threads is not None:
            torch.set_num_threads(self.config.threads)
        return saved
