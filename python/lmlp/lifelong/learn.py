"""Learn new data without forgetting the old, and put model, memory and report in place."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from lmlp import __version__
from lmlp.export.model_file import read_model_file, write_model_file
from lmlp.io.composition import formula
from lmlp.io.write import write_structures
from lmlp.lifelong.base import make_learn_config
from lmlp.lifelong.choice import Bounds, choose
from lmlp.lifelong.config import LearnConfig
from lmlp.lifelong.memory import Addition, Entry, Memory, State, Update
from lmlp.lifelong.record import to_bytes
from lmlp.lifelong.session import LearnRun, SessionDone
from lmlp.model.data import ModelData
from lmlp.model.torch_fork import safe_after_fork
from lmlp.training.checkpoint import previous_path
from lmlp.training.observer import Observer
from lmlp.training.selection import AdaptiveSelection

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


def report_path(config: LearnConfig) -> Path:
    """Return ``<stem>.learning.json`` beside the output."""
    return config.output.with_suffix(".learning.json")


@safe_after_fork
def learn(
    config: LearnConfig,
    *,
    observer: Observer | None = None,
    resume: bool = False,
    started: float | None = None,
) -> Outcome:
    """Continue a model on new data with rehearsal of what its memory keeps.

    Written in this order, each whole or not at all: the model, the report and the suspects, the memory. A
    session killed at any moment is taken up with ``resume`` and ends with the same weights.

    Args:
        config: settings.
        observer: hears of the progress.
        resume: continue an interrupted session.
        started: ``time.monotonic()`` that the time limit counts from.

    Raises:
        ConfigError, DataError, GeometryError, ModelFileError, TrainingError: as in training.
        UnknownElementError: an element that the model's descriptor cannot carry.
        KeyboardInterrupt: after saving.
    """
    run = LearnRun(config, observer or Observer(), resume=resume, started=started)
    try:
        model = run.train()
    except SessionDone:
        _clean(config)
        report = json.loads(report_path(config).read_text(encoding="utf-8"))
        return Outcome(read_model_file(config.output), config.output, report, refused=False)
    report = run.report()
    update, removed = memory_update(run)
    report["removed"] = removed
    limit, lost = config.max_forgetting, report["forgetting"]
    refused = limit is not None and lost is not None and lost > limit
    report["refused"] = refused
    target = config.output.with_suffix(".rejected.pt") if refused else config.output
    write_model_file(model, target)
    _write_suspects(run)
    _write_text(report_path(config), json.dumps(report, indent=1, allow_nan=False))
    if not refused:
        with Memory(config.memory) as memory:
            memory.commit(update)
    _clean(config)
    return Outcome(model, target, report, refused)


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
    changes = {run.entries[i].id: now[i] for i in range(n_old) if now[i] != run.entries[i].state}
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
    return Update(run.session, "learn", provenance, c.task, additions, changes), listed


def _write_suspects(run: LearnRun) -> None:
    """Write the suspects of this session beside the model, with the reasons."""
    sampler = cast(AdaptiveSelection, run.trainer.sampler)
    suspects = [
        replace(s, info={**s.info, "lmlp_source": s.source, "lmlp_reason": run.reason(i)})
        for i, s in enumerate(run.dataset.structures)
        if sampler.status(i) == "suspect" or i in run.odd
    ]
    path = run.config.output.with_suffix(".suspects.xyz")
    if suspects:
        write_structures(path, suspects)
    else:
        path.unlink(missing_ok=True)


def _write_text(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def _clean(config: LearnConfig) -> None:
    """Take away what only an interrupted session needs."""
    for path in (config.checkpoint, previous_path(config.checkpoint)):
        path.unlink(missing_ok=True)
