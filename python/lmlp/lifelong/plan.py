"""One learning session: from a model, its memory and new data to a model that knows both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch

from lmlp.audit.report import audit
from lmlp.dataset.arrays import Dataset, make_dataset
from lmlp.dataset.batches import make_references
from lmlp.dataset.division import Lots, Split, validation
from lmlp.dataset.free_atoms import (
    Block,
    continued_block,
    free_energies,
    smallest_densities,
    tell_disagreements,
    tell_known,
    unlike_free,
)
from lmlp.dataset.store import Store
from lmlp.descriptor.compute import Descriptor
from lmlp.errors import ConfigError, DataError, InvalidArgumentError
from lmlp.files.rule import check_outputs
from lmlp.io import DataKeys, read_structures
from lmlp.lifelong.balance import TaskBalance, task_levels
from lmlp.lifelong.base import completed, load_model
from lmlp.lifelong.config import LearnConfig
from lmlp.lifelong.continuation import (
    Options,
    continued_map,
    continued_potential,
    extended_elements,
    freeze_networks,
    joined_limits,
    keep_networks,
    pack_model,
    unpack_model,
)
from lmlp.lifelong.earlier import earlier_data, known_to, unknown
from lmlp.lifelong.memory import Memory
from lmlp.lifelong.outputs import learn_inputs, learn_outputs
from lmlp.lifelong.regularization import ElasticWeights, importances
from lmlp.lifelong.retention import retention, task_errors
from lmlp.model.baseline import Zbl, extended_baseline, parse_baseline
from lmlp.model.data import ModelData
from lmlp.model.potential import EnsemblePotential
from lmlp.model.scaling import fit_atomic_energies
from lmlp.selection.adaptive import AdaptiveSelection
from lmlp.selection.check_suspects import check_outliers
from lmlp.selection.energy_suspects import suspect_energies
from lmlp.selection.ledger import PARKED, SUSPECT
from lmlp.structure import Structure
from lmlp.structure.distances import joined_distances, shortest_distances
from lmlp.structure.free_atoms import FreeAtom, set_apart
from lmlp.training.observer import Observer
from lmlp.training.optimizer import Pace
from lmlp.training.run import Run
from lmlp.training.state.restore import potential_from_state
from lmlp.training.state.resume import roles
from lmlp.training.trainer import Trainer

_COMPARED = 200  # training structures per task that check structures are compared with
_SLOWEST = 4  # earlier tasks; more of them do not shorten the steps further


class NothingNew(DataError):
    """The memory knows all new structures."""


class SessionDone(Exception):
    """The memory holds this session already: the model was written before."""


class LearnRun(Run):
    """Trains a continued model on new data and what the memory keeps of earlier ones.

    The data set holds the memory's structures first, then the new ones.

    Args:
        config: settings.
        observer: hears of the progress.
        resume: continue from the checkpoint of an interrupted session.
        started: ``time.monotonic()`` that the time limit counts from.
    """

    config: LearnConfig
    from_nothing = False

    def __init__(
        self,
        config: LearnConfig,
        observer: Observer,
        *,
        resume: bool = False,
        started: float | None = None,
    ) -> None:
        super().__init__(config, observer, resume=resume, started=started)
        self.base = load_model(config.start) if self.saved is None else unpack_model(self.saved["base"])
        self.config = completed(config, self.saved, self.base)
        self.before: dict[str, Any] = {} if self.saved is None else json.loads(self.saved["before"])

    def _check_outputs(self) -> None:
        try:
            check_outputs(learn_outputs(self.config, replaces=True), learn_inputs(self.config))
        except InvalidArgumentError as error:
            raise ConfigError(f"output: {error}") from None

    def _set_earlier_aside(self) -> None:
        """Keep what an interrupted session has left; the log of a finished one gives way."""
        if self.config.checkpoint.exists():
            super()._set_earlier_aside()

    # Data -----------------------------------------------------------------------------------------

    def _read(self) -> tuple[Dataset, int]:
        c = self.config
        if self.saved is not None and c.memory.exists():
            with Memory(c.memory) as memory:
                if memory.has_session(self.saved["session"]):
                    raise SessionDone
        earlier = earlier_data(c, self.base, self.observer)
        if c.task in earlier.tasks:
            raise ConfigError(f"{c.memory}: has learned a task {c.task!r} already; choose another name")
        new, free = self._new_structures()
        known = known_to(c.memory, new) | {a.checksum for a in earlier.entries}
        self.new = unknown(new, known, self.observer)
        self.entries, self.earlier = earlier.entries, earlier
        self.tasks = [*earlier.tasks, c.task]
        if not self.new:
            what = "known to the memory" if new else "isolated atoms"
            raise NothingNew(f"{', '.join(map(str, c.data))}: nothing to learn, all structures are {what}")
        structures = [*earlier.structures, *self.new]
        present = {int(z) for s in structures for z in np.unique(s.numbers)}
        numbers = extended_elements(self.base, sorted(present))
        dataset = make_dataset(structures, numbers, [*earlier.free, *free])
        self.task_of = np.array(
            [self.tasks.index(e.task) for e in self.entries] + [len(self.tasks) - 1] * len(self.new)
        )
        return dataset, 0

    @property
    def cutoff(self) -> float:
        """Cutoff of the model in Å."""
        return float(self.base.descriptor["cutoff"])

    def _new_structures(self) -> tuple[list[Structure], list[FreeAtom]]:
        c = self.config
        keys = DataKeys(**c.keys.model_dump())
        structures = [s for path in c.data for s in read_structures(path, keys)]
        structures = structures[slice(*c.frames)] if c.frames else structures
        report = audit(structures, cutoff=self.cutoff)
        self.observer.on_data(report, None)
        report.raise_for_errors()
        return set_apart(structures, self.cutoff)

    def _split(self, n_held_out: int) -> Split:
        """Divide what the memory holds by role, the new data by lot; depends on the seed alone."""
        c = self.config
        n_old, n_new = len(self.entries), len(self.new)
        order = n_old + np.random.default_rng([c.seed, 0]).permutation(n_new)
        usable = [i for i, e in enumerate(self.entries) if e.role == "train" and e.state.status != "suspect"]
        checks = [i for i, e in enumerate(self.entries) if e.role == "check"]
        pool = np.concatenate([np.array(usable, np.int64), np.sort(order)])
        lots = Lots(self.dataset.counts, pool)
        new_checks = np.sort(lots.draw(order, int(c.check_fraction * n_new), pool))
        self.checks = np.concatenate([np.array(checks, np.int64), new_checks])
        pool = np.setdiff1d(pool, new_checks)
        n_all = len(pool)
        # the others teach nothing: all networks that they need rest
        pool = pool[self.dataset.counts[pool][:, self._learning()].sum(axis=1) > 0]
        n_valid = int(c.valid_fraction * len(pool))
        if len(pool) - n_valid < 1:
            raise DataError("no structures are left to learn from")
        # a session costs what it would with all networks
        self.n_draws = max(1, min(round(c.selection.share * (n_all - n_valid)), len(pool) - n_valid))
        train, valid = validation(lots, pool, n_valid, self.base.n_members, c.seed)
        for text in lots.explain(self.dataset):
            self.observer.on_message(text)
        return Split(train, valid, self.checks)

    def _roles(self) -> dict[str, Any]:
        return roles(self.split, self.task_of)

    def _learning(self) -> np.ndarray:
        """Return by species whether its networks learn."""
        n_old, counts = len(self.base.elements), self.dataset.counts
        if self.config.networks == "all":
            return np.ones(counts.shape[1], bool)
        new = np.arange(counts.shape[1]) >= n_old  # perhaps of the memory alone
        if self.config.networks == "present":
            return np.asarray(counts[len(self.entries) :].sum(axis=0) > 0) | new
        if not new.any():
            raise ConfigError("networks: new, but the new data have no new element")
        return new

    # Model ----------------------------------------------------------------------------------------

    def _shortest_distances(self, n_held_out: int) -> dict[str, float]:
        """Join those of the model, whose data the memory may have dropped, with those of the data set."""
        if self.saved is not None:
            return super()._shortest_distances(n_held_out)
        cutoff = float(self.base.descriptor["cutoff"])
        here = shortest_distances(self.dataset.structures, self.dataset.elements, cutoff)
        return joined_distances(self.base.shortest_distances, here)

    def _free_atoms(self) -> Block | None:
        """Keep the model's own, add those of elements that it has none of."""
        if self.saved is not None:
            return super()._free_atoms()
        say, known = self.observer.on_message, self.base.free_atoms or {}
        atoms = tell_known(self.dataset.free_atoms, known, say)
        tell_disagreements(atoms, say)
        new = replace(self.dataset, free_atoms=tuple(atoms))
        rows = np.unique(np.concatenate([*self.split.train, *self.split.valid]))
        energies = free_energies(new, rows, {}, say)
        if not known and not energies:
            return None
        smallest = smallest_densities(new, rows, self.cutoff)
        own = {e: entry["energy"] for e, entry in known.items()}
        unlike = unlike_free(new, rows, self.cutoff, {**own, **energies}, smallest)
        return continued_block(known, energies, smallest, unlike, say)

    def _anchored(self) -> np.ndarray:
        """Keep E_atom: the model may know compositions that the memory has no more."""
        return self.trainer.potential.atomic_energies

    def _baseline(self) -> Zbl | None:
        """Return the model's own baseline, extended to new elements."""
        elements, cutoff = self.dataset.elements, float(self.base.descriptor["cutoff"])
        return parse_baseline(
            extended_baseline(self.base.baseline, elements, cutoff, self.shortest), elements, cutoff
        )

    def _make_trainer(self) -> Trainer:
        c, dataset = self.config, self.dataset
        dtype = getattr(torch, c.dtype)
        if self.saved is not None:
            potential = potential_from_state(self.saved, weights="parameters")
            store = Store(dataset, potential.descriptor, c.memory_budget, statistics=False)
            self.limits = (self.saved["feature_min"], self.saved["feature_max"])
        else:
            potential, store = self._continued(dtype)
        store.set_inputs(potential.input_map, dtype)
        references = make_references(dataset, potential.atomic_energies)
        sampler = self._make_sampler()
        self._find_likes(store, sampler)
        trainer = Trainer(c, potential, store, references, sampler, self.split, paces=self._paces())
        freeze_networks(potential, np.flatnonzero(~self._learning()).tolist())
        if self.saved is None:
            factors = (self.base.energy_uncertainty_factor, self.base.force_uncertainty_factor)
            known = ~self._has_new_element()
            groups = {t: ids[known[ids]] for t, ids in self._check_groups().items()}
            self.before = task_errors(potential, store, references, groups, factors)
        if c.balance > 0:
            trainer.structure_weights = self._balance(trainer)
        if c.ewc > 0:
            trainer.regularizer = self._springs(trainer)
        return trainer

    def _paces(self) -> list[Pace]:
        """Return how networks learn: known ones the slower the more tasks they know."""
        o, n_old = self.config.optimizer, len(self.base.elements)
        slowed = Pace(min(max(len(self.tasks) - 1, 1), _SLOWEST) ** -o.slowing)
        new = Pace(o.new_factor, rests=False)
        return [slowed] * n_old + [new] * (len(self.dataset.numbers) - n_old)

    def _balance(self, trainer: Trainer) -> TaskBalance:
        c, pool = self.config, np.unique(np.concatenate(self.split.train))
        if self.saved is None:
            levels = task_levels(trainer, self.task_of, pool, c.seed)
        else:
            levels = self.saved["levels"].numpy()
        sampler = cast(AdaptiveSelection, trainer.sampler)
        return TaskBalance(levels, c.balance, self.task_of, pool, sampler)

    def _continued(self, dtype: torch.dtype) -> tuple[EnsemblePotential, Store]:
        c, dataset = self.config, self.dataset
        descriptor = Descriptor(self.base.descriptor, dataset.elements)
        store = Store(dataset, descriptor, c.memory_budget)
        assert store.moments is not None
        self.limits = joined_limits(self.base, store.moments)
        given = dict(zip(dataset.numbers, self.base.atomic_energies.tolist(), strict=False))
        rows = np.flatnonzero(np.isfinite(dataset.energies))
        energies = fit_atomic_energies(dataset.counts[rows], dataset.energies[rows], dataset.numbers, given)
        input_map = continued_map(self.base, store.moments, c.model.decorrelation, c.model.floor)
        options = Options(c.seed, dtype, c.model.output_scale)
        return continued_potential(self.base, dataset.numbers, energies, input_map, options), store

    def _make_sampler(self) -> AdaptiveSelection:
        c = self.config
        states = [e.state for e in self.entries]
        new = len(self.tasks) - 1
        factors = np.array([s.factor for s in states] + [c.selection.new] * len(self.new))
        sampler = AdaptiveSelection(
            self.split.train,
            self.task_of,
            new=new,
            batch_size=c.batch_size,
            seed=c.seed,
            rule=c.selection,
            factors=factors,
            n_draws=self.n_draws,
        )
        sampler.ledger.status[: len(states)] = [PARKED if s.status == "parked" else 0 for s in states]
        return sampler

    def _springs(self, trainer: Trainer) -> ElasticWeights:
        c = self.config
        if self.saved is not None:
            kept = self.saved["ewc"]
            return ElasticWeights(kept["anchor"], kept["importance"], c.ewc)
        old = np.flatnonzero(self.task_of < len(self.tasks) - 1)
        old = old[[self.entries[i].role == "train" for i in old]]
        ids = np.random.default_rng([c.seed, 2]).permutation(old)[: c.ewc_structures]
        if not len(ids):
            raise DataError("elastic weight consolidation needs earlier structures in the memory")
        return ElasticWeights(trainer.parameters, importances(trainer, ids), c.ewc)

    def _has_new_element(self) -> np.ndarray:
        return np.asarray(self.dataset.counts[:, len(self.base.elements) :].sum(axis=1) > 0)

    def _check_groups(self) -> dict[str, np.ndarray]:
        return {name: self.checks[self.task_of[self.checks] == t] for t, name in enumerate(self.tasks)}

    # State and outcome ----------------------------------------------------------------------------

    @property
    def session(self) -> str:
        """Name of the session: a hash of model, settings and data."""
        if self.saved is not None:
            return str(self.saved["session"])
        digest = hashlib.sha256(self.fingerprint.encode())
        for tensor in pack_model(self.base)["arrays"].values():
            digest.update(tensor.numpy().tobytes())
        digest.update(self.config.model_dump_json().encode())
        return digest.hexdigest()

    def _more_state(self) -> dict[str, Any]:
        springs = cast("ElasticWeights | None", self.trainer.regularizer)
        state = {"base": pack_model(self.base), "before": json.dumps(self.before), "session": self.session}
        if self.trainer.structure_weights is not None:
            state["levels"] = torch.from_numpy(cast(TaskBalance, self.trainer.structure_weights).levels)
        if springs is not None:
            state["ewc"] = {"anchor": springs.anchor, "importance": springs.importance}
        return state

    def _provenance(self) -> dict[str, Any]:
        """Describe this session and, before it, those that the model comes from."""
        mine = super()._provenance()
        base = dict(self.base.provenance)
        return {**mine, "lineage": [*base.pop("lineage", []), base], "task": self.config.task}

    def _finish(self) -> ModelData:
        data = super()._finish()
        factors = (data.energy_uncertainty_factor, data.force_uncertainty_factor)
        trainer = self.trainer
        with trainer.using(trainer.best.values):
            self.after = task_errors(
                trainer.potential, trainer.store, trainer.references, self._check_groups(), factors
            )
            self._look_at_labels(factors)
        return keep_networks(data, self.base, np.flatnonzero(~self._learning()).tolist())

    def _look_at_labels(self, factors: tuple[float, float]) -> None:
        """Find suspects by the final weights; tell errors without those among check structures."""
        trainer, sampler = self.trainer, cast(AdaptiveSelection, self.trainer.sampler)
        used = np.unique(np.concatenate(self.split.train))
        used = used[sampler.ledger.status[used] != SUSPECT]
        some = [
            np.random.default_rng([self.config.seed, 4]).permutation(used[self.task_of[used] == t])[
                :_COMPARED
            ]
            for t in range(len(self.tasks))
        ]
        rule = self.config.selection
        new = len(self.tasks) - 1
        mine, checked = (ids[self.task_of[ids] == new] for ids in (used, self.checks))
        self.odd = {
            **suspect_energies(trainer.energy_errors, self.points, mine, checked, rule),
            **check_outliers(
                trainer.losses, self.points, self.task_of, self.checks, np.concatenate(some), rule
            ),
        }
        odd = np.intersect1d(np.array(list(self.odd), dtype=np.int64), self.checks)
        affected = {self.tasks[t] for t in self.task_of[odd]}
        groups = {n: np.setdiff1d(g, odd) for n, g in self._check_groups().items() if n in affected}
        rest = task_errors(trainer.potential, trainer.store, trainer.references, groups, factors)
        for name, errors in rest.items():
            kept = ("n", "energy_rmse", "force_rmse")
            self.after[name]["without_suspects"] = {key: errors[key] for key in kept}

    def reason(self, i: int) -> str:
        """Say why a structure is parked, excluded, or a suspect by the final weights."""
        return self.odd.get(i) or cast(AdaptiveSelection, self.trainer.sampler).reason(i)

    def _selected(self) -> dict[str, Any]:
        return {}  # the report has more of it

    def report(self) -> dict[str, Any]:
        """Return the retention report as plain data."""
        sampler = cast(AdaptiveSelection, self.trainer.sampler)
        used = [i for i in range(len(self.dataset)) if sampler.ledger.uses[i]]
        odd, checks = set(self.odd), set(self.checks.tolist())
        parked = [i for i in used if sampler.status(i) == "parked" and i not in odd]
        suspects = [i for i in used if sampler.status(i) == "suspect" or i in odd - checks]
        return {
            "session": self.session,
            "task": self.config.task,
            **retention(self.before, self.after, self.config.task, self.earlier.errors),
            "max_forgetting": self.config.max_forgetting,
            "suspects": self._listed(suspects),
            "check_suspects": self._listed(sorted(odd & checks)),
            "parked": self._listed(parked),
            "n_earlier": len(self.entries),
            "n_new": len(self.new),
            "gradient_evaluations": int(sampler.ledger.uses.sum()) // self.base.n_members,
            "seconds": round(self.progress.elapsed, 1),
        }

    def _listed(self, ids: Iterable[int]) -> list[dict[str, str]]:
        return [
            {
                "source": self.dataset.structures[i].source,
                "task": self.tasks[self.task_of[i]],
                "reason": self.reason(i),
            }
            for i in ids
        ]
