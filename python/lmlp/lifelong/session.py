"""What a learning session begins with: a model, what its memory keeps, and new data."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lmlp.audit.report import audit
from lmlp.dataset.arrays import Dataset, make_dataset
from lmlp.errors import ConfigError, DataError
from lmlp.io import DataKeys, read_structures
from lmlp.lifelong.base import completed, load_model
from lmlp.lifelong.config import LearnConfig
from lmlp.lifelong.continuation import equal_models, extended_elements, pack_model, unpack_model
from lmlp.lifelong.earlier import Earlier, earlier_data, known_to, task_name, unknown
from lmlp.lifelong.memory import Entry, Memory
from lmlp.lifelong.outputs import learn_inputs, learn_outputs
from lmlp.model.data import ModelData
from lmlp.structure import Structure
from lmlp.structure.free_atoms import FreeAtom, set_apart
from lmlp.training.context import Context
from lmlp.training.observer import Observer


class NothingNew(DataError):
    """The memory knows all new structures."""


class SessionDone(Exception):
    """The memory holds this session already: the model was written before."""


@dataclass(frozen=True)
class Session:
    """What a session knows before it makes a plan.

    Attributes:
        config: settings, those taken over from the model included.
        base: the model that goes on learning.
        earlier: tasks of the memory, and old data that enter it.
        dataset: structures of the memory first, then the new ones.
        n_new: number of new structures.
        tasks: names; the last one is new.
        task_of: number of the task of each structure ``[n]``.
        id: name of the session: a hash of model, settings and data.
        saved: checkpoint of the session if it was interrupted.
    """

    config: LearnConfig
    base: ModelData
    earlier: Earlier
    dataset: Dataset
    n_new: int
    tasks: list[str]
    task_of: np.ndarray
    id: str
    saved: dict[str, Any] | None

    @property
    def entries(self) -> list[Entry]:
        """What the memory says of the earlier structures, which are the first of the data set."""
        return self.earlier.entries

    @property
    def cutoff(self) -> float:
        """Cutoff of the model in Å."""
        return float(self.base.descriptor["cutoff"])

    @property
    def new_task(self) -> int:
        """Number of the new task."""
        return len(self.tasks) - 1

    @property
    def learning(self) -> np.ndarray:
        """Whether the networks of each species learn ``[n_species]``."""
        n_old, counts = len(self.base.elements), self.dataset.counts
        if self.config.networks == "all":
            return np.ones(counts.shape[1], bool)
        new = np.arange(counts.shape[1]) >= n_old  # perhaps of the memory alone
        if self.config.networks == "present":
            return np.asarray(counts[len(self.entries) :].sum(axis=0) > 0) | new
        if not new.any():
            raise ConfigError("networks: new, but the new data have no new element")
        return new

    @property
    def resting(self) -> list[int]:
        """Species whose networks do not learn."""
        return [int(i) for i in np.flatnonzero(~self.learning)]

    def by_task(self, ids: np.ndarray) -> dict[str, np.ndarray]:
        """Group structures by the names of their tasks."""
        return {name: ids[self.task_of[ids] == t] for t, name in enumerate(self.tasks)}


def read_session(config: LearnConfig, context: Context) -> Session:
    """Read model, memory and new data.

    Args:
        config: settings as given.
        context: what surrounds the session.

    Raises:
        SessionDone: the memory holds the interrupted session already.
        NothingNew: the memory knows all new structures.
        ConfigError, DataError, UnknownElementError, GeometryError: as :func:`lmlp.lifelong.learn.learn`.
    """
    saved = context.begin(learn_outputs(config, replaces=True), learn_inputs(config))
    base = load_model(config.start) if saved is None else unpack_model(saved["base"])
    if saved is not None:
        _check_resumed(saved, config, base)
    config = completed(config, saved, base)
    if saved is not None and config.memory.exists():
        with Memory(config.memory) as memory:
            if memory.has_session(saved["session"]):
                raise SessionDone
    observer = context.observer
    earlier = earlier_data(config, base, observer)
    if config.task in earlier.tasks:
        raise ConfigError(f"{config.memory}: has learned a task {config.task!r} already; choose another name")
    found, free = _new_structures(config, float(base.descriptor["cutoff"]), observer)
    known = known_to(config.memory, found) | {a.checksum for a in earlier.entries}
    new = unknown(found, known, observer)
    tasks = [*earlier.tasks, config.task]
    if not new:
        what = "known to the memory" if found else "isolated atoms"
        raise NothingNew(f"{', '.join(map(str, config.data))}: nothing to learn, all structures are {what}")
    structures = [*earlier.structures, *new]
    present = {int(z) for s in structures for z in np.unique(s.numbers)}
    dataset = make_dataset(structures, extended_elements(base, sorted(present)), [*earlier.free, *free])
    return Session(
        config=config,
        base=base,
        earlier=earlier,
        dataset=dataset,
        n_new=len(new),
        tasks=tasks,
        task_of=np.array([tasks.index(e.task) for e in earlier.entries] + [len(tasks) - 1] * len(new)),
        id=str(saved["session"]) if saved is not None else _name(base, config, dataset),
        saved=saved,
    )


def _check_resumed(saved: dict[str, Any], config: LearnConfig, base: ModelData) -> None:
    """Refuse to go on with another model, or with old data of other names; both may lie elsewhere now.

    Raises:
        ConfigError: names what differs.
    """
    before = json.loads(saved["config"])
    changed = []
    if str(config.start) != before["start"] and not equal_models(load_model(config.start), base):
        changed.append("start")
    if [task_name(Path(path)) for path in before["old"]] != [task_name(path) for path in config.old]:
        changed.append("old")
    if changed:
        raise ConfigError(
            f"{config.checkpoint}: made with other settings of {', '.join(changed)}; "
            "resume with the same, or start anew without --resume"
        )


def _new_structures(
    c: LearnConfig, cutoff: float, observer: Observer
) -> tuple[list[Structure], list[FreeAtom]]:
    keys = DataKeys(**c.keys.model_dump())
    structures = [s for path in c.data for s in read_structures(path, keys)]
    structures = structures[slice(*c.frames)] if c.frames else structures
    report = audit(structures, cutoff=cutoff)
    observer.on_data(report, None)
    report.raise_for_errors()
    return set_apart(structures, cutoff)


def _name(base: ModelData, config: LearnConfig, dataset: Dataset) -> str:
    digest = hashlib.sha256(dataset.fingerprint().encode())
    for tensor in pack_model(base)["arrays"].values():
        digest.update(tensor.numpy().tobytes())
    digest.update(config.model_dump_json().encode())
    return digest.hexdigest()
