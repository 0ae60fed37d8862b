"""Batches: which structures each member sees, and their arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lmlp.dataset.arrays import Dataset
from lmlp.dataset.blocks import PairBlock, ragged
from lmlp.dataset.store import Store
from lmlp.environments import Environments
from lmlp.model.derivatives import StoredDerivatives, place_in_batch
from lmlp.model.potential import Batch


@dataclass(frozen=True)
class Labels:
    """References of a batch; entries without a label are 0 and masked.

    Attributes:
        energies: eV less the atomic energies ``[n_structures]``.
        has_energy: 1 or 0 ``[n_structures]``.
        forces: eV/Å per slot ``[n_slots, 3]``.
        has_forces: 1 or 0 ``[n_structures]``.
        stress: eV/Å³ ``[n_structures, 3, 3]``, or None if no structure has one.
        has_stress: 1 or 0 ``[n_structures]``.
        volumes: Å³ ``[n_structures]``.
        ids: index of each structure in the dataset ``[n_structures]``.
        member: member that each structure belongs to ``[n_structures]``, 0 if shared.
        weights: share of each structure in its member's mean ``[n_structures]``.
    """

    energies: Tensor
    has_energy: Tensor
    forces: Tensor
    has_forces: Tensor
    stress: Tensor | None
    has_stress: Tensor
    volumes: Tensor
    ids: np.ndarray
    member: np.ndarray
    weights: Tensor


@dataclass(frozen=True)
class References:
    """Labels of a dataset in the form that batches take them from.

    Attributes:
        energies: eV less the atomic energies, 0 where there is none.
        has_energy, has_forces, has_stress: per structure.
        forces: eV/Å, NaN where there are none; may lie on disk.
        stress: eV/Å³, 0 where there is none.
    """

    energies: np.ndarray
    has_energy: np.ndarray
    forces: np.ndarray
    has_forces: np.ndarray
    stress: np.ndarray
    has_stress: np.ndarray


def make_references(dataset: Dataset, atomic_energies: np.ndarray) -> References:
    """Subtract the atomic energies (in float64) and blank missing labels."""
    rest = dataset.energies - dataset.counts @ atomic_energies
    return References(
        np.nan_to_num(rest, nan=0.0),
        np.isfinite(rest),
        dataset.forces,
        dataset.has_forces,
        np.nan_to_num(dataset.stress, nan=0.0),
        dataset.has_stress,
    )


def make_batch(
    store: Store,
    references: References,
    groups: Sequence[np.ndarray],
    *,
    shared: bool = False,
    sizes: Sequence[int] | None = None,
) -> tuple[Batch, Labels]:
    """Collect the arrays of some structures.

    Args:
        store: serves pair lists and inputs.
        references: labels.
        groups: structure indices of every member; a single group if ``shared``.
        shared: every member evaluates the same structures.
        sizes: structures that each member's mean is taken over; default those of its group.
    """
    dataset = store.dataset
    ids = np.concatenate(groups)
    block, inputs, position = store.fetch(ids)
    slots = _Slots(dataset, groups, ids)
    real = slots.atom >= 0
    instance = np.where(real, slots.structure, 0)
    atom = np.where(real, block.first_atom[position][instance] + slots.atom, 0)
    stored = None if shared else _stored(store, slots, ids)
    environments, neighbor_species = _pairs(block, slots, atom, real) if stored is None else _no_pairs(slots)
    dtype = inputs.dtype
    rows = inputs[torch.from_numpy(atom)]
    forces = references.forces[np.where(real, dataset.first_atom[ids][instance] + slots.atom, 0)]
    forces = np.where(real[:, None] & np.isfinite(forces), forces, 0.0)
    if not real.all():
        rows = rows * torch.from_numpy(real).to(dtype)[:, None]
    batch = Batch(
        environments=environments,
        neighbor_species=neighbor_species,
        inputs=rows,
        element_slots=slots.element_slots,
        structure=torch.from_numpy(slots.structure),
        n_atoms=torch.from_numpy(dataset.n_atoms[ids]).to(dtype),
        shared=shared,
        stored=stored,
    )
    lengths = np.array([len(g) for g in groups])
    over = lengths if sizes is None else np.array(sizes)
    has_stress = references.has_stress[ids]

    def tensor(array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(dtype)

    labels = Labels(
        energies=tensor(references.energies[ids]),
        has_energy=tensor(references.has_energy[ids]),
        forces=tensor(forces),
        has_forces=tensor(references.has_forces[ids]),
        stress=tensor(references.stress[ids]) if has_stress.any() else None,
        has_stress=tensor(has_stress),
        volumes=tensor(dataset.volumes[ids]),
        ids=ids,
        member=np.repeat(np.arange(len(groups)), lengths),
        weights=tensor(np.repeat(1.0 / np.maximum(over, 1), lengths)),
    )
    return batch, labels


def _pairs(
    block: PairBlock, slots: _Slots, atom: np.ndarray, real: np.ndarray
) -> tuple[Environments, np.ndarray]:
    """Collect the pair lists of the slots; neighbors are counted through the slots."""
    counts = np.where(real, block.pair_offsets[atom + 1] - block.pair_offsets[atom], 0)
    pairs = ragged(block.pair_offsets[atom], counts)
    pair_structure = np.repeat(slots.structure, counts)
    environments = Environments(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        slots.slot_of_atom[slots.first_atom[pair_structure] + block.neighbors[pairs]],
        block.vectors[pairs],
        np.zeros((len(pairs), 3), dtype=np.int32),
    )
    return environments, block.neighbor_species[pairs]


def _no_pairs(slots: _Slots) -> tuple[Environments, np.ndarray]:
    nothing = np.zeros(0, dtype=np.int64)
    environments = Environments(
        np.zeros(len(slots.atom) + 1, dtype=np.int64),
        nothing,
        np.zeros((0, 3)),
        np.zeros((0, 3), dtype=np.int32),
    )
    return environments, nothing.astype(np.int32)


def _stored(store: Store, slots: _Slots, ids: np.ndarray) -> StoredDerivatives | None:
    """Return the stored derivatives of all structures of a batch, None if one has none."""
    structures = ids.tolist()
    if store.jacobians is None or not structures or not store.jacobians.has_all(structures):
        return None
    n_atoms = np.diff(slots.first_atom)
    return place_in_batch(store.jacobians, structures, n_atoms, slots.slot_of_atom, len(slots.atom))


class _Slots:
    """Order of the atoms in a batch: by element, then member (padded to equal numbers), then structure."""

    def __init__(self, dataset: Dataset, groups: Sequence[np.ndarray], ids: np.ndarray) -> None:
        bounds = dataset.element_atoms[ids]
        ends = np.cumsum([len(g) for g in groups])
        members = [slice(end - len(g), end) for g, end in zip(groups, ends, strict=True)]
        self.element_slots = [0]
        atoms: list[np.ndarray] = []
        structures: list[np.ndarray] = []
        for e in range(bounds.shape[1] - 1):
            counts = bounds[:, e + 1] - bounds[:, e]
            totals = [int(counts[m].sum()) for m in members]
            size = max(totals)
            for m, total in zip(members, totals, strict=True):
                atoms.append(ragged(bounds[m, e], counts[m]))
                structures.append(np.repeat(np.arange(m.start, m.stop), counts[m]))
                if total < size:
                    atoms.append(np.full(size - total, -1))
                    structures.append(np.full(size - total, len(ids)))
            self.element_slots.append(self.element_slots[-1] + size * len(groups))
        self.atom = np.concatenate(atoms)
        self.structure = np.concatenate(structures)
        self.first_atom = np.concatenate([[0], np.cumsum(dataset.n_atoms[ids])])
        real = np.flatnonzero(self.atom >= 0)
        self.slot_of_atom = np.empty(self.first_atom[-1], dtype=np.int64)
        self.slot_of_atom[self.first_atom[self.structure[real]] + self.atom[real]] = real
