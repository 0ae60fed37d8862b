"""Learn new data without forgetting the old, and put model, memory and report in place."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lmlp.errors import ConfigError, DataError, DivergedError, ModelFileError, OutputError
from lmlp.export.model_file import read_model_file
from lmlp.export.writing import write_model_file
from lmlp.files.kinds import FIGURES
from lmlp.files.lock import locked
from lmlp.files.names import beside, earlier
from lmlp.files.writing import replacing
from lmlp.io.write import write_structures
from lmlp.lifelong.base import load_model, make_learn_config
from lmlp.lifelong.config import LearnConfig
from lmlp.lifelong.continuation import keep_networks
from lmlp.lifelong.memory import Memory, Update
from lmlp.lifelong.outputs import rejected_path, report_path, suspects_path
from lmlp.lifelong.plan import Learning, session_plan
from lmlp.lifelong.report import Finding, look, memory_update, reason, report, suspects
from lmlp.lifelong.session import SessionDone, read_session
from lmlp.model.data import ModelData
from lmlp.model.torch_fork import safe_after_fork
from lmlp.structure import Structure
from lmlp.training.context import Context
from lmlp.training.divergence import keep_diverged
from lmlp.training.observer import Observer
from lmlp.training.run import Run
from lmlp.training.state.checkpoint import load_checkpoint, previous_path

__all__ = ["Outcome", "learn", "make_learn_config", "report_path"]


@dataclass(frozen=True)
class Outcome:
    """What came out of a session.

    Attributes:
        model: as written.
        path: where to.
        report: retention report (docs/lifelong.md).
        refused: forgetting exceeded ``max_forgetting``; model and memory are as they were.
    """

    model: ModelData
    path: Path
    report: dict[str, Any]
    refused: bool


@safe_after_fork
def learn(
    config: LearnConfig,
    *,
    observer: Observer | None = None,
    resume: bool = False,
    started: float | None = None,
) -> Outcome:
    """Continue a model on new data with rehearsal of what its memory keeps.

    Written at the end, in this order, each whole or not at all: the model, the report and the suspects, the
    memory (``old`` included). A session that is refused or fails leaves model and memory as they were; one
    killed at any moment is taken up with ``resume`` and ends with the same weights.

    Args:
        config: settings.
        observer: hears of the progress.
        resume: continue an interrupted session.
        started: ``time.monotonic()`` that the time limit counts from.

    Raises:
        ConfigError, DataError, GeometryError, ModelFileError, TrainingError: as in training; a session that
            was stopped between model and memory is not finished.
        UnknownElementError: an element that the model's descriptor cannot carry.
        OutputError: another run writes the output or the memory; a file cannot be written, what was learned
            is in the checkpoint then.
        DivergedError: the new model is no better than none; it is ``<stem>.diverged.pt``, the output and the
            memory are as they were.
        KeyboardInterrupt: after saving.
    """
    observer = observer or Observer()
    with (
        locked(beside(config.output, ""), observer.on_message),
        locked(config.memory, observer.on_message),
    ):
        if not resume:
            _check_unfinished(config)
        context = Context(config, observer, resume=resume, started=started)
        return _learn(config, context)


def _learn(config: LearnConfig, context: Context) -> Outcome:
    try:
        learning = session_plan(read_session(config, context), context)
        run = Run(learning.plan, context)
        learned = run.train()
    except SessionDone:
        _clean(config)
        found = json.loads(report_path(config).read_text(encoding="utf-8"))
        return Outcome(read_model_file(config.output), config.output, found, refused=False)
    except DivergedError as error:
        _clean(config)
        raise keep_diverged(error, config.output) from None
    session = learning.session
    finding = look(learning, run, learned)
    model = keep_networks(learned, session.base, session.resting)
    told = report(learning, run, finding)
    update, told["removed"] = memory_update(learning, finding)
    limit, lost = config.max_forgetting, told["forgetting"]
    refused = limit is not None and lost is not None and lost > limit
    told["refused"] = refused
    outcome = Outcome(model, rejected_path(config) if refused else config.output, told, refused)
    try:
        _put_in_place(config, outcome, update, _marked(learning, finding))
    except (OutputError, DataError) as error:
        where = context.backup.where
        raise type(error)(f"{error}. {where}: the same with --resume ends the session") from error
    _clean(config)
    return outcome


def _put_in_place(
    config: LearnConfig, outcome: Outcome, update: Update, suspected: Sequence[Structure]
) -> None:
    """Write model, suspects and report, and last the memory."""
    path = outcome.path
    if not outcome.refused and config.memory.exists():
        with Memory(config.memory) as memory:
            memory.rehearse(update)  # what fails here leaves the model as it was
    write_model_file(outcome.model, path, keep=earlier(path, path) if outcome.refused else None)
    if suspected:
        write_structures(suspects_path(config), suspected)
    else:
        suspects_path(config).unlink(missing_ok=True)
    with replacing(report_path(config), FIGURES) as unfinished:
        unfinished.write_text(json.dumps(outcome.report, indent=1, allow_nan=False), encoding="utf-8")
    if not outcome.refused:
        with Memory(config.memory, create=True) as memory:
            memory.commit(update)


def _marked(learning: Learning, finding: Finding) -> list[Structure]:
    """Return the suspects of a session, with the reasons."""
    structures = [(i, learning.session.dataset.structures[i]) for i in suspects(learning, finding)]
    return [
        replace(s, info={**s.info, "lmlp_source": s.source, "lmlp_reason": reason(learning, finding, i)})
        for i, s in structures
    ]


def _check_unfinished(config: LearnConfig) -> None:
    """Refuse to begin where a session was stopped between its model and its memory.

    Raises:
        ConfigError: the output has learned what the memory does not know.
    """
    if not (config.checkpoint.exists() and config.output.exists()):
        return
    try:
        saved, model = load_checkpoint(config.checkpoint), load_model(config.output)
    except ModelFileError:
        return
    if saved["results"] is None or model.provenance != saved["provenance"]:
        return
    raise ConfigError(
        f"{config.output}: has learned {saved['provenance']['task']!r}, but the session was stopped before "
        f"{config.memory} knew of it: finish it by the same command with --resume, or remove "
        f"{config.checkpoint}"
    )


def _clean(config: LearnConfig) -> None:
    """Take away what only an interrupted session needs."""
    for path in (config.checkpoint, previous_path(config.checkpoint)):
        path.unlink(missing_ok=True)
