"""Which structures train, which choose the best weights, which are held out.

Lots are drawn by the seed alone. The last structure of an element is never drawn away from training, as
nothing else tells the networks of that element anything; nor is that of a composition, unless the data are of
many compositions with few structures each, where no one of them matters and errors are those of new ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lmlp.dataset.arrays import Dataset
from lmlp.errors import DataError

_SMALL = 5  # structures; compositions with fewer are rare
_FEW = 0.1  # largest share of structures with a rare composition if each of these is to be trained on
_NAMED = 3


@dataclass(frozen=True)
class Split:
    """Which structures serve what.

    Attributes:
        train: per member.
        valid: per member; may be empty.
        holdout: common, seen by no member; may be empty.
    """

    train: list[np.ndarray]
    valid: list[np.ndarray]
    holdout: np.ndarray


class Lots:
    """Draws structures, but never the last one of an element, or of a composition if rare ones are few.

    Attributes:
        kept: groups (elements first, then compositions) that a draw would have lost.

    Args:
        counts: atoms per structure and element of the whole data set ``[n_structures, n_elements]``.
        pool: structures that train unless they are drawn.
    """

    def __init__(self, counts: np.ndarray, pool: np.ndarray) -> None:
        self.kept: set[int] = set()
        self.pool = pool
        self._counts = np.asarray(counts, dtype=np.int64)
        self._n_elements = self._counts.shape[1]
        divisor = np.maximum(np.gcd.reduce(self._counts, axis=1), 1)
        ratios = self._counts // divisor[:, None]
        self._ratios, number = np.unique(ratios, axis=0, return_inverse=True)
        self._composition = self._n_elements + number.reshape(-1)
        self.sizes = self._sizes(pool)
        sizes = self.sizes[self._n_elements :]
        self._rare_count = bool(sizes[sizes < _SMALL].sum() <= max(1.0, _FEW * len(pool)))

    def _sizes(self, ids: np.ndarray) -> np.ndarray:
        """Return how many of some structures each group has."""
        elements = np.count_nonzero(self._counts[ids], axis=0)
        compositions = np.bincount(self._composition[ids], minlength=self._n_elements + len(self._ratios))
        return np.concatenate([elements, compositions[self._n_elements :]])

    def _groups(self, structure: int) -> list[int]:
        """Return the elements of a structure, and its composition if that counts."""
        mine = [int(e) for e in np.flatnonzero(self._counts[structure])]
        return [*mine, int(self._composition[structure])] if self._rare_count else mine

    def draw(self, order: np.ndarray, n: int, among: np.ndarray) -> np.ndarray:
        """Draw structures that may leave; fewer than wanted if too many may not.

        Args:
            order: structures as chance orders them.
            n: how many are wanted.
            among: structures that train unless they are drawn; they contain those of ``order``.

        Returns:
            the first ``n`` structures of ``order`` that are not the last of a group, in that order.
        """
        left = self._sizes(among)
        first = np.asarray(order[:n], dtype=np.int64)
        counted = len(left) if self._rare_count else self._n_elements
        if (left - self._sizes(first))[:counted][left[:counted] > 0].all():
            return first  # nothing is lost
        taken: list[int] = []
        for i in order:
            if len(taken) >= n:
                break
            mine = self._groups(i)
            last = [g for g in mine if left[g] == 1]
            self.kept.update(last)
            if not last:
                left[mine] -= 1
                taken.append(int(i))
        return np.array(taken, dtype=np.int64)

    def _members(self, group: int) -> np.ndarray:
        if group < self._n_elements:
            return np.asarray(self.pool[self._counts[self.pool, group] > 0])
        return np.asarray(self.pool[self._composition[self.pool] == group])

    def explain(self, dataset: Dataset) -> list[str]:
        """Say what was kept for training, and which elements live in one structure only."""
        single = set(np.flatnonzero(self.sizes[: self._n_elements] == 1).tolist())
        return [self._in_words(group, dataset) for group in sorted(self.kept | single)]

    def _in_words(self, group: int, dataset: Dataset) -> str:
        members = self._members(group)
        if group < self._n_elements:
            name = dataset.elements[group]
        else:
            ratio = zip(dataset.elements, self._ratios[group - self._n_elements].tolist(), strict=True)
            name = "composition " + "".join(e + (str(n) if n > 1 else "") for e, n in ratio if n)
        sources = [dataset.structures[int(i)].source or f"structure {i}" for i in members[:_NAMED]]
        where = ", ".join(sources) + (f" and {len(members) - _NAMED} more" if len(members) > _NAMED else "")
        if len(members) == 1:
            return f"{name} occurs in one structure only ({where}): all members train on it"
        return f"{name} occurs in {len(members)} structures only ({where}): all members train on one of them"


def hold_out(lots: Lots, seed: int, fraction: float) -> np.ndarray:
    """Draw the common hold-out from the pool ``0 … n − 1``; in the order of the lots."""
    n = len(lots.pool)
    return lots.draw(np.random.default_rng([seed, 0]).permutation(n), int(fraction * n), lots.pool)


def validation(
    lots: Lots, pool: np.ndarray, n_valid: int, members: int, seed: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Draw each member's own validation structures, equally many; returns those that train it, and these."""
    orders = [np.random.default_rng([seed, 1, m]).permutation(pool) for m in range(members)]
    drawn = [lots.draw(order, n_valid, pool) for order in orders]
    least = min(len(d) for d in drawn)
    valid = [np.sort(d[:least]) for d in drawn]
    return [np.setdiff1d(pool, v) for v in valid], valid


@dataclass(frozen=True)
class Shares:
    """How a data set is divided.

    Attributes:
        valid: share of all structures that chooses the best weights of each member.
        holdout: share that no member sees.
        members: members of the ensemble.
        seed: of the lots.
    """

    valid: float
    holdout: float
    members: int
    seed: int


def divide(dataset: Dataset, n_held_out: int, shares: Shares, say: Callable[[str], None]) -> Split:
    """Draw the hold-out and each member's own validation structures; depends on the seed alone.

    Args:
        dataset: its last structures, as many as ``n_held_out``, are the hold-out if there are any.
        n_held_out: see above.
        shares: how many of them, for whom, by which lots.
        say: hears what is kept for training.

    Raises:
        DataError: too few structures.
    """
    n = len(dataset) - n_held_out
    lots = Lots(dataset.counts[:n], np.arange(n))
    held = hold_out(lots, shares.seed, 0.0 if n_held_out else shares.holdout)
    holdout = np.arange(n, n + n_held_out) if n_held_out else np.sort(held)
    pool = np.setdiff1d(lots.pool, held)
    n_valid = int(shares.valid * n)
    if len(pool) - n_valid < 1:
        raise DataError(f"{n} structures are too few for the validation and hold-out shares asked for")
    train, valid = validation(lots, pool, n_valid, shares.members, shares.seed)
    for text in lots.explain(dataset):
        say(text)
    return Split(train, valid, holdout)
