"""Stored derivatives of the network inputs: forces of small structures as sparse products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmlp.descriptor.autograd import apply
from lmlp.descriptor.compute import Descriptor
from lmlp.descriptor.jacobians import Jacobians
from lmlp.environments import Environments

STRAIN_TARGETS = 3
"""Targets beyond a structure's atoms: the rows of Σ r_ij ⊗ g_ij, where there is a stress label."""


@dataclass(frozen=True)
class StoredDerivatives:
    """Derivatives of the structures of a batch, and where their atoms stand in it.

    Attributes:
        jacobians: −dx/dr of all structures; see :func:`structure_derivatives`.
        places: the batch's structures in ``jacobians``.
        slots: slot of each atom, int64 ``[Σ n_atoms]``.
        atom_rows: of each slot's atom among the targets of all structures, int64 ``[n_slots]``; one past the
            last target for padding.
        strain_rows: the same of each structure's strain targets ``[n_structures · 3]``, one past the last for
            structures without.
    """

    jacobians: Jacobians
    places: np.ndarray
    slots: np.ndarray
    atom_rows: Tensor
    strain_rows: Tensor

    def forces(self, gradients: Tensor) -> tuple[Tensor, Tensor]:
        """Contract dE/dx.

        Args:
            gradients: per slot ``[n_slots, n_inputs]``.

        Returns:
            forces in eV/Å per slot ``[n_slots, 3]``, and per structure the symmetric Σ r_ij ⊗ g_ij in eV
            ``[n_structures, 3, 3]``, 0 for structures without the strain targets.
        """
        targets = apply(_Product, gradients, self)
        padded = torch.cat([targets, targets.new_zeros(1, 3)])
        strain = padded.index_select(0, self.strain_rows).view(-1, 3, 3)
        return padded.index_select(0, self.atom_rows), (strain + strain.transpose(-1, -2)) / 2


def place_in_batch(
    jacobians: Jacobians,
    structures: Sequence[int],
    n_atoms: np.ndarray,
    slot_of_atom: np.ndarray,
    n_slots: int,
) -> StoredDerivatives:
    """Say where the atoms of a batch stand.

    Args:
        jacobians: has all ``structures``.
        structures: of the batch.
        n_atoms: of each.
        slot_of_atom: of all atoms, one structure after the other.
        n_slots: with padding.
    """
    places = jacobians.places(structures)
    has_strain = jacobians.n_targets(places) > n_atoms
    ends = np.cumsum(n_atoms + STRAIN_TARGETS * has_strain)
    starts = np.concatenate([[0], ends[:-1]])
    atom_rows = np.full(n_slots, ends[-1])
    first_atom = np.cumsum(n_atoms) - n_atoms
    atom_rows[slot_of_atom] = np.arange(len(slot_of_atom)) + np.repeat(starts - first_atom, n_atoms)
    strain = (starts + n_atoms)[:, None] + np.arange(STRAIN_TARGETS)
    strain_rows = np.where(has_strain[:, None], strain, ends[-1]).reshape(-1)
    return StoredDerivatives(
        jacobians, places, slot_of_atom, torch.from_numpy(atom_rows), torch.from_numpy(strain_rows)
    )


class _Product(torch.autograd.Function):
    """Sums over all targets ``[Σ n_targets, 3]`` of dE/dx ``[n_slots, n_inputs]``, and the way back."""

    @staticmethod
    def forward(ctx: Any, gradients: Tensor, stored: StoredDerivatives) -> Tensor:
        ctx.stored = stored
        ctx.n_slots = len(gradients)
        found = stored.jacobians.contract(stored.places, stored.slots, gradients.detach().numpy())
        return torch.from_numpy(found)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        stored: StoredDerivatives = ctx.stored
        found = stored.jacobians.expand(stored.places, stored.slots, grad.numpy(), ctx.n_slots)
        return torch.from_numpy(found), None


@dataclass(frozen=True)
class StructureDerivatives:
    """−dx/dr of the network inputs of one structure, as :meth:`Jacobians.add` takes it.

    Attributes:
        offsets: int64 ``[n_atoms + 1]``.
        targets: int32 ``[n_blocks]``: for each center the atoms that it depends on, ascending, then, with a
            stress label, three more behind the atoms.
        rows: float64 ``[n_blocks, 3, n_inputs]``: −dx_ik/dr_a, and for the strain targets n + α
            Σ_j (dx_ik/dr_ij)_α r_ij. Contracted with dE/dx they are the forces and the sum that the stress is
            made of.
        n_targets: atoms and strain targets.
    """

    offsets: np.ndarray
    targets: np.ndarray
    rows: np.ndarray
    n_targets: int


def block_targets(environments: Environments, *, strain: bool) -> tuple[np.ndarray, np.ndarray, int]:
    """Return which center depends on which targets, as ``center · n_targets + target`` ascending.

    Returns:
        the blocks, the block of each pair, and the number of targets.
    """
    n = environments.n_centers
    n_targets = n + STRAIN_TARGETS * strain
    own = np.arange(n) * n_targets
    pairs = environments.centers * n_targets + environments.neighbors
    extra = [own + np.arange(n), *(own + n + a for a in range(STRAIN_TARGETS * strain))]
    blocks, places = np.unique(np.concatenate([pairs, *extra]), return_inverse=True)
    return blocks, places[: len(pairs)], n_targets


def structure_derivatives(
    descriptor: Descriptor,
    environments: Environments,
    species: np.ndarray,
    linear: np.ndarray,
    *,
    strain: bool,
) -> StructureDerivatives:
    """Compute the derivatives of the network inputs of one structure's atoms.

    Args:
        descriptor: the compiled descriptor.
        environments: the structure's pair list.
        species: of its atoms ``[n]``.
        linear: dx/dG per element ``[n_elements, n_inputs, n_features]``.
        strain: add the derivatives that a stress needs.
    """
    n, n_inputs = len(species), linear.shape[1]
    sides = np.ascontiguousarray(linear[species].transpose(1, 0, 2))  # every input is one right-hand side
    found = descriptor.backward(environments, species[environments.neighbors].astype(np.int32), sides)
    pairs = torch.from_numpy(found).permute(1, 2, 0)  # [n_pairs, 3, n_inputs]
    blocks, block_of_pair, n_targets = block_targets(environments, strain=strain)
    rows = torch.zeros(len(blocks), 3, n_inputs, dtype=torch.float64)
    rows.index_add_(0, torch.from_numpy(block_of_pair), pairs, alpha=-1.0)

    def blocks_of(targets: np.ndarray) -> Tensor:
        return torch.from_numpy(np.searchsorted(blocks, np.arange(n) * n_targets + targets))

    centers = torch.from_numpy(environments.centers)
    rows.index_add_(0, blocks_of(np.arange(n))[centers], pairs)
    if strain:
        vectors = torch.from_numpy(environments.vectors)
        for a in range(STRAIN_TARGETS):
            outer = pairs[:, a, None, :] * vectors[:, :, None]
            rows.index_add_(0, blocks_of(np.full(n, n + a))[centers], outer)
    offsets = np.searchsorted(blocks, np.arange(n + 1) * n_targets).astype(np.int64)
    return StructureDerivatives(offsets, (blocks % n_targets).astype(np.int32), rows.numpy(), n_targets)
