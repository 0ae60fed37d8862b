"""Which files a training run writes, and what becomes of those of an earlier one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lmlp.files.kinds import CHECKPOINT, LOG, MODEL
from lmlp.files.names import earlier
from lmlp.files.rule import Output
from lmlp.files.writing import check_kind, set_aside

if TYPE_CHECKING:
    from lmlp.training.config import RunConfig


def previous_path(path: Path) -> Path:
    """Return where the checkpoint before the last one is kept."""
    return path.with_name(path.name + ".previous")


def checkpoint_stamp(config: RunConfig) -> tuple[int, ...] | None:
    """Return what changes whenever a run writes its checkpoint; None where there is none.

    One that is as it was before a run is that of an earlier run.
    """
    try:
        found = os.stat(config.checkpoint)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def run_files(config: RunConfig) -> list[Output]:
    """Return what a run writes while it goes on: checkpoints and log."""
    return [
        Output(config.checkpoint, CHECKPOINT, replaces=True),
        Output(previous_path(config.checkpoint), CHECKPOINT, replaces=True),
        Output(config.log, LOG, replaces=True),
    ]


def train_outputs(config: RunConfig, *, fresh: bool) -> list[Output]:
    """Return all files of a training run.

    Args:
        config: settings.
        fresh: the run neither continues nor drops an earlier one: that one's files get other names.
    """
    files = [Output(config.output, MODEL, replaces=True), *run_files(config)]
    kept = [
        Output(earlier(f.path, config.output), f.kind, replaces=True) for f in files if os.path.exists(f.path)
    ]
    return [*files, *kept] if fresh else files


def set_earlier_aside(config: RunConfig) -> list[Path]:
    """Give checkpoints and log of an earlier run their other names; returns these."""
    targets = []
    for file in run_files(config):
        if file.path.exists():
            check_kind(file.path, file.kind)
            targets.append(earlier(file.path, config.output))
            set_aside(file.path, targets[-1], file.kind)
    return targets
