"""Trainings of the comparison: through the library, with what surrounds them and the CPU time they take."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lmlp.dataset.arrays import make_dataset
from lmlp.dataset.batches import References, make_references
from lmlp.dataset.store import Store
from lmlp.io import read_structures, write_structures
from lmlp.selection.sampler import ShuffledBatches
from lmlp.structure import Structure
from lmlp.training import make_config
from lmlp.training.context import Context
from lmlp.training.fresh import fresh_plan
from lmlp.training.observer import Observer
from lmlp.training.plan import Plan
from lmlp.training.run import Run
from torch import Tensor

HERE = Path(__file__).resolve().parent
FINISH = 0.2
"""Share of the epochs that a likelihood or a Markov chain takes at the end."""

Settings = dict[str, Any]


@dataclass(frozen=True)
class Trained:
    """A trained ensemble and what it was trained on.

    Attributes:
        plan: of the training; the networks of its potential are to be filled with weights.
        weights: best weights of each member, in the order of the network's parameters.
        before_finish: state of the trainer when the last epochs (:data:`FINISH`) begin.
        cpu: seconds of the training.
    """

    plan: Plan
    weights: list[Tensor]
    before_finish: dict[str, Any]
    cpu: float

    @property
    def n_members(self) -> int:
        """Members that were trained."""
        return len(self.weights[0])


def cpu_seconds() -> float:
    """CPU time of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def data_file(name: str) -> Path:
    """Path of a data file below the data folder."""
    return Path(os.environ.get("LMLP_DATA", HERE.parents[2] / "shared" / "data")) / name


def structures_of(source: Settings) -> list[Structure]:
    """Read structures of files: those whose comment has (``only``) or has not (``without``) entries."""
    found = [s for name in source["files"] for s in read_structures(data_file(name))]

    def agrees(s: Structure, entries: dict[str, Any]) -> bool:
        return all(s.info.get(key) == value for key, value in entries.items())

    only, without = source.get("only", {}), source.get("without")
    kept = [s for s in found if agrees(s, only) and not (without and agrees(s, without))]
    return kept[:: source.get("every", 1)]


def configuration(settings: Settings, members: int, seed: int, folder: Path) -> Any:
    """Settings of a training, its structures written beside the results."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "train.xyz"
    if not data.exists():
        write_structures(data, structures_of({**settings, "files": settings["train"]}))
    config = {**settings["config"], "data": [str(data)], "output": str(folder / "model.pt")}
    config["model"] = {**config.get("model", {}), "members": members}
    return make_config({**config, "seed": seed, "threads": 1})


class _Snapshot(Observer):
    """Keeps the state of a trainer when its last epochs begin."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.run: Run | None = None
        self.state: dict[str, Any] = {}

    def on_epoch(self, record: dict[str, Any]) -> None:
        """Keep a copy of everything."""
        if record["epoch"] + 1 == self.epoch and self.run is not None:
            self.state = _copied(self.run.trainer.state())


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {k: _copied(v) for k, v in value.items()}
    return [_copied(v) for v in value] if isinstance(value, list) else value


def train(
    settings: Settings, members: int, seed: int, folder: Path, change: Callable[[Plan], Plan]
) -> Trained:
    """Train an ensemble, or take it from the folder where it lies.

    Args:
        settings: of the set.
        members: to train.
        seed: of everything.
        folder: of the results.
        change: what differs from a plain training.
    """
    torch.set_num_threads(1)
    config = configuration(settings, members, seed, folder)
    kept = folder / "trained.pt"
    if kept.exists():
        saved = torch.load(kept, weights_only=True)
        if saved["config"] == config.model_dump_json():
            plan = fresh_plan(config, Context(config, force=True))
            return Trained(plan, saved["weights"], saved["before_finish"], saved["cpu"])
    start = cpu_seconds()
    snapshot = _Snapshot(round((1.0 - FINISH) * config.epochs))
    context = Context(config, snapshot, force=True)
    plan = change(fresh_plan(config, context))
    snapshot.run = Run(plan, context)
    snapshot.run.train()
    cpu = cpu_seconds() - start
    weights = [w.clone() for w in snapshot.run.trainer.best.values]
    content = {"weights": weights, "before_finish": snapshot.state, "cpu": cpu}
    torch.save({"config": config.model_dump_json(), **content}, kept)
    (folder / "training.json").write_text(json.dumps({"cpu": cpu, "members": members, "seed": seed}))
    return Trained(plan, **content)


def plain(plan: Plan) -> Plan:
    """Leave a training as it is."""
    return plan


def bootstrap(plan: Plan, seed: int) -> Plan:
    """Let each member train on as many structures as before, drawn with replacement."""
    rngs = [np.random.default_rng([seed, 9, m]) for m in range(len(plan.split.train))]
    drawn = [rng.choice(ids, len(ids)) for rng, ids in zip(rngs, plan.split.train, strict=True)]
    return replace(plan, sampler=ShuffledBatches(drawn, plan.config.batch_size, seed))


def train_plain(settings: Settings, members: int, seed: int, folder: Path) -> Trained:
    """Train as `lmlp train` does."""
    return train(settings, members, seed, folder, plain)


def train_bootstrap(settings: Settings, members: int, seed: int, folder: Path) -> Trained:
    """Train members on resampled structures."""
    return train(settings, members, seed, folder, partial(bootstrap, seed=seed))


def store_of(plan: Plan, structures: Sequence[Structure]) -> tuple[Store, References]:
    """Prepare test structures for the potential of a training."""
    dataset = make_dataset(structures, plan.dataset.numbers)
    store = Store(dataset, plan.potential.descriptor, plan.config.memory_budget, statistics=False)
    store.set_inputs(plan.potential.input_map, plan.potential.dtype)
    return store, make_references(dataset, plan.potential.atomic_energies)
