"""When to store the derivatives of the network inputs, and storing them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from lmlp.dataset.blocks import find_block
from lmlp.dataset.store import Store
from lmlp.descriptor.jacobians import Jacobians
from lmlp.errors import ConfigError
from lmlp.model.derivatives import block_targets, structure_derivatives

# Beyond this the product reads so much from memory that the descriptor might as well be computed (measured:
# 20 to 30 GB/s against 10 to 20 µs per atom and pass).
_LARGEST_SHARE_OF_ATOM = 256 * 1024
# Preparing may take this share of a time limit.
_LARGEST_SHARE = 0.1
_TIMED = 4


@dataclass(frozen=True)
class Budget:
    """What is known of a run when it is decided.

    Attributes:
        mode: ``automatic``, ``stored`` or ``computed``.
        passes: how often the derivatives of each structure will be used; None: until the time limit.
        seconds: of the time limit that are left, or None.
    """

    mode: str
    passes: float | None
    seconds: float | None = None


def derivative_bytes(store: Store, ids: np.ndarray, free: int) -> tuple[int, int]:
    """Count what the derivatives of some structures take: atoms depend on themselves and their neighbors.

    Args:
        store: serves the structures; its inputs are set.
        ids: the structures.
        free: where the first of them take more bytes, the others are taken to be like these.

    Returns:
        bytes of all, and the largest share of an atom.
    """
    assert store.input_map is not None
    dataset = store.dataset
    per_block = 3 * store.input_map.n_inputs * store.dtype.itemsize
    total = atoms = largest = 0
    for i in ids.tolist():
        env = find_block(dataset, [i], store.descriptor.cutoff).environments
        blocks, _, _ = block_targets(env, strain=bool(dataset.has_stress[i]))
        total += len(blocks) * per_block
        atoms += env.n_centers
        largest = max(largest, len(blocks) * per_block // env.n_centers)
        if total > free:
            break
    return round(total / atoms * int(dataset.n_atoms[ids].sum())), largest


def store_derivatives(store: Store, ids: np.ndarray, budget: Budget, say: Callable[[str], None]) -> bool:
    """Compute and keep the derivatives of some structures if that pays.

    Args:
        store: serves the structures; its inputs are set.
        ids: the structures that will be trained on.
        budget: how, and for how long.
        say: hears what was decided.

    Returns:
        whether they are stored.

    Raises:
        ConfigError: they shall be stored and the memory budget does not hold them.
    """
    if budget.mode == "computed":
        return False
    assert store.input_map is not None
    # storing costs about one pass per network input
    if budget.mode == "automatic" and budget.passes is not None and budget.passes < store.input_map.n_inputs:
        return False
    free = store.budget - store.n_bytes
    needed, largest = derivative_bytes(store, ids, free)
    if budget.mode == "automatic" and largest > _LARGEST_SHARE_OF_ATOM:
        return False
    if needed > free:
        text = (
            f"to store the derivatives takes {needed / 2**20:.0f} MiB, and memory_budget "
            f"({store.budget / 2**20:.0f} MiB) leaves {max(free, 0) / 2**20:.0f} MiB beside lists and inputs"
        )
        if budget.mode == "stored":
            raise ConfigError(f"derivatives: {text}")
        say(f"derivatives are computed at every step: {text}")
        return False
    start = time.monotonic()
    limit = None if budget.seconds is None or budget.mode == "stored" else _LARGEST_SHARE * budget.seconds
    jacobians = Jacobians(store.input_map.n_inputs, torch.empty(0, dtype=store.dtype).numpy().dtype)
    for count, i in enumerate(ids.tolist()):
        _add(jacobians, store, i)
        if limit is not None and (time.monotonic() - start) * len(ids) > limit * max(count, _TIMED):
            return False
    store.jacobians = jacobians
    say(
        f"derivatives of {len(ids)} structures stored: {needed / 2**20:.0f} MiB, "
        f"{time.monotonic() - start:.1f} s"
    )
    return True


def _add(jacobians: Jacobians, store: Store, i: int) -> None:
    assert store.input_map is not None
    dataset = store.dataset
    environments = find_block(dataset, [i], store.descriptor.cutoff).environments
    species = dataset.species[dataset.first_atom[i] : dataset.first_atom[i + 1]]
    found = structure_derivatives(
        store.descriptor,
        environments,
        species,
        store.input_map.linear,
        strain=bool(dataset.has_stress[i]),
    )
    jacobians.add(i, found.offsets, found.targets, found.rows, found.n_targets)
