"""Data that a model knows: how they enter its memory, and how they are recognized."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from lmlp.errors import DataError
from lmlp.io import DataKeys, read_structures
from lmlp.io.free_atoms import FreeAtom, set_apart
from lmlp.lifelong.config import LearnConfig
from lmlp.lifelong.continuation import extended_elements
from lmlp.lifelong.memory import Addition, Memory, Update
from lmlp.lifelong.record import checksum
from lmlp.model.data import ModelData
from lmlp.structure import Structure
from lmlp.training.dataset import make_dataset
from lmlp.training.division import Lots, hold_out
from lmlp.training.free_atoms import nothing_bound, tell_disagreements
from lmlp.training.observer import Observer


def begin_memory(config: LearnConfig, base: ModelData, observer: Observer) -> list[FreeAtom]:
    """Put the data that the model knows into the memory, if they are not there yet.

    Returns:
        the free atoms among them, which do not enter the memory.

    Raises:
        DataError: there is neither a memory nor old data, or these are free atoms only.
    """
    if not config.memory.exists() and not config.old:
        known = base.provenance.get("config", {}).get("data", [])
        hint = "".join(f" --old {path}" for path in known) or " --old DATA"
        raise DataError(
            f"{config.memory}: no such memory file. Without earlier data a model forgets: name those that "
            f"it was trained on ({hint.strip()}), they enter the memory first"
        )
    if not config.old:
        return []
    keys, cutoff = DataKeys(**config.keys.model_dump()), float(base.descriptor["cutoff"])
    parts = {path: set_apart(read_structures(path, keys), cutoff) for path in config.old}
    files = {path: bound for path, (bound, _) in parts.items()}
    free = [atom for _, atoms in parts.values() for atom in atoms]
    if not any(files.values()):
        raise nothing_bound(free, config.old)
    tell_disagreements(free, lambda text: None)  # what is an error is one before the memory changes
    check = _first_checks(config, base, [s for structures in files.values() for s in structures])
    first = 0
    with Memory(config.memory, create=True) as memory:
        for path, structures in files.items():
            roles = {
                checksum(s): "check" if first + k in check else "train" for k, s in enumerate(structures)
            }
            first += len(structures)
            structures = unknown(structures, memory.known(list(roles)), observer)
            if not structures:
                continue
            digest = hashlib.sha256("".join(checksum(s) for s in structures).encode()).hexdigest()
            additions = [Addition(s, role=roles[checksum(s)]) for s in structures]
            name = Path(path).name.partition(".")[0]
            memory.commit(Update(f"start-{digest}", "start", {"file": str(path)}, name, additions))
            observer.on_message(f"{path}: {len(structures)} earlier structures are now in {config.memory}")
    return free


def _first_checks(config: LearnConfig, base: ModelData, structures: list[Structure]) -> set[int]:
    """Choose the check structures of old data: those that the model's training held out, if it was with them.

    Raises:
        DataError, UnknownElementError: data that the model cannot have been trained on.
    """
    dataset = make_dataset(structures, extended_elements(base, []))
    trained = base.provenance.get("config") or {}
    n = len(structures)
    lots = Lots(dataset.counts, np.arange(n))
    if base.provenance.get("data_sha256") == dataset.fingerprint() and not trained.get("valid"):
        held_out = hold_out(lots, trained["seed"], trained["holdout_fraction"])
        if len(held_out):
            return set(held_out.tolist())
    order = np.random.default_rng([config.seed, 3]).permutation(n)
    return set(lots.draw(order, int(config.check_fraction * n), lots.pool).tolist())


def unknown(structures: list[Structure], known: set[str], observer: Observer) -> list[Structure]:
    """Leave out structures that are in the memory or occur twice, and say so."""
    seen = set(known)
    kept = []
    for s in structures:
        key = checksum(s)
        if key not in seen:
            seen.add(key)
            kept.append(s)
    if len(kept) < len(structures):
        observer.on_message(
            f"{len(structures) - len(kept)} of {len(structures)} structures are known to the memory or occur "
            "twice: left out"
        )
    return kept
