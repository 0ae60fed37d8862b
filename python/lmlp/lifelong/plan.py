"""From a learning session to a run: who is drawn, which networks learn, what holds the earlier tasks."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmlp.dataset.baseline import without_baseline
from lmlp.dataset.batches import make_references
from lmlp.dataset.division import Lots, Split, validation
from lmlp.dataset.free_atoms import (
    FreeAtomBlock,
    continued_block,
    free_energies,
    smallest_densities,
    tell_disagreements,
    tell_known,
    unlike_free,
)
from lmlp.dataset.store import Store
from lmlp.dataset.training_atoms import training_distance
from lmlp.descriptor.compute import Descriptor
from lmlp.errors import DataError
from lmlp.lifelong.balance import TaskBalance
from lmlp.lifelong.beginning import Beginning, errors_before, make_balance, make_springs
from lmlp.lifelong.continuation import (
    Options,
    continued_map,
    continued_potential,
    freeze_networks,
    joined_limits,
    pack_model,
)
from lmlp.lifelong.regularization import ElasticWeights
from lmlp.lifelong.session import Session
from lmlp.model.baseline import Zbl, extended_baseline, parse_baseline
from lmlp.model.distance_fit import TrainedDistance
from lmlp.model.potential import EnsemblePotential
from lmlp.model.scaling import fit_atomic_energies
from lmlp.selection.ledger import ACTIVE, PARKED
from lmlp.selection.likes import likes_by_task, structure_points
from lmlp.selection.sampler import Strategy
from lmlp.selection.strategies import STRATEGIES
from lmlp.structure.distances import joined_distances, shortest_distances
from lmlp.training.context import Context
from lmlp.training.optimizer import Pace
from lmlp.training.plan import FixedParts, Plan, make_provenance
from lmlp.training.state.restore import potential_from_state
from lmlp.training.state.resume import check_roles, check_saved, roles

_SLOWEST = 4  # earlier tasks; more of them do not shorten the steps further


@dataclass(frozen=True)
class Learning:
    """A session that is ready to begin.

    Attributes:
        session: what it learns; labels of its data set are less the baseline.
        plan: the run; its hold-out are the check structures of all tasks.
        strategy: the sampler of the plan, whose ledger memory and report read.
        points: what each structure is like ``[n, k]``.
        before: errors of the tasks before the session.
    """

    session: Session
    plan: Plan
    strategy: Strategy
    points: np.ndarray
    before: dict[str, Any]

    @cached_property
    def checks(self) -> frozenset[int]:
        """Check structures, which nothing is learned from."""
        return frozenset(self.plan.split.holdout.tolist())


def session_plan(session: Session, context: Context) -> Learning:
    """Assemble the run of a session: divide the data, continue the model, choose who is drawn.

    Raises:
        ConfigError, DataError: as :func:`lmlp.lifelong.learn.learn`.
    """
    c, saved = session.config, session.saved
    say = context.observer.on_message
    fingerprint = session.dataset.fingerprint()
    check_saved(saved, c, fingerprint)
    found = None if saved is None else FixedParts.restored(saved)
    shortest = _shortest(session) if found is None else found.shortest_distances
    baseline = _baseline(session, shortest) if found is None else found.baseline
    session = replace(session, dataset=without_baseline(session.dataset, baseline, say))
    split, n_draws = _split(session, context)
    who = roles(split, session.task_of)
    check_roles(saved, c, who)
    free_atoms = _free_atoms(session, split, context) if found is None else found.free_atoms
    if saved is None:
        potential, store, limits = _continued(session)
        distance = _distance(session, store, split)
        found = FixedParts(limits, shortest, baseline, free_atoms, potential.atomic_energies, distance)
    else:
        potential = potential_from_state(saved, weights="parameters")
        store = Store(session.dataset, potential.descriptor, c.memory_budget, statistics=False)
    assert found is not None
    store.set_inputs(potential.input_map, getattr(torch, c.dtype))
    freeze_networks(potential, session.resting)
    references = make_references(session.dataset, potential.atomic_energies)
    start = Beginning(session, potential, store, references)
    points = structure_points(store, np.arange(len(session.dataset)))
    strategy = _strategy(session, split, n_draws, points)
    before = errors_before(start, split.holdout) if saved is None else json.loads(saved["before"])
    balance = make_balance(start, split, strategy) if c.balance > 0 else None
    springs = make_springs(start, balance) if c.ewc > 0 else None
    provenance = make_provenance(c, session.dataset, split, fingerprint)
    plan = Plan(
        config=c,
        dataset=session.dataset,
        fingerprint=fingerprint,
        split=split,
        roles=who,
        potential=potential,
        parts=found,
        store=store,
        references=references,
        sampler=strategy,
        provenance={**provenance, **_lineage(session)},
        saved=saved,
        from_nothing=False,
        # what an interrupted session has left is kept; the log of a finished one gives way
        keeps_earlier=context.keeps_earlier and c.checkpoint.exists(),
        paces=_paces(session),
        structure_weights=balance,
        regularizer=springs,
        extra_state=_state(session, before, balance, springs),
    )
    return Learning(session, plan, strategy, points, before)


# Data ---------------------------------------------------------------------------------------------


def _split(session: Session, context: Context) -> tuple[Split, int]:
    """Divide what the memory holds by role, the new data by lot; depends on the seed alone.

    Returns:
        who trains, and the draws per epoch and member.
    """
    c, counts = session.config, session.dataset.counts
    n_old = len(session.entries)
    order = n_old + np.random.default_rng([c.seed, 0]).permutation(session.n_new)
    usable = [i for i, e in enumerate(session.entries) if e.role == "train" and e.state.status != "suspect"]
    checks = [i for i, e in enumerate(session.entries) if e.role == "check"]
    pool = np.concatenate([np.array(usable, np.int64), np.sort(order)])
    lots = Lots(counts, pool)
    new_checks = np.sort(lots.draw(order, int(c.check_fraction * session.n_new), pool))
    pool = np.setdiff1d(pool, new_checks)
    n_all = len(pool)
    # the others teach nothing: all networks that they need rest
    pool = pool[counts[pool][:, session.learning].sum(axis=1) > 0]
    n_valid = int(c.valid_fraction * len(pool))
    if len(pool) - n_valid < 1:
        raise DataError("no structures are left to learn from")
    # a session costs what it would with all networks
    n_draws = max(1, min(round(c.selection.share * (n_all - n_valid)), len(pool) - n_valid))
    train, valid = validation(lots, pool, n_valid, session.base.n_members, c.seed)
    for text in lots.explain(session.dataset):
        context.observer.on_message(text)
    return Split(train, valid, np.concatenate([np.array(checks, np.int64), new_checks])), n_draws


def _strategy(session: Session, split: Split, n_draws: int, points: np.ndarray) -> Strategy:
    """Return what draws; it goes on from what the memory knows of earlier structures."""
    c = session.config
    states = [e.state for e in session.entries]
    parked = [PARKED if s.status == "parked" else ACTIVE for s in states]
    strategy = STRATEGIES[c.strategy](
        split.train,
        session.task_of,
        new=session.new_task,
        batch_size=c.batch_size,
        seed=c.seed,
        rule=c.selection,
        factors=np.array([s.factor for s in states] + [c.selection.new] * session.n_new),
        statuses=np.array(parked + [ACTIVE] * session.n_new),
        n_draws=n_draws,
        likes=likes_by_task(points, session.task_of, np.unique(np.concatenate(split.train))),
    )
    strategy.ledger.reason[: len(states)] = [s.reason if s.status == "parked" else "" for s in states]
    return strategy


# Model --------------------------------------------------------------------------------------------


def _continued(session: Session) -> tuple[EnsemblePotential, Store, tuple[Tensor, Tensor]]:
    """Return the model, made trainable, with networks of new elements; data; ranges of the features."""
    c, dataset, base = session.config, session.dataset, session.base
    store = Store(dataset, Descriptor(base.descriptor, dataset.elements), c.memory_budget)
    assert store.moments is not None
    given = dict(zip(dataset.numbers, base.atomic_energies.tolist(), strict=False))
    rows = np.flatnonzero(np.isfinite(dataset.energies))
    energies = fit_atomic_energies(dataset.counts[rows], dataset.energies[rows], dataset.numbers, given)
    input_map = continued_map(base, store.moments, c.model.decorrelation, c.model.floor)
    options = Options(c.seed, getattr(torch, c.dtype), c.model.output_scale)
    potential = continued_potential(base, dataset.numbers, energies, input_map, options)
    return potential, store, joined_limits(base, store.moments)


def _distance(session: Session, store: Store, split: Split) -> TrainedDistance | None:
    """Fit the distance to all that is known but suspects and check structures; resting networks know theirs.

    Elements that do not occur there keep the distance of the model.
    """
    suspects = [i for i, e in enumerate(session.entries) if e.state.status == "suspect"]
    known = np.setdiff1d(np.arange(len(session.dataset)), [*suspects, *split.holdout.tolist()])
    return training_distance(store, known, session.config.seed, session.base.feature_distance)


def _shortest(session: Session) -> dict[str, float]:
    """Join distances of the model, whose data the memory may have dropped, with those of the data set."""
    here = shortest_distances(session.dataset.structures, session.dataset.elements, session.cutoff)
    return joined_distances(session.base.shortest_distances, here)


def _baseline(session: Session, shortest: dict[str, float]) -> Zbl | None:
    """Return the model's own baseline, extended to new elements."""
    elements, cutoff = session.dataset.elements, session.cutoff
    block = extended_baseline(session.base.baseline, elements, cutoff, shortest)
    return parse_baseline(block, elements, cutoff)


def _free_atoms(session: Session, split: Split, context: Context) -> FreeAtomBlock | None:
    """Keep the model's own free atoms, add those of elements that it has none of."""
    say, known = context.observer.on_message, session.base.free_atoms or {}
    atoms = tell_known(session.dataset.free_atoms, known, say)
    tell_disagreements(atoms, say)
    new = replace(session.dataset, free_atoms=tuple(atoms))
    rows = np.unique(np.concatenate([*split.train, *split.valid]))
    energies = free_energies(new, rows, {}, say)
    if not known and not energies:
        return None
    smallest = smallest_densities(new, rows, session.cutoff)
    own = {e: entry["energy"] for e, entry in known.items()}
    unlike = unlike_free(new, rows, session.cutoff, {**own, **energies}, smallest)
    return continued_block(known, energies, smallest, unlike, say)


def _paces(session: Session) -> list[Pace]:
    """Return how networks learn: known ones the slower the more tasks they know."""
    o, n_old = session.config.optimizer, len(session.base.elements)
    slowed = Pace(min(max(session.new_task, 1), _SLOWEST) ** -o.slowing)
    new = Pace(o.new_factor, rests=False)
    return [slowed] * n_old + [new] * (len(session.dataset.numbers) - n_old)


# What is kept -------------------------------------------------------------------------------------


def _state(
    session: Session, before: dict[str, Any], balance: TaskBalance | None, springs: ElasticWeights | None
) -> dict[str, Any]:
    """Return what the checkpoint of a session has besides."""
    state: dict[str, Any] = {
        "base": pack_model(session.base),
        "before": json.dumps(before),
        "session": session.id,
    }
    if balance is not None:
        state["levels"] = torch.from_numpy(balance.levels)
    if springs is not None:
        state["ewc"] = {"anchor": springs.anchor, "importance": springs.importance}
    return state


def _lineage(session: Session) -> dict[str, Any]:
    """Describe what the model learned, and before it the sessions that it comes from."""
    base = dict(session.base.provenance)
    return {"lineage": [*base.pop("lineage", []), base], "task": session.config.task}
