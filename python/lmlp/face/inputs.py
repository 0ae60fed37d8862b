"""Reference data of the face: names of files, ``ase.Atoms``, or both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from lmlp.errors import DataError, InvalidArgumentError
from lmlp.io import DataKeys, read_structures, write_structures
from lmlp.io.atoms import structures_of
from lmlp.io.keys import LABELS, candidates
from lmlp.io.write import left_out
from lmlp.structure import Structure

if TYPE_CHECKING:
    from ase import Atoms

    Data: TypeAlias = str | Path | Atoms | Iterable[str | Path | Atoms]

_NOT_LABELS = ("weights", "units")  # keys that hold for what is written here too


def read_sets(data: Data, keys: DataKeys, name: str = "data") -> dict[str, list[Structure]]:
    """Read data.

    Args:
        data: files and ``ase.Atoms``.
        keys: names of the labels.
        name: of the ``Atoms``, for messages.

    Returns:
        the structures of each file by its name, and of all ``Atoms`` under ``name``.

    Raises:
        DataError, GeometryError, UnknownElementError: as :func:`lmlp.io.read_structures`.
        InvalidArgumentError: neither a file nor ``Atoms``.
    """
    files, atoms = _divided(data, name)
    sets = {str(file): read_structures(file, keys) for file in files}
    if atoms:
        sets[name] = structures_of(atoms, keys, name=name)
    return sets


def as_files(
    sets: Mapping[str, Data | None], keys: Mapping[str, Any], folder: Path
) -> tuple[dict[str, list[str]], dict[str, Any]]:
    """Return names of files with the data; where there are ``Atoms``, all is written to ``folder``.

    Args:
        sets: data by the name of the setting; None where there are none.
        keys: names of the labels, as given.
        folder: for files, one for each set.

    Returns:
        files by the name of the setting, and the names of the labels in them.

    Raises:
        DataError: something that ``Atoms`` hold and a file cannot; what :func:`read_sets` raises.
    """
    given = {name: data for name, data in sets.items() if data is not None}
    divided = {name: _divided(data, name) for name, data in given.items()}
    if not any(atoms for _, atoms in divided.values()):
        return {name: [str(file) for file in files] for name, (files, _) in divided.items()}, dict(keys)
    result = {}
    for name, data in given.items():
        structures = [s for part in read_sets(data, DataKeys(**keys), name).values() for s in part]
        path = folder / f"{name}.xyz"
        structures = [_only_labels(s) for s in structures]
        lost = left_out(path, structures)
        if lost:
            raise DataError(f"{name}: {lost}: take it out of the Atoms, or give it another name")
        write_structures(path, structures)
        result[name] = [str(path)]
    return result, {key: keys[key] for key in _NOT_LABELS if key in keys}


def _divided(data: Data, name: str) -> tuple[list[str | Path], list[Atoms]]:
    """Return the files and the ``Atoms`` among data."""
    if isinstance(data, (str, Path)) or hasattr(data, "positions"):
        data = [data]  # type: ignore[list-item]
    try:
        items: Sequence[Any] = list(data)
    except TypeError:
        raise InvalidArgumentError(f"{name}: give names of files or ase.Atoms; got {data!r}") from None
    files = [item for item in items if isinstance(item, (str, Path))]
    atoms = [item for item in items if hasattr(item, "positions") and hasattr(item, "calc")]
    if len(files) + len(atoms) < len(items):
        odd = next(x for x in items if not isinstance(x, (str, Path)) and not hasattr(x, "calc"))
        raise InvalidArgumentError(f"{name}: give names of files or ase.Atoms; got {odd!r}")
    if not items:
        raise DataError(f"{name}: no structures given")
    return files, atoms


def _only_labels(structure: Structure) -> Structure:
    """Take away what could be taken for a label beside those that were chosen."""
    entries = {n for label in LABELS if label != "forces" for n in candidates(label, structure.info)}
    columns = set(candidates("forces", structure.columns))
    return replace(
        structure,
        info={k: v for k, v in structure.info.items() if k not in entries},
        columns={k: v for k, v in structure.columns.items() if k not in columns},
    )
