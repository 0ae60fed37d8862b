"""Reference data of the face: files, ``ase.Atoms``, and structures that were read before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

from ase import Atoms

from lmlp.errors import DataError, InvalidArgumentError
from lmlp.io import DataKeys, read_structures, write_structures
from lmlp.io.atoms import structures_of
from lmlp.io.keys import LABELS, candidates
from lmlp.io.write import left_out
from lmlp.structure import Structure

One: TypeAlias = str | Path | Atoms | Structure
Data: TypeAlias = One | Iterable[One]

_NOT_LABELS = ("weights", "units")  # keys that hold for what is written here too


def read_sets(data: Data, keys: DataKeys, name: str = "data") -> dict[str, list[Structure]]:
    """Read data.

    Args:
        data: files, ``ase.Atoms``, structures.
        keys: names of the labels.
        name: of what is no file, for messages.

    Returns:
        the structures of each file by its name, and all others under ``name``; what is given twice, twice.

    Raises:
        DataError, GeometryError, UnknownElementError: as :func:`lmlp.io.read_structures`.
        InvalidArgumentError: something else.
    """
    items = listed(data, name)
    sets: dict[str, list[Structure]] = {}
    for file in files_among(items):
        sets.setdefault(str(file), []).extend(read_structures(file, keys))
    others = [item for item in items if not isinstance(item, (str, Path))]
    if others:
        found = sets.setdefault(name, [])
        for read, group in groupby(others, lambda item: isinstance(item, Structure)):
            part = list(group)
            if read:
                found += [item for item in part if isinstance(item, Structure)]
            else:
                atoms = [item for item in part if isinstance(item, Atoms)]
                found += structures_of(atoms, keys, name=name)
    return sets


def as_files(
    sets: Mapping[str, Data | None], keys: Mapping[str, Any], folder: Path
) -> tuple[dict[str, list[str]], dict[str, Any]]:
    """Return names of files with the data; where not all are files, all is written below ``folder``.

    Args:
        sets: data by the name of the setting; None where there are none.
        keys: names of the labels, as given.
        folder: for files: one for each that was given, and one for a set with something else in it.

    Returns:
        files by the name of the setting, and the names of the labels in them.

    Raises:
        DataError: something that ``Atoms`` hold and a file cannot; what :func:`read_sets` raises.
    """
    given = {name: listed(data, name) for name, data in sets.items() if data is not None}
    if all(len(files_among(items)) == len(items) for items in given.values()):
        return {name: [str(file) for file in items] for name, items in given.items()}, dict(keys)
    result = {}
    for name, items in given.items():
        parts = read_sets(items, DataKeys(**keys), name)
        if len(files_among(items)) < len(items):
            parts = {f"{name}.xyz": [s for part in parts.values() for s in part]}
        result[name] = [
            _written(folder / f"{name}-{k}", file, name, structures)
            for k, (file, structures) in enumerate(parts.items())
        ]
    return result, {key: keys[key] for key in _NOT_LABELS if key in keys}


def _written(folder: Path, file: str, name: str, structures: Sequence[Structure]) -> str:
    """Write structures to a file that is called as the one that they come from, for tasks have its name."""
    folder.mkdir()
    path = folder / f"{Path(file).name.partition('.')[0]}.xyz"
    plain = [_only_labels(s) for s in structures]
    lost = left_out(path, plain)
    if lost:
        raise DataError(f"{name}: {lost}: take it out of the Atoms, or give it another name")
    write_structures(path, plain)
    return str(path)


def listed(data: Data, name: str) -> list[One]:
    """Return data as a list.

    Raises:
        InvalidArgumentError: something that is neither a file nor a structure.
        DataError: nothing.
    """
    if isinstance(data, (str, Path, Atoms, Structure)):
        return [data]
    try:
        items = list(data)
    except TypeError:
        raise InvalidArgumentError(f"{name}: give names of files or ase.Atoms; got {data!r}") from None
    if not items:
        raise DataError(f"{name}: no structures given")
    odd = [item for item in items if not isinstance(item, (str, Path, Atoms, Structure))]
    if odd:
        raise InvalidArgumentError(f"{name}: give names of files or ase.Atoms; got {odd[0]!r}")
    return items


def files_among(items: Sequence[One]) -> list[str | Path]:
    """Return the names of files among data."""
    return [item for item in items if isinstance(item, (str, Path))]


def _only_labels(structure: Structure) -> Structure:
    """Take away what could be taken for a label beside those that were chosen."""
    entries = {n for label in LABELS if label != "forces" for n in candidates(label, structure.info)}
    columns = set(candidates("forces", structure.columns))
    return replace(
        structure,
        info={k: v for k, v in structure.info.items() if k not in entries},
        columns={k: v for k, v in structure.columns.items() if k not in columns},
    )
