"""Divide structures into parts, and remove repeated ones, without an equal geometry on both sides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lmlp.audit.findings import contradiction
from lmlp.errors import DataError
from lmlp.structure import Structure
from lmlp.structure.geometry import equal_geometries

Chooser = Callable[[list[int], int], list[int]]
"""From structures (one of each geometry) and a number of them to the chosen ones, most important first."""


def split_into_parts(
    structures: Sequence[Structure],
    sizes: Sequence[float],
    *,
    seed: int = 0,
    first: Chooser | None = None,
) -> list[list[int]]:
    """Divide structures at random into parts; copies of a geometry stay together.

    Args:
        structures: at least as many as parts.
        sizes: of every part but the first, which gets the rest: a share below 1, or a number of structures.
        seed: of the draw.
        first: chooses the first part instead of chance, among one structure of each geometry.

    Returns:
        indices of each part, ascending, the first part first. Together all structures, each once. With copies
        the sizes are met as far as whole groups allow.

    Raises:
        DataError: sizes that are not possible.
    """
    wanted = [_count(size, len(structures)) for size in sizes]
    if sum(wanted) >= len(structures):
        raise DataError(f"parts of {wanted} structures leave nothing of {len(structures)} for the first part")
    groups = _groups(structures)
    rest = [int(i) for i in np.random.default_rng([seed, 0]).permutation(sorted(groups))]
    parts: list[list[int]] = []
    if first is not None:
        share = (len(structures) - sum(wanted)) / len(structures)
        chosen = set(first(sorted(groups), max(round(share * len(groups)), 1)))
        parts.append([i for i in rest if i in chosen])
        rest = [i for i in rest if i not in chosen]
        *wanted, _ = wanted  # the last part takes what is left
    for count in wanted:
        part: list[int] = []
        while rest and sum(len(groups[i]) for i in part) < count:
            part.append(rest.pop())
        parts.append(part)
    parts = [*parts, rest] if first is not None else [rest, *parts]
    found = [sorted(k for i in part for k in groups[i]) for part in parts]
    for number, part in enumerate(found):
        if not part:
            raise DataError(f"part {number + 1} is empty: the data have {len(groups)} different geometries")
    return found


def _count(size: float, n_structures: int) -> int:
    if not 0.0 < size <= n_structures or (size >= 1.0 and size != int(size)):
        raise DataError(
            f"part of size {size:g}: give a share below 1 or a whole number up to {n_structures} structures"
        )
    return max(round(size * n_structures), 1) if size < 1.0 else int(size)


def _groups(structures: Sequence[Structure]) -> dict[int, list[int]]:
    """Return all copies of each geometry, under the first one's index."""
    groups = {group[0]: group for group in equal_geometries(structures)}
    copies = {i for group in groups.values() for i in group}
    return {**groups, **{i: [i] for i in range(len(structures)) if i not in copies}}


@dataclass(frozen=True)
class Deduplication:
    """What is kept of a data set.

    Attributes:
        kept: indices, ascending.
        repeated: copies of an earlier structure with equal labels; left out.
        known: structures whose geometry is among the known ones; left out.
        contradictions: groups of equal geometries with different labels, and by how much they differ.
    """

    kept: list[int]
    repeated: list[int]
    known: list[int]
    contradictions: list[tuple[list[int], str]]


def deduplicate(
    structures: Sequence[Structure], known: Sequence[Structure] = (), *, drop_contradictions: bool = False
) -> Deduplication:
    """Find structures that repeat an earlier one or one of ``known``.

    Structures of one geometry with different labels are all kept, as nothing says which is right, unless
    ``drop_contradictions`` removes all of them.
    """
    offset = len(known)
    repeated: list[int] = []
    seen: list[int] = []
    contradictions: list[tuple[list[int], str]] = []
    dropped: set[int] = set()
    everything = [*known, *structures]
    for group in equal_geometries(everything):
        members = [i - offset for i in group if i >= offset]
        if group[0] < offset:
            seen += members
            continue
        difference = contradiction([everything[i] for i in group])
        if not difference:
            repeated += members[1:]
            continue
        contradictions.append((members, difference))
        if drop_contradictions:
            dropped |= set(members)
    gone = {*repeated, *seen, *dropped}
    kept = [i for i in range(len(structures)) if i not in gone]
    return Deduplication(kept, sorted(repeated), sorted(seen), contradictions)
