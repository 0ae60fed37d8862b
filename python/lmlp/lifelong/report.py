"""What came out of a session: errors, suspects, and what the memory keeps of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmlp.lifelong.choice import Bounds, choose
from lmlp.lifelong.memory import UNWRITTEN, Addition, Entry, State, Update
from lmlp.lifelong.plan import Learning
from lmlp.lifelong.record import to_bytes
from lmlp.lifelong.retention import StatedSigma, retention, task_errors
from lmlp.model.data import ModelData
from lmlp.selection.check_suspects import check_outliers
from lmlp.selection.energy_suspects import suspect_energies
from lmlp.selection.ledger import PARKED, SUSPECT
from lmlp.structure import Structure
from lmlp.structure.composition import formula
from lmlp.training.run import Run
from lmlp.training.trainer import Trainer
from lmlp.version import __version__

_CHECK = "kept to measure errors"
_COMPARED = 200  # training structures per task that check structures are compared with


@dataclass(frozen=True)
class Finding:
    """What the best weights say after a session.

    Attributes:
        errors: of the check structures by task.
        odd: structures whose labels look wrong by the final weights, with the reasons.
    """

    errors: dict[str, dict[str, Any]]
    odd: dict[int, str]


def look(learning: Learning, run: Run, model: ModelData) -> Finding:
    """Evaluate the check structures with the best weights, and find suspects; both tell errors of tasks.

    Args:
        learning: the session.
        run: after training.
        model: that came out.
    """
    trainer, session = run.trainer, learning.session
    stated = StatedSigma.of(model)
    checks = session.by_task(learning.plan.split.holdout)
    with trainer.using(trainer.best.values):
        errors = task_errors(trainer.potential, trainer.store, trainer.references, checks, stated)
        odd = _odd(learning, trainer)
        affected = {
            n: np.setdiff1d(ids, list(odd)) for n, ids in checks.items() if np.isin(ids, list(odd)).any()
        }
        rest = task_errors(trainer.potential, trainer.store, trainer.references, affected, stated)
    for name, without in rest.items():
        errors[name]["without_suspects"] = {k: without[k] for k in ("n", "energy_rmse", "force_rmse")}
    return Finding(errors, odd)


def _odd(learning: Learning, trainer: Trainer) -> dict[int, str]:
    """Find suspects by the final weights."""
    session, points = learning.session, learning.points
    rule, task_of, checks = session.config.selection, session.task_of, learning.plan.split.holdout
    used = np.unique(np.concatenate(learning.plan.split.train))
    used = used[learning.strategy.ledger.status[used] != SUSPECT]
    some = [
        np.random.default_rng([session.config.seed, 4]).permutation(ids)[:_COMPARED]
        for ids in session.by_task(used).values()
    ]
    mine, checked = (ids[task_of[ids] == session.new_task] for ids in (used, checks))
    return {
        **suspect_energies(trainer.energy_errors, points, mine, checked, rule),
        **check_outliers(trainer.losses, points, task_of, checks, np.concatenate(some), rule),
    }


def reason(learning: Learning, finding: Finding, i: int) -> str:
    """Say why a structure is parked, excluded, or a suspect by the final weights."""
    return finding.odd.get(i) or learning.strategy.ledger.reason[i]


def suspects(learning: Learning, finding: Finding) -> list[int]:
    """Return the structures that were excluded, or whose labels look wrong."""
    return sorted({*learning.strategy.ledger.with_status(SUSPECT).tolist(), *finding.odd})


def report(learning: Learning, run: Run, finding: Finding) -> dict[str, Any]:
    """Return the retention report as plain data (docs/lifelong.md)."""
    session, ledger = learning.session, learning.strategy.ledger
    used = np.flatnonzero(ledger.uses).tolist()
    odd, checks = set(finding.odd), learning.checks
    parked = [i for i in used if ledger.status[i] == PARKED and i not in odd]
    excluded = [i for i in used if ledger.status[i] == SUSPECT or i in odd - checks]

    def listed(ids: Iterable[int]) -> list[dict[str, str]]:
        return [
            {
                "source": session.dataset.structures[i].source,
                "task": session.tasks[session.task_of[i]],
                "reason": reason(learning, finding, i),
            }
            for i in ids
        ]

    return {
        "session": session.id,
        "task": session.config.task,
        **retention(learning.before, finding.errors, session.config.task, session.earlier.errors),
        "max_forgetting": session.config.max_forgetting,
        "suspects": listed(excluded),
        "check_suspects": listed(sorted(odd & checks)),
        "parked": listed(parked),
        "n_earlier": len(session.entries),
        "n_new": session.n_new,
        "gradient_evaluations": int(ledger.uses.sum()) // session.base.n_members,
        "seconds": round(run.progress.elapsed, 1),
    }


# Memory -------------------------------------------------------------------------------------------


def memory_update(learning: Learning, finding: Finding) -> tuple[Update, list[dict[str, str]]]:
    """Return what the session writes to the memory, and the structures whose content that drops."""
    session = learning.session
    c, n_old = session.config, len(session.entries)
    structures = session.dataset.structures
    states = [_state(learning, finding, i) for i in range(len(structures))]
    entries = [_entry(learning, i, s, states[i]) for i, s in enumerate(structures)]
    gone = choose(entries, learning.points, Bounds(c.memory_structures, c.memory_bytes))
    now = [gone.get(i, s) for i, s in enumerate(states)]
    changed = [(e, now[i]) for i, e in enumerate(session.entries) if now[i] != e.state]
    changes = {e.id: state for e, state in changed if e.id != UNWRITTEN}
    revisions = {e.checksum: state for e, state in changed if e.id == UNWRITTEN}
    additions = [Addition(structures[i], now[i], entries[i].role) for i in range(n_old, len(structures))]
    errors = finding.errors.items()
    provenance = {
        "lmlp_version": __version__,
        "task": c.task,
        "data": [str(p) for p in c.data],
        "output": str(c.output),
        "errors": {name: {k: e[k] for k in ("n", "energy_rmse", "force_rmse")} for name, e in errors},
    }
    listed = [
        {"source": entries[i].source, "task": entries[i].task, "reason": gone[i].reason} for i in sorted(gone)
    ]
    first = session.earlier.updates
    update = Update(session.id, "learn", provenance, c.task, additions, changes, first, revisions)
    return update, listed


def _state(learning: Learning, finding: Finding, i: int) -> State:
    """Return what the memory is told of a structure."""
    entries, ledger = learning.session.entries, learning.strategy.ledger
    before = entries[i].state if i < len(entries) else None
    if i in finding.odd:
        return State("suspect", reason=finding.odd[i])
    if i in learning.checks:
        return before if before is not None and before.status == "active" else State(reason=_CHECK)
    if before is not None and not ledger.uses[i]:
        return before
    return State(ledger.status_name(i), float(ledger.factor[i]), ledger.reason[i])


def _entry(learning: Learning, i: int, s: Structure, state: State) -> Entry:
    session = learning.session
    old = session.entries[i] if i < len(session.entries) else None
    role = old.role if old is not None else ("check" if i in learning.checks else "train")
    return Entry(
        id=i,
        task=session.tasks[session.task_of[i]],
        role=role,
        checksum="",
        source=s.source,
        formula=formula(s),
        n_atoms=len(s),
        n_bytes=old.n_bytes if old is not None else len(to_bytes(s)),
        state=state,
        changed="",
    )
