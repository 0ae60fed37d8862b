"""A stream of small batches, as active learning brings them: one learning session each."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmlp.errors import ConfigError
from lmlp.files.kinds import FIGURES, SUSPECTS
from lmlp.files.lock import locked
from lmlp.files.names import beside
from lmlp.files.rule import check_outputs
from lmlp.files.writing import append, replacing
from lmlp.io import DataKeys, read_structures
from lmlp.lifelong.base import make_learn_config, session_config
from lmlp.lifelong.config import LearnConfig
from lmlp.lifelong.earlier import read_memory
from lmlp.lifelong.learn import learn
from lmlp.lifelong.memory import Memory
from lmlp.lifelong.outputs import batches_outputs, learn_inputs, report_path, suspects_path
from lmlp.lifelong.session import NothingNew
from lmlp.model.torch_fork import safe_after_fork
from lmlp.training.observer import Observer
from lmlp.training.state.log import read_log


@dataclass(frozen=True)
class SessionBatch:
    """Structures that are learned together.

    Attributes:
        data: files.
        frames: first structure of these files, and the one after the last; None takes all.
    """

    data: list[Path]
    frames: tuple[int, int] | None = None


def one_file_each(files: Sequence[Path]) -> list[SessionBatch]:
    """Take every file as a batch."""
    return [SessionBatch([path]) for path in files]


def cut(files: Sequence[Path], size: int, keys: DataKeys | None = None) -> list[SessionBatch]:
    """Cut files, one after the other, into batches of ``size`` structures; the last may be smaller."""
    n = sum(len(read_structures(path, keys or DataKeys())) for path in files)
    return [SessionBatch(list(files), (i, min(i + size, n))) for i in range(0, n, size)]


def batch_names(config: LearnConfig, n: int) -> list[str]:
    """Return the names of the tasks of ``n`` batches."""
    return [f"{config.task}-{k + 1:03d}" for k in range(n)]


def batches_log(output: Path) -> Path:
    """Return ``<stem>.stream.jsonl`` beside the output."""
    return beside(output, ".stream.jsonl")


@safe_after_fork
def learn_batches(
    options: Mapping[str, Any],
    batches: Sequence[SessionBatch],
    *,
    observer: Observer | None = None,
    resume: bool = False,
    on_batch: Callable[[dict[str, Any]], None] = lambda record: None,
) -> list[dict[str, Any]]:
    """Learn batches one after the other; each goes on from the model and the memory that the last one left.

    The k-th batch is a session with the task ``<task>-00k``. Its retention report and suspects are kept in
    the folder ``<stem>.batches``; a line in ``<stem>.stream.jsonl`` sums it up. A batch that is refused
    (``max_forgetting``) leaves model and memory as they were; the next goes on from there. A batch that the
    memory knows already is left out.

    Args:
        options: settings of each session as for :func:`session_config`; ``epochs`` and ``time_limit`` are
            those of one batch; ``start`` is the model before the first.
        batches: what is learned.
        observer: hears of every session.
        resume: go on after the last finished batch, and within an interrupted one.
        on_batch: gets the record of each batch.

    Returns:
        records of all batches: task, n_new, n_memory, seconds, gradient_evaluations, refused, suspects,
        parked, removed, and errors (energy_rmse in eV/atom, force_rmse in eV/Å, on n check structures, as
        they pool) ``old`` of the tasks before the stream, ``stream`` of all batches so far, ``new`` of this
        one, each before and after (None: nothing to measure).

    Raises:
        ConfigError: batches of that name were learned before and ``resume`` is not set.
        Otherwise as :func:`lmlp.lifelong.learn.learn`.
    """
    first = make_learn_config(options)
    if first.frames is not None:
        raise ConfigError(f"frames: batches have frames of their own; got {first.frames}")
    observer = observer or Observer()
    with (
        locked(beside(first.output, ""), observer.on_message),
        locked(first.memory, observer.on_message),
    ):
        return _learn_batches(options, first, batches, observer, resume=resume, on_batch=on_batch)


def _learn_batches(
    options: Mapping[str, Any],
    first: LearnConfig,
    batches: Sequence[SessionBatch],
    observer: Observer,
    *,
    resume: bool,
    on_batch: Callable[[dict[str, Any]], None],
) -> list[dict[str, Any]]:
    names = batch_names(first, len(batches))
    check_outputs(batches_outputs(first, names, replaces=True), learn_inputs(first))
    log = batches_log(first.output)
    records = _earlier_records(first, names, log, resume=resume)
    done = {r["task"] for r in records}
    for name, batch in zip(names, batches, strict=True):
        if name in done:
            continue
        accepted = any(not r["refused"] and r["n_new"] for r in records)
        values = {
            **options,
            "task": name,
            "data": [str(p) for p in batch.data],
            "frames": batch.frames,
            "start": str(first.output if accepted else first.start),
            "old": [] if accepted else [str(p) for p in first.old],
        }
        record = _one(values, names, observer, resume=resume)
        resume = False  # the others begin
        append(log, json.dumps(record, allow_nan=False) + "\n")
        records.append(record)
        on_batch(record)
    return records


def _earlier_records(
    config: LearnConfig, names: Sequence[str], log: Path, *, resume: bool
) -> list[dict[str, Any]]:
    """Return what an interrupted stream has done; a new one begins a new log."""
    if resume:
        return [r for r in read_log(log) if r["task"] in names] if log.exists() else []
    if config.memory.exists():
        with Memory(config.memory) as memory:
            known = [t for t in memory.tasks() if t in names]
        if known:
            raise ConfigError(
                f"{config.memory}: has learned {known[0]!r} already; choose another --task for a new stream, "
                "or --resume"
            )
    log.unlink(missing_ok=True)
    return []


def _one(values: dict[str, Any], names: Sequence[str], observer: Observer, *, resume: bool) -> dict[str, Any]:
    """Learn one batch, or take up its interrupted session; returns its record."""
    plain = make_learn_config(values)
    report = _finished(plain) if resume else None
    if report is None:
        going_on = resume and plain.checkpoint.exists()
        config = session_config(values, resume=going_on)
        try:
            report = learn(config, observer=observer, resume=going_on).report
        except NothingNew as error:
            observer.on_message(f"{plain.task}: {error}")
            return _record({"task": plain.task}, names, plain)
    _keep(plain)
    return _record(report, names, plain)


def _finished(config: LearnConfig) -> dict[str, Any] | None:
    """Return the report of a session that was killed between its end and its line in the log."""
    path = report_path(config)
    if config.checkpoint.exists() or not path.exists():
        return None
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if report["task"] != config.task:
        return None
    return report if report["refused"] or config.task in read_memory(config.memory).tasks else None


def _keep(config: LearnConfig) -> None:
    """Copy what the next session would overwrite."""
    folder = beside(config.output, ".batches")
    folder.mkdir(exist_ok=True)
    for path, kind, name in (
        (report_path(config), FIGURES, f"{config.task}.json"),
        (suspects_path(config), SUSPECTS, f"{config.task}.suspects.xyz"),
    ):
        if path.exists():
            with replacing(folder / name, kind) as temporary:
                temporary.write_bytes(path.read_bytes())


def _record(report: Mapping[str, Any], names: Sequence[str], config: LearnConfig) -> dict[str, Any]:
    """Sum up a report; an empty one is that of a batch without anything new."""
    tasks: Mapping[str, Any] = report.get("tasks", {})
    task = report["task"]
    n_memory = 0
    if config.memory.exists():
        with Memory(config.memory) as memory:
            n_memory = sum(e.n_bytes > 0 for e in memory.entries())
    groups = {
        "old": [t for n, t in tasks.items() if n not in names],
        "stream": [t for n, t in tasks.items() if n in names],
        "new": [t for n, t in tasks.items() if n == task],
    }
    return {
        "type": "batch",
        "task": task,
        **{k: report.get(k, 0) for k in ("n_new", "seconds", "gradient_evaluations")},
        "n_memory": n_memory,
        "refused": report.get("refused", False),
        **{k: len(report.get(k, [])) for k in ("suspects", "check_suspects", "parked", "removed")},
        **{
            name: {when: pooled(t[when] for t in group) for when in ("before", "after")}
            for name, group in groups.items()
        },
    }


def pooled(errors: Iterable[Mapping[str, Any] | None]) -> dict[str, Any] | None:
    """Join root mean square errors of several sets, weighted by structures; None without any."""
    given = [e for e in errors if e]
    if not given:
        return None
    result: dict[str, Any] = {"n": sum(e["n"] for e in given)}
    for key in ("energy_rmse", "force_rmse"):
        parts = [(e["n"], e[key]) for e in given if e[key] is not None]
        total = sum(n for n, _ in parts)
        result[key] = math.sqrt(sum(n * x * x for n, x in parts) / total) if total else None
    return result
