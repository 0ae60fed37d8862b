"""Columns of atoms in an HDF5 file: a group ``columns`` with a dataset for each name and shape.

columns/0 (attribute name)   values [atoms of these structures, ...]   structures [indices, ascending]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_GROUP = "columns"


def write_columns(
    file: Any, columns: Sequence[dict[str, np.ndarray]], text: Any, options: dict[str, Any]
) -> None:
    """Write the columns of each structure; ``text`` is the type of strings, ``options`` are for datasets."""
    owners: dict[tuple[str, str, tuple[int, ...]], list[int]] = {}
    for index, of_structure in enumerate(columns):
        for name, column in of_structure.items():
            kind = "U" if column.dtype.kind in "USO" else column.dtype.str
            owners.setdefault((name, kind, column.shape[1:]), []).append(index)
    for number, ((name, kind, _), indices) in enumerate(owners.items()):
        group = file.create_group(f"{_GROUP}/{number}")
        group.attrs["name"] = name
        group.create_dataset("structures", data=np.array(indices, dtype=np.int64))
        values = np.concatenate([columns[i][name] for i in indices])
        if kind == "U":
            group.create_dataset("values", data=values.astype(str).astype(object), dtype=text)
        else:
            group.create_dataset("values", data=values, **options)


class Columns:
    """Reads columns structure by structure.

    Args:
        file: opened HDF5 file.
        n_atoms: of all its structures.
    """

    def __init__(self, file: Any, n_atoms: np.ndarray) -> None:
        self.n_atoms = n_atoms
        self.groups: list[tuple[Any, np.ndarray, np.ndarray]] = []
        groups = file.get(_GROUP, {})
        for number in sorted(groups, key=int):
            indices = groups[number]["structures"][:]
            first = np.concatenate([[0], np.cumsum(n_atoms[indices])])
            self.groups.append((groups[number], indices, first))

    def of(self, index: int) -> dict[str, np.ndarray]:
        """Return the columns of one structure."""
        found = {}
        for group, indices, first in self.groups:
            place = int(np.searchsorted(indices, index))
            if place < len(indices) and indices[place] == index:
                atoms = slice(int(first[place]), int(first[place + 1]))
                values = group["values"]
                is_text = values.dtype.kind == "O"
                found[str(group.attrs["name"])] = (
                    np.array(values.asstr()[atoms], dtype=str) if is_text else values[atoms]
                )
        return found
