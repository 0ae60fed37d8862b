"""When to store the derivatives of the network inputs, and storing them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from lmlp.errors import ConfigError
from lmlp.model.derivatives import STRAIN_COLUMNS, structure_matrix
from lmlp.training.store import Store, find_block

# Beyond this the product reads more from memory than the descriptor takes to compute (measured: about 15 GB/s
# against 10 µs per atom and pass).
_LARGEST_ROW = 128 * 1024
# Preparing may take this share of a time limit.
_LARGEST_SHARE = 0.1
_TIMED = 4


@dataclass(frozen=True)
class Plan:
    """What is known of a run when it is decided.

    Attributes:
        mode: ``automatic``, ``stored`` or ``computed``.
        passes: how often the derivatives of each structure will be used; None: until the time limit.
        seconds: of the time limit that are left, or None.
    """

    mode: str
    passes: float | None
    seconds: float | None = None


def matrix_bytes(store: Store, ids: np.ndarray) -> np.ndarray:
    """Return the bytes of each structure's derivatives."""
    assert store.input_map is not None
    n = store.dataset.n_atoms[ids]
    columns = 3 * n + STRAIN_COLUMNS * store.dataset.has_stress[ids]
    return np.asarray(n * store.input_map.n_inputs * columns * store.dtype.itemsize)


def store_derivatives(store: Store, ids: np.ndarray, plan: Plan, say: Callable[[str], None]) -> bool:
    """Compute and keep the derivatives of some structures if that pays.

    Args:
        store: serves the structures; its inputs are set.
        ids: the structures that will be trained on.
        plan: how, and for how long.
        say: hears what was decided.

    Returns:
        whether they are stored.

    Raises:
        ConfigError: they shall be stored and the memory budget does not hold them.
    """
    if plan.mode == "computed":
        return False
    sizes = matrix_bytes(store, ids)
    needed, free = int(sizes.sum()), store.budget - store.n_bytes
    if plan.mode == "automatic" and not _pays(store, ids, sizes, plan):
        return False
    if needed > free:
        text = (
            f"to store the derivatives takes {needed / 2**20:.0f} MiB, and memory_budget "
            f"({store.budget / 2**20:.0f} MiB) leaves {max(free, 0) / 2**20:.0f} MiB beside lists and inputs"
        )
        if plan.mode == "stored":
            raise ConfigError(f"derivatives: {text}")
        say(f"derivatives are computed at every step: {text}")
        return False
    start = time.monotonic()
    limit = None if plan.seconds is None or plan.mode == "stored" else _LARGEST_SHARE * plan.seconds
    matrices: dict[int, torch.Tensor] = {}
    for count, i in enumerate(ids.tolist()):
        matrices[i] = _matrix(store, i)
        if limit is not None and (time.monotonic() - start) * len(ids) > limit * max(count, _TIMED):
            return False
    store.matrices = matrices
    say(
        f"derivatives of {len(ids)} structures stored: {needed / 2**20:.0f} MiB, "
        f"{time.monotonic() - start:.1f} s"
    )
    return True


def _pays(store: Store, ids: np.ndarray, sizes: np.ndarray, plan: Plan) -> bool:
    """Compare reading with computing; storing costs about one pass per network input."""
    assert store.input_map is not None
    if (sizes / store.dataset.n_atoms[ids]).max() > _LARGEST_ROW:
        return False
    return plan.passes is None or plan.passes >= store.input_map.n_inputs


def _matrix(store: Store, i: int) -> torch.Tensor:
    assert store.input_map is not None
    dataset = store.dataset
    environments = find_block(dataset, [i], store.descriptor.cutoff).environments
    species = dataset.species[dataset.first_atom[i] : dataset.first_atom[i + 1]]
    matrix = structure_matrix(
        store.descriptor,
        environments,
        species,
        store.input_map.linear,
        strain=bool(dataset.has_stress[i]),
    )
    return torch.from_numpy(matrix).to(store.dtype)
