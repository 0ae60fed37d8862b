"""Which files a learning session and a stream of them write."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from lmlp.errors import InvalidArgumentError
from lmlp.files.kinds import FIGURES, LOG, MEMORY, MODEL, PICTURE, REPORT, SUSPECTS
from lmlp.files.names import beside
from lmlp.files.rule import Output
from lmlp.lifelong.config import LearnConfig
from lmlp.training.state.outputs import run_files


def report_path(config: LearnConfig) -> Path:
    """Return ``<stem>.learning.json`` beside the output."""
    return beside(config.output, ".learning.json")


def page_path(config: LearnConfig) -> Path:
    """Return ``<stem>.learning.html`` beside the output."""
    return beside(config.output, ".learning.html")


def suspects_path(config: LearnConfig) -> Path:
    """Return ``<stem>.suspects.xyz`` beside the output."""
    return beside(config.output, ".suspects.xyz")


def rejected_path(config: LearnConfig) -> Path:
    """Return where a model goes that forgets too much."""
    return beside(config.output, ".rejected.pt")


def picture_path(config: LearnConfig) -> Path:
    """Return ``<stem>.stream.png`` beside the output."""
    return beside(config.output, ".stream.png")


def learn_inputs(config: LearnConfig) -> list[Path]:
    """Return the files that a session reads; its model is none where it is updated in place."""
    return [*config.data, *config.old, *([] if in_place(config) else [config.start])]


def in_place(config: LearnConfig) -> bool:
    """Tell whether the new model takes the place of the one that it comes from."""
    return os.path.realpath(config.output) == os.path.realpath(config.start)


def learn_outputs(config: LearnConfig, *, replaces: bool) -> list[Output]:
    """Return all files of a session.

    Args:
        config: settings.
        replaces: whether an existing output may be replaced: it is updated in place, or the session goes on.
    """
    return [
        Output(config.output, MODEL, replaces=replaces),
        Output(config.memory, MEMORY, replaces=True),
        *run_files(config),
        Output(rejected_path(config), MODEL, replaces=True),
        Output(report_path(config), FIGURES, replaces=True),
        Output(page_path(config), REPORT, replaces=True),
        Output(suspects_path(config), SUSPECTS, replaces=True),
    ]


def batches_outputs(config: LearnConfig, tasks: Sequence[str], *, replaces: bool) -> list[Output]:
    """Return what learning in batches writes beside the files of each session."""
    folder = beside(config.output, ".batches")
    if folder.exists() and not folder.is_dir():
        raise InvalidArgumentError(f"{folder} exists and is no folder: choose another output")
    kept = [(FIGURES, ".json"), (SUSPECTS, ".suspects.xyz")] if folder.is_dir() else []
    return [
        Output(beside(config.output, ".stream.jsonl"), LOG, replaces=replaces),
        Output(picture_path(config), PICTURE, replaces=replaces),
        *(Output(folder / f"{task}{ending}", kind, replaces=True) for task in tasks for kind, ending in kept),
    ]
