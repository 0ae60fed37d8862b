"""Data that a model knows: how they enter its memory, and how they are recognized."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from lmlp.dataset.arrays import make_dataset
from lmlp.dataset.division import Lots, hold_out
from lmlp.dataset.free_atoms import nothing_bound, tell_disagreements
from lmlp.errors import DataError
from lmlp.io import DataKeys, read_structures
from lmlp.io.open import split_index
from lmlp.lifelong.config import LearnConfig
from lmlp.lifelong.continuation import extended_elements
from lmlp.lifelong.memory import UNWRITTEN, Addition, Entry, Memory, Update
from lmlp.lifelong.record import checksum, to_bytes
from lmlp.model.data import ModelData
from lmlp.structure import Structure
from lmlp.structure.composition import formula
from lmlp.structure.free_atoms import FreeAtom, is_free_atom, set_apart
from lmlp.training.observer import Observer


@dataclass(frozen=True)
class Earlier:
    """What a session knows of earlier tasks before it begins.

    Attributes:
        entries: of the memory and, after them, of the old data that will enter it.
        structures: of the entries.
        tasks: names in their order.
        errors: by task, that earlier sessions left.
        updates: what puts the old data into the memory; written with the session, if it ends well.
        free: free atoms among them, which do not enter the memory.
    """

    entries: list[Entry]
    structures: list[Structure]
    tasks: list[str]
    errors: list[dict[str, Any]]
    updates: list[Update]
    free: list[FreeAtom] = field(default_factory=list)


def read_memory(path: Path) -> Earlier:
    """Return what a memory holds; nothing if there is none."""
    if not path.exists():
        return Earlier([], [], [], [], [])
    with Memory(path) as memory:
        entries = [e for e in memory.entries() if e.n_bytes]
        errors = [s["provenance"].get("errors", {}) for s in memory.sessions()]
        return Earlier(entries, memory.structures(entries), memory.tasks(), errors, [])


def earlier_data(config: LearnConfig, base: ModelData, observer: Observer) -> Earlier:
    """Return what the memory holds and what ``old`` adds to it; the memory stays as it is.

    Raises:
        DataError: there is neither a memory nor old data, or free atoms only; two tasks of one name.
    """
    if not config.memory.exists() and not config.old:
        trained = base.provenance.get("config", {}).get("data", [])
        known = [path for path in trained if split_index(Path(path))[0].is_file()]  # else of Atoms, or gone
        hint = "".join(f" --old {path}" for path in known) or " --old DATA"
        raise DataError(
            f"{config.memory}: no such memory file. Without earlier data a model forgets: name those that "
            f"it was trained on ({hint.strip()}), they enter the memory first"
        )
    cutoff = float(base.descriptor["cutoff"])
    found = _without_free_atoms(read_memory(config.memory), cutoff)
    keys = DataKeys(**config.keys.model_dump())
    files: dict[Path, list[Structure]] = {}
    for path in config.old:
        files[path], free = set_apart(read_structures(path, keys), cutoff)
        found.free.extend(free)
    everything = [s for structures in files.values() for s in structures]
    if config.old and not everything:
        raise nothing_bound(found.free, config.old)
    tell_disagreements(found.free, lambda text: None)  # what is an error is one before the session
    check = _first_checks(config, base, everything) if everything else set()
    seen = known_to(config.memory, everything)
    first = 0
    for path, structures in files.items():
        roles = {checksum(s): "check" if first + k in check else "train" for k, s in enumerate(structures)}
        first += len(structures)
        kept = unknown(structures, seen, observer)
        seen |= {checksum(s) for s in kept}
        if kept:
            _add(found, config, path, [Addition(s, role=roles[checksum(s)]) for s in kept])
            observer.on_message(f"{path}: {len(kept)} earlier structures, for {config.memory}")
    return found


def _without_free_atoms(found: Earlier, cutoff: float) -> Earlier:
    """Set free atoms apart: cells of one atom, from sessions of a model with a longer cutoff, can be some."""
    bound, free = set_apart(found.structures, cutoff)
    kept = [not is_free_atom(s, cutoff) for s in found.structures]
    entries = [e for e, keep in zip(found.entries, kept, strict=True) if keep]
    return replace(found, entries=entries, structures=bound, free=free)


def known_to(memory: Path, structures: list[Structure]) -> set[str]:
    """Return the checksums of those structures that a memory has ever seen."""
    if not memory.exists():
        return set()
    with Memory(memory) as opened:
        return opened.known([checksum(s) for s in structures])


def task_name(path: Path) -> str:
    """Return the name of the task of old data in a file."""
    return path.name.partition(".")[0]


def _add(found: Earlier, config: LearnConfig, path: Path, additions: list[Addition]) -> None:
    """Take up old data of a file as a task."""
    name = task_name(path)
    if name in found.tasks:
        raise DataError(
            f"{path}: there is a task {name!r} already, in {config.memory} or of another "
            "file; rename the file"
        )
    structures = [a.structure for a in additions]
    digest = hashlib.sha256("".join(checksum(s) for s in structures).encode()).hexdigest()
    found.tasks.append(name)
    found.errors.append({})
    found.updates.append(Update(f"start-{digest}", "start", {"file": str(path)}, name, additions))
    found.structures.extend(structures)
    found.entries.extend(
        Entry(
            id=UNWRITTEN,
            task=name,
            role=a.role,
            checksum=checksum(a.structure),
            source=a.structure.source,
            formula=formula(a.structure),
            n_atoms=len(a.structure),
            n_bytes=len(to_bytes(a.structure)),
            state=a.state,
            changed="",
        )
        for a in additions
    )


def _first_checks(config: LearnConfig, base: ModelData, structures: list[Structure]) -> set[int]:
    """Choose the check structures of old data: those that the model's training held out, if it was with them.

    Raises:
        DataError, UnknownElementError: data that the model cannot have been trained on.
    """
    dataset = make_dataset(structures, extended_elements(base, []))
    trained = base.provenance.get("config") or {}
    n = len(structures)
    lots = Lots(dataset.counts, np.arange(n))
    same = base.provenance.get("data_sha256") == dataset.fingerprint()
    if same and trained.get("holdout_fraction") and not trained.get("valid"):
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
