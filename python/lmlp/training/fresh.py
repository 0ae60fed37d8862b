"""From the settings of ``lmlp train`` to a run: what is read, who trains on what, what is trained."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch

from lmlp.dataset.arrays import Dataset
from lmlp.dataset.baseline import without_baseline
from lmlp.dataset.batches import make_references
from lmlp.dataset.derivatives import Budget, store_derivatives
from lmlp.dataset.disk import StreamedDataset
from lmlp.dataset.division import Shares, Split, divide
from lmlp.dataset.input_file import InputFile
from lmlp.dataset.read import read_dataset
from lmlp.dataset.sources import Sources
from lmlp.dataset.store import Store
from lmlp.descriptor.compute import Descriptor
from lmlp.files.lock import locked
from lmlp.files.names import beside
from lmlp.io import DataKeys
from lmlp.model.data import ModelData
from lmlp.model.torch_fork import safe_after_fork
from lmlp.selection.adaptive import AdaptiveSelection
from lmlp.selection.energy_suspects import suspect_energies
from lmlp.selection.ledger import SUSPECT, outcome
from lmlp.selection.likes import likes_by_task, structure_points
from lmlp.selection.rule import SelectionRule
from lmlp.selection.sampler import Sampler, ShuffledBatches
from lmlp.structure.distances import shortest_distances
from lmlp.training.config import TrainConfig
from lmlp.training.context import Context
from lmlp.training.finish.phase import make_finish
from lmlp.training.functions import cutoff_of, make_spec
from lmlp.training.new_model import anchored, new_baseline, new_free_atoms, new_model
from lmlp.training.observer import Observer
from lmlp.training.plan import FixedParts, Plan, make_provenance
from lmlp.training.run import run
from lmlp.training.schedule import wants_forces
from lmlp.training.state.beforehand import check_elements
from lmlp.training.state.outputs import train_outputs
from lmlp.training.state.restore import potential_from_state
from lmlp.training.state.resume import check_roles, check_saved, roles
from lmlp.training.trainer import Trainer


@safe_after_fork
def train(config: TrainConfig, *, observer: Observer | None = None, resume: bool = False) -> ModelData:
    """Train a model.

    Writes ``<stem>.checkpoint`` and ``<stem>.log.jsonl`` beside ``config.output``; the model file itself
    is the caller's (:func:`lmlp.export.writing.write_model_file`).

    Args:
        config: settings.
        observer: hears of the progress.
        resume: continue from the checkpoint; the weights come out as those of an unbroken run.

    Returns:
        the members' best weights, with errors and calibration on held-out structures.

    Raises:
        ConfigError: settings that contradict each other or the checkpoint.
        DataError, UnknownElementError, GeometryError: data that cannot be used; the structure is named.
        TrainingError: a loss or gradient is not finite; the structure is named, the last good state is saved.
        OutputError: another run writes the same files, or they cannot be written.
        DivergedError: the run has ended, and its model is no better than none; it is in the error.
        KeyboardInterrupt: after saving.
    """
    observer = observer or Observer()
    with locked(beside(config.output, ""), observer.on_message):
        return train_in(config, Context(config, observer, resume=resume))


def train_in(config: TrainConfig, context: Context) -> ModelData:
    """Train a model where files are locked already; see :func:`train`."""
    return run(fresh_plan(config, context), context)


def fresh_plan(c: TrainConfig, context: Context) -> Plan:
    """Assemble a run of a new model: read the data, divide them, make the model.

    Args:
        c: settings.
        context: what surrounds the run.

    Raises:
        ConfigError, DataError, UnknownElementError, GeometryError: as :func:`train`.
    """
    say = context.observer.on_message
    saved = context.begin(train_outputs(c, fresh=context.keeps_earlier), c.data_files)
    dataset, n_held_out = read_dataset(_sources(c), context.observer, context.workers.together)
    check_elements(dataset.counts[: len(dataset) - n_held_out], dataset.elements)
    fingerprint = dataset.fingerprint()
    check_saved(saved, c, fingerprint)
    found = None if saved is None else FixedParts.restored(saved)
    shortest = _shortest(c, dataset, n_held_out) if found is None else found.shortest_distances
    baseline = new_baseline(c, dataset.elements, shortest) if found is None else found.baseline
    dataset = without_baseline(dataset, baseline, say)
    split = divide(
        dataset, n_held_out, Shares(c.valid_fraction, c.holdout_fraction, c.model.members, c.seed), say
    )
    who = roles(split, free_atoms=dataset.free_atoms)
    check_roles(saved, c, who)
    free_atoms = new_free_atoms(c, dataset, split, say) if found is None else found.free_atoms

    n_known = len(dataset) - (len(split.holdout) if c.valid else 0)
    make_store = partial(_make_store, context, dataset, n_known)
    first_record: dict[str, Any] = {}
    if saved is None:
        trained = np.unique(np.concatenate(split.train))
        new = new_model(c, dataset, n_known, trained, shortest, make_store, say)
        potential, store, limits = new.potential, new.store, new.limits
        first_record = {"symmetry_functions": new.chosen}
        atoms = anchored(c, dataset, potential.atomic_energies, free_atoms)
        found = FixedParts(limits, shortest, baseline, free_atoms, atoms, new.distance)
    else:
        potential = potential_from_state(saved, weights="parameters")
        store = make_store(potential.descriptor, statistics=False)  # same pieces, same bits
        store.set_inputs(potential.input_map, getattr(torch, c.dtype))
    assert found is not None
    references = make_references(dataset, potential.atomic_energies)
    sampler, last_record = _sampler(c, context, store, split)
    stored = wants_forces(references, c.loss) and _store_derivatives(c, context, store, split, saved)
    return Plan(
        config=c,
        dataset=dataset,
        fingerprint=fingerprint,
        split=split,
        roles=who,
        potential=potential,
        parts=found,
        store=store,
        references=references,
        sampler=sampler,
        provenance=make_provenance(c, dataset, split, fingerprint),
        saved=saved,
        stored_derivatives=stored,
        keeps_earlier=context.keeps_earlier,
        first_record=first_record,
        last_record=last_record,
        finish=make_finish(c, references, split),
    )


def _sources(c: TrainConfig) -> Sources:
    return Sources(
        files=c.data,
        held_out=c.valid,
        keys=DataKeys(**c.keys.model_dump()),
        elements=c.elements,
        cutoff=cutoff_of(c.descriptor),
        on_disk=c.stream,
        memory=c.memory_budget,
        folder=c.stream_folder,
    )


def _shortest(c: TrainConfig, dataset: Dataset, n_held_out: int) -> dict[str, float]:
    """Return the shortest distance of each pair of elements in the training data."""
    cutoff = float(make_spec(c.descriptor, dataset.elements, {})["cutoff"])
    trained = (dataset.structures[i] for i in range(len(dataset) - n_held_out))
    return shortest_distances(trained, dataset.elements, cutoff)


def _make_store(
    context: Context, dataset: Dataset, n_known: int, descriptor: Descriptor, *, statistics: bool = True
) -> Store:
    """Keep what fits, or all on disk; the first ``n_known`` structures tell the statistics of features."""
    file = None
    if isinstance(dataset, StreamedDataset):
        path = dataset.folder / f"inputs-{context.workers.rank}"
        file = InputFile(path, context.observer.on_message)
    budget = context.config.memory_budget
    return Store(dataset, descriptor, budget, n_fit=n_known, statistics=statistics, file=file)


def _sampler(c: TrainConfig, context: Context, store: Store, split: Split) -> tuple[Sampler, Any]:
    """Return what chooses the structures of each step, and what tells of its choice at the end."""
    n = len(store.dataset)
    if c.selection is None:
        return ShuffledBatches(split.train, c.batch_size, c.seed, c.shuffle_block), None
    tasks = np.zeros(n, dtype=np.int64)
    points = structure_points(store, np.arange(n))
    likes = likes_by_task(points, tasks, np.unique(np.concatenate(split.train)))
    sampler = AdaptiveSelection(
        split.train, tasks, batch_size=c.batch_size, seed=c.seed, rule=c.selection, likes=likes
    )
    return sampler, partial(_selected, context, sampler, points, c.selection)


def _selected(
    context: Context, sampler: AdaptiveSelection, points: np.ndarray, rule: SelectionRule, trainer: Trainer
) -> dict[str, Any]:
    """Tell which structures were parked or excluded, and whose energies look wrong."""
    split, dataset = trainer.split, trainer.store.dataset
    used = np.unique(np.concatenate(split.train))
    used = used[sampler.ledger.status[used] != SUSPECT]
    energies = suspect_energies(trainer.energy_errors, points, used, split.holdout, rule)
    names = [s.source or f"structure {i}" for i, s in enumerate(dataset.structures)]
    found = outcome(sampler.ledger, names, energies)
    for entry in found["suspects"]:
        context.observer.on_message(f"{entry['source']}: {entry['reason']}")
    return {"selection": found}


def _store_derivatives(
    c: TrainConfig, context: Context, store: Store, split: Split, saved: dict[str, Any] | None
) -> bool:
    """Store what pays; a resumed run does as it did before, so that it repeats the same bits."""
    ids = np.unique(np.concatenate([*split.train, *split.valid]))
    mode, passes, seconds = c.derivatives, None, None
    if saved is not None:
        mode = "stored" if saved["stored_derivatives"] else "computed"
    if c.max_epochs is not None:
        passes = 2.0 * c.max_epochs * c.epoch_share * c.model.members * len(split.train[0]) / len(ids)
    if c.time_limit is not None:
        seconds = c.time_limit - context.seconds_used
    return store_derivatives(store, ids, Budget(mode, passes, seconds), context.observer.on_message)
