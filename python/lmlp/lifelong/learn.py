"""Learn new data without forgetting the old, and put model, memory and report in place."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from lmlp.errors import ConfigError, DataError, DivergedError, ModelFileError, OutputError
from lmlp.export.model_file import read_model_file
from lmlp.export.writing import write_model_file
from lmlp.files.kinds import FIGURES
from lmlp.files.lock import locked
from lmlp.files.names import beside, earlier
from lmlp.files.writing import replacing
from lmlp.io.write import write_structures
from lmlp.lifelong.base import load_model, make_learn_config
from lmlp.lifelong.choice import Bounds, choose
from lmlp.lifelong.config import LearnConfig
from lmlp.lifelong.memory import UNWRITTEN, Addition, Entry, Memory, State, Update
from lmlp.lifelong.outputs import rejected_path, report_path, suspects_path
from lmlp.lifelong.plan import LearnRun, SessionDone
from lmlp.lifelong.record import to_bytes
from lmlp.model.data import ModelData
from lmlp.model.torch_fork import safe_after_fork
from lmlp.selection.adaptive import AdaptiveSelection
from lmlp.structure.composition import formula
from lmlp.training.divergence import keep_diverged
from lmlp.training.observer import Observer
from lmlp.training.state.checkpoint import load_checkpoint, previous_path
from lmlp.version import __version__

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
        return _learn(LearnRun(config, observer, resume=resume, started=started))


def _learn(run: LearnRun) -> Outcome:
    config = run.config
    try:
        model = run.train()
    except SessionDone:
        _clean(config)
        report = json.loads(report_path(config).read_text(encoding="utf-8"))
        return Outcome(read_model_file(config.output), config.output, report, refused=False)
    except DivergedError as error:
        _clean(config)
        raise keep_diverged(error, config.output) from None
    report = run.report()
    update, removed = memory_update(run)
    report["removed"] = removed
    limit, lost = config.max_forgetting, report["forgetting"]
    refused = limit is not None and lost is not None and lost > limit
    report["refused"] = refused
    outcome = Outcome(model, rejected_path(config) if refused else config.output, report, refused)
    try:
        _put_in_place(run, outcome, update)
    except (OutputError, DataError) as error:
        raise type(error)(f"{error}. {run.backup.where}: the same with --resume ends the session") from error
    _clean(config)
    return outcome


def _put_in_place(run: LearnRun, outcome: Outcome, update: Update) -> None:
    """Write model, suspects and report, and last the memory."""
    path = outcome.path
    if not outcome.refused and run.config.memory.exists():
        with Memory(run.config.memory) as memory:
            memory.rehearse(update)  # what fails here leaves the model as it was
    write_model_file(outcome.model, path, keep=earlier(path, path) if outcome.refused else None)
    _write_suspects(run)
    with replacing(report_path(run.config), FIGURES) as unfinished:
        unfinished.write_text(json.dumps(outcome.report, indent=1, allow_nan=False), encoding="utf-8")
    if not outcome.refused:
        with Memory(run.config.memory, create=True) as memory:
            memory.commit(update)


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


def memory_update(run: LearnRun) -> tuple[Update, list[dict[str, str]]]:
    """Return what the session writes to the memory, and the structures whose content that drops."""
    c, sampler = run.config, cast(AdaptiveSelection, run.trainer.sampler)
    checks = set(run.checks.tolist())
    n_old = len(run.entries)

    def state(i: int) -> State:
        if i in run.odd:
            return State("suspect", reason=run.odd[i])
        if i in checks:
            known = i < n_old and run.entries[i].state.status == "active"
            return run.entries[i].state if known else State(reason="kept to measure errors")
        if i < n_old and not sampler.ledger.uses[i]:
            return run.entries[i].state
        return State(sampler.status(i), float(sampler.ledger.factor[i]), sampler.reason(i))

    now = [state(i) for i in range(len(run.dataset))]
    entries = [
        Entry(
            id=i,
            task=run.tasks[run.task_of[i]],
            role=run.entries[i].role if i < n_old else ("check" if i in checks else "train"),
            checksum="",
            source=s.source,
            formula=formula(s),
            n_atoms=len(s),
            n_bytes=run.entries[i].n_bytes if i < n_old else len(to_bytes(s)),
            state=now[i],
            changed="",
        )
        for i, s in enumerate(run.dataset.structures)
    ]
    bounds = Bounds(c.memory_structures, c.memory_bytes)
    gone = choose(entries, run.points, bounds)
    now = [gone.get(i, s) for i, s in enumerate(now)]
    changed = [(e, now[i]) for i, e in enumerate(run.entries) if now[i] != e.state]
    changes = {e.id: state for e, state in changed if e.id != UNWRITTEN}
    revisions = {e.checksum: state for e, state in changed if e.id == UNWRITTEN}
    additions = [
        Addition(run.dataset.structures[i], now[i], entries[i].role) for i in range(n_old, len(run.dataset))
    ]
    provenance = {
        "lmlp_version": __version__,
        "task": c.task,
        "data": [str(p) for p in c.data],
        "output": str(c.output),
        "errors": {
            name: {k: e[k] for k in ("n", "energy_rmse", "force_rmse")} for name, e in run.after.items()
        },
    }
    listed = [
        {"source": entries[i].source, "task": entries[i].task, "reason": gone[i].reason} for i in sorted(gone)
    ]
    first = run.earlier.updates
    update = Update(run.session, "learn", provenance, c.task, additions, changes, first, revisions)
    return update, listed


def _write_suspects(run: LearnRun) -> None:
    """Write the suspects of this session beside the model, with the reasons."""
    sampler = cast(AdaptiveSelection, run.trainer.sampler)
    suspects = [
        replace(s, info={**s.info, "lmlp_source": s.source, "lmlp_reason": run.reason(i)})
        for i, s in enumerate(run.dataset.structures)
        if sampler.status(i) == "suspect" or i in run.odd
    ]
    path = suspects_path(run.config)
    if suspects:
        write_structures(path, suspects)
    else:
        path.unlink(missing_ok=True)


def _clean(config: LearnConfig) -> None:
    """Take away what only an interrupted session needs."""
    for path in (config.checkpoint, previous_path(config.checkpoint)):
        path.unlink(missing_ok=True)
