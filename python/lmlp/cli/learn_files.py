"""Files of ``lmlp learn``: who may write them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from lmlp.lifelong.config import LearnConfig


@contextmanager
def claimed(config: LearnConfig, *, resume: bool, force: bool, stream: bool = False) -> Iterator[None]:
    """Hold the locks of output and memory, once it is sure that their files may be written.

    Args:
        config: settings of the session, or of the first of a stream.
        resume: the session goes on.
        force: replace an existing model.
        stream: a stream of sessions.

    Raises:
        InvalidArgumentError: a file that must not be written.
        OutputError: another run writes one of them.
    """
    from lmlp.files.lock import locked
    from lmlp.files.names import beside
    from lmlp.files.rule import check_existing, check_names
    from lmlp.lifelong.outputs import batches_outputs, in_place, learn_inputs, learn_outputs

    files = learn_outputs(config, replaces=resume or in_place(config))
    files += batches_outputs(config, (), replaces=resume) if stream else []
    check_names(files, learn_inputs(config))
    with locked(beside(config.output, ""), typer.echo), locked(config.memory, typer.echo):
        check_existing(files, force=force)
        yield
