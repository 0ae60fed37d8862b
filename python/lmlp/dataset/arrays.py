"""Reference structures made ready for training: labels in flat arrays, atoms sorted by species."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lmlp.elements import symbol
from lmlp.errors import DataError, UnknownElementError
from lmlp.structure import Structure
from lmlp.structure.free_atoms import FreeAtom

_ROWS = 2**16


@dataclass(frozen=True)
class Dataset:
    """Structures with their labels as flat arrays; the atoms of each structure are sorted by species.

    Attributes:
        structures: as given.
        numbers: atomic number of each species.
        order: original index of each sorted atom in its structure, int64 ``[n_atoms]``.
        species: int32 ``[n_atoms]``.
        first_atom: first atom of each structure, and the end, int64 ``[n_structures + 1]``.
        element_atoms: first atom of each species in each structure, relative to the structure's first
            atom, and the end, int64 ``[n_structures, n_elements + 1]``.
        counts: atoms per structure and species ``[n_structures, n_elements]``.
        energies: total energies in eV, NaN where there is none ``[n_structures]``.
        forces: eV/Å, NaN where there are none ``[n_atoms, 3]``.
        stress: eV/Å³, NaN where there is none ``[n_structures, 3, 3]``.
        volumes: Å³ (1 without a stress) ``[n_structures]``.
        free_atoms: of the files; they are none of the structures.
    """

    structures: Sequence[Structure]
    numbers: list[int]
    order: np.ndarray
    species: np.ndarray
    first_atom: np.ndarray
    element_atoms: np.ndarray
    counts: np.ndarray
    energies: np.ndarray
    forces: np.ndarray
    stress: np.ndarray
    volumes: np.ndarray
    free_atoms: tuple[FreeAtom, ...] = ()

    def __len__(self) -> int:
        return len(self.structures)

    @property
    def elements(self) -> list[str]:
        """Chemical symbols in species order."""
        return [symbol(z) for z in self.numbers]

    @property
    def n_atoms(self) -> np.ndarray:
        """Atoms per structure."""
        return np.diff(self.first_atom)

    @property
    def has_forces(self) -> np.ndarray:
        """Whether each structure has forces."""
        return np.asarray(np.isfinite(self.forces[self.first_atom[:-1], 0]))

    @property
    def has_stress(self) -> np.ndarray:
        """Whether each structure has a stress."""
        return np.asarray(np.isfinite(self.stress).all(axis=(1, 2)))

    def fingerprint(self) -> str:
        """Return a hash of geometries and labels, in their order."""
        digest = hashlib.sha256()
        for s in self.structures:
            for array in (s.numbers, s.positions, s.cell, s.pbc):
                digest.update(np.ascontiguousarray(array).tobytes())
        for array in (self.energies, self.forces, self.stress):
            for start in range(0, len(array), _ROWS):  # forces may lie on disk
                digest.update(np.ascontiguousarray(array[start : start + _ROWS]).tobytes())
        return digest.hexdigest()


def make_dataset(
    structures: Sequence[Structure],
    numbers: Sequence[int] | None = None,
    free_atoms: Sequence[FreeAtom] = (),
) -> Dataset:
    """Check and flatten structures.

    Args:
        structures: at least one.
        numbers: atomic numbers of the model in species order; default: those that occur, ascending.
        free_atoms: that were set apart.

    Raises:
        DataError: no structures; one without atoms, without labels, or with labels that are not finite; it
            is named.
        UnknownElementError: an atom that is not in ``numbers``; the structure is named.
    """
    if not structures:
        raise DataError("no structures to train on")
    for index, s in enumerate(structures):
        check_structure(s, index)
    if numbers is None:
        numbers = sorted({int(z) for s in structures for z in np.unique(s.numbers)})
    numbers = [int(z) for z in numbers]
    lookup = np.full(max(numbers) + 1, -1)
    lookup[numbers] = np.arange(len(numbers))
    order, species, bounds = [], [], []
    for index, s in enumerate(structures):
        kinds = np.where(s.numbers < len(lookup), lookup[np.minimum(s.numbers, len(lookup) - 1)], -1)
        if (kinds < 0).any():
            foreign = sorted({symbol(int(z)) for z in s.numbers[kinds < 0]})
            raise UnknownElementError(
                f"{_name(s, index)} contains {', '.join(foreign)}; "
                f"the model has {', '.join(map(symbol, numbers))}"
            )
        sort = np.argsort(kinds, kind="stable")
        order.append(sort)
        species.append(kinds[sort])
        bounds.append(np.searchsorted(kinds[sort], np.arange(len(numbers) + 1)))
    element_atoms = np.array(bounds, dtype=np.int64)
    return Dataset(
        structures=list(structures),
        numbers=numbers,
        order=np.concatenate(order).astype(np.int64),
        species=np.concatenate(species).astype(np.int32),
        first_atom=np.concatenate([[0], np.cumsum([len(s) for s in structures])]).astype(np.int64),
        element_atoms=element_atoms,
        counts=np.diff(element_atoms, axis=1),
        energies=np.array([np.nan if s.energy is None else s.energy for s in structures], dtype=np.float64),
        forces=np.concatenate(
            [
                np.full((len(s), 3), np.nan) if s.forces is None else np.asarray(s.forces, np.float64)[o]
                for s, o in zip(structures, order, strict=True)
            ]
        ),
        stress=np.stack([_stress(s) for s in structures]),
        volumes=np.array([s.volume if s.stress is not None else 1.0 for s in structures]),
        free_atoms=tuple(free_atoms),
    )


def _name(s: Structure, index: int) -> str:
    return s.source or f"structure {index}"


def _stress(s: Structure) -> np.ndarray:
    if s.stress is None:
        return np.full((3, 3), np.nan)
    stress = np.asarray(s.stress, np.float64)
    return np.asarray((stress + stress.T) / 2)


def check_structure(s: Structure, index: int) -> None:
    """Refuse a structure that cannot be used.

    Raises:
        DataError: names it.
    """
    name = _name(s, index)
    if len(s) == 0:
        raise DataError(f"{name}: no atoms")
    if s.energy is None and s.forces is None:
        raise DataError(f"{name}: neither energy nor forces; remove it, or name the keys that hold them")
    if not np.isfinite(s.positions).all() or not np.isfinite(s.cell).all():
        raise DataError(f"{name}: a position or cell vector is not finite")
    for label in ("energy", "forces", "stress"):
        value = getattr(s, label)
        if value is not None and not np.isfinite(np.asarray(value, dtype=np.float64)).all():
            raise DataError(f"{name}: {label} is not finite")
    if s.forces is not None and np.shape(s.forces) != (len(s), 3):
        raise DataError(f"{name}: forces have shape {np.shape(s.forces)}, expected {(len(s), 3)}")
    if s.stress is not None and not s.volume > 0:
        raise DataError(f"{name}: a stress without a cell of finite volume")


def tell_missing(dataset: Dataset, say: Callable[[str], None]) -> None:
    """Say how many structures lack energies or forces."""
    energy_only = int((~dataset.has_forces).sum())
    forces_only = int(np.isnan(dataset.energies).sum())
    if energy_only:
        say(f"{energy_only} structures without forces: trained on their energies alone")
    if forces_only:
        say(f"{forces_only} structures without energy: trained on their forces alone")
