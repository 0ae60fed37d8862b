"""Files of ``lmlp train``: who may write them, and the model that comes last."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from lmlp.model.data import ModelData
    from lmlp.training.config import TrainConfig
    from lmlp.training.context import Context
    from lmlp.training.state.backup import Backup
    from lmlp.training.workers import Workers


@contextmanager
def claimed(settings: TrainConfig, workers: Workers, config: Path | None) -> Iterator[None]:
    """Hold the lock of the output; the first of several processes does so for all.

    Args:
        settings: of the run.
        workers: its processes.
        config: config.yaml, which is no output.

    Raises:
        InvalidArgumentError: an input would be replaced.
        OutputError: another run writes these files.
    """
    from lmlp.cli.shared.train_view import TrainView
    from lmlp.files.lock import locked
    from lmlp.files.names import beside
    from lmlp.files.rule import check_names
    from lmlp.training.state.outputs import train_outputs

    def begin() -> None:
        inputs = [*settings.data, *settings.valid, *([] if config is None else [config])]
        check_names(train_outputs(settings, fresh=True), inputs)
        stack.enter_context(locked(beside(settings.output, ""), TrainView.say))

    with ExitStack() as stack:
        workers.together(begin)
        yield


def tell_earlier(settings: TrainConfig, *, force: bool) -> None:
    """Say what becomes of a checkpoint that is there already."""
    from lmlp.cli.shared.train_view import TrainView
    from lmlp.files.names import earlier

    checkpoint = settings.checkpoint
    if checkpoint.exists():
        fate = "will be replaced" if force else f"will be kept as {earlier(checkpoint, settings.output)}"
        TrainView.say(f"{checkpoint} is from an earlier run and {fate} (--resume continues it)")


def write_model(context: Context, model: ModelData) -> None:
    """Write the model; the one of an earlier run gets another name.

    Raises:
        OutputError: it cannot be written, or is not what was trained; says where the weights are.
    """
    from lmlp.cli.shared.written import report_written
    from lmlp.errors import LMLPError, OutputError
    from lmlp.export.writing import write_model_file
    from lmlp.files.names import earlier

    path = context.config.output
    kept = earlier(path, path) if context.keeps_earlier and path.exists() else None
    try:
        differences = context.backup.with_room(lambda: write_model_file(model, path, keep=kept))
    except LMLPError as error:
        if context.backup.failure is None:
            hint = f": `lmlp export {context.backup.path} -o FILE` writes the model elsewhere"
        else:
            hint = _rescued(model, path.name)
        raise OutputError(f"{error}. {context.backup.where}{hint}") from error
    report_written(path, model, differences)
    if kept is not None:
        typer.echo(f"{kept}: the model of the earlier run")


def _rescued(model: ModelData, name: str) -> str:
    """Write a model that has no place among the temporary files; returns where, for the end of a message."""
    import shutil
    import tempfile

    from lmlp.errors import LMLPError
    from lmlp.export.writing import write_model_file

    try:
        folder = tempfile.mkdtemp(prefix="lmlp-")
    except OSError:
        return ""
    try:
        write_model_file(model, Path(folder) / name, verify=False)
    except LMLPError:
        shutil.rmtree(folder, ignore_errors=True)
        return ""
    return f". The model is in {folder} for now: move it to where it is safe"


def farewell(backup: Backup, *, started: bool) -> str:
    """Return what an interrupted run says at its end."""
    if not started:
        return "Stopped before training began; nothing was written."
    return f"Stopped. {backup.where}; the same command with --resume goes on."


def state_before(backup: Backup) -> str:
    """Return where a run that failed has left its state."""
    if backup.failure is not None:
        return f"the state before that step could not be saved: {backup.failure}"
    return f"the state before that step is in {backup.path} (`lmlp export` makes a model of it)"
