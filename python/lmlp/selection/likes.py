"""Which structures of a data set are most like each other, and how lonely a structure is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from lmlp.dataset.store import Store

_NEIGHBORS = 8
ENOUGH = 2 * _NEIGHBORS  # structures to compare with
_BATCH = 16
_INPUTS = 16
_MOST = 5000  # more of them are drawn from
_ROWS = 2000  # of the matrix of distances at a time


@dataclass(frozen=True)
class Likes:
    """The structures most like each structure.

    Attributes:
        near: their indices ``[n, 8]``, −1 where there are too few to compare with.
        remoteness: distance of the eighth over what is usual for these eight, at least 1 ``[n]``.
    """

    near: np.ndarray
    remoteness: np.ndarray


def structure_points(store: Store, ids: np.ndarray) -> np.ndarray:
    """Return what each structure is like: mean and spread of its atoms' first 16 inputs ``[n, 32]``."""
    rows = []
    for start in range(0, len(ids), _BATCH):
        block, inputs, places = store.fetch(ids[start : start + _BATCH])
        for place in places:
            atoms = inputs[block.first_atom[place] : block.first_atom[place + 1], :_INPUTS].double()
            rows.append(torch.cat([atoms.mean(dim=0), atoms.std(dim=0, correction=0)]).numpy())
    return np.array(rows)


def find_likes(points: np.ndarray, pool: np.ndarray) -> Likes:
    """Find the nearest others among a pool, by Euclidean distance.

    Args:
        points: of the structures ``[n, k]``.
        pool: indices of those to choose from; of more than 5000 a random draw is used.
    """
    n = len(points)
    if len(pool) < ENOUGH:
        return Likes(np.full((n, _NEIGHBORS), -1), np.ones(n))
    if len(pool) > _MOST:
        pool = np.sort(np.random.default_rng(0).choice(pool, _MOST, replace=False))
    others = torch.from_numpy(points[pool])
    place = np.full(n, -1)
    place[pool] = np.arange(len(pool))
    near, reach = np.empty((n, _NEIGHBORS), np.int64), np.empty(n)
    for start in range(0, n, _ROWS):
        rows = slice(start, start + _ROWS)
        distances = torch.cdist(
            torch.from_numpy(points[rows]), others, compute_mode="donot_use_mm_for_euclid_dist"
        )
        own = np.flatnonzero(place[rows] >= 0)
        distances[own, place[rows][own]] = torch.inf
        values, indices = distances.topk(_NEIGHBORS, dim=1, largest=False)
        near[rows], reach[rows] = pool[indices.numpy()], values[:, -1].numpy()
    usual = np.maximum(np.median(reach[near], axis=1), np.finfo(float).tiny)
    return Likes(near, np.maximum(reach / usual, 1.0))


def likes_by_task(points: np.ndarray, tasks: np.ndarray, pool: np.ndarray) -> Likes:
    """Find the likes of each structure of a pool within its own task.

    Args:
        points: of all structures ``[n, k]``.
        tasks: number of each structure's task ``[n]``.
        pool: structures that have likes and are likes.
    """
    near, remoteness = np.full((len(points), _NEIGHBORS), -1), np.ones(len(points))
    for task in np.unique(tasks[pool]):
        mine = pool[tasks[pool] == task]
        found = find_likes(points[mine], np.arange(len(mine)))
        near[mine] = np.where(found.near < 0, -1, mine[found.near])
        remoteness[mine] = found.remoteness
    return Likes(near, remoteness)
