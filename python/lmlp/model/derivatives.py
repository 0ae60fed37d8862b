"""Stored derivatives of the network inputs: forces of small structures as matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmlp.descriptor.compute import Descriptor
from lmlp.environments import Environments

STRAIN_COLUMNS = 9


@dataclass(frozen=True)
class StoredDerivatives:
    """Derivatives of the structures of a batch, and where their atoms stand in it.

    Attributes:
        matrices: per structure −dx/dr ``[n_atoms · n_inputs, 3 n_atoms]``, with a stress label followed by
            the nine columns Σ_j dx/dr_ij ⊗ r_ij; see :func:`structure_matrix`.
        n_atoms: atoms per structure.
        slot_of_atom: int64 ``[Σ n_atoms]``.
        atom_of_slot: int64 ``[n_slots]``, ``Σ n_atoms`` for padding.
    """

    matrices: Sequence[Tensor]
    n_atoms: Sequence[int]
    slot_of_atom: Tensor
    atom_of_slot: Tensor

    def forces(self, gradients: Tensor) -> tuple[Tensor, Tensor]:
        """Contract dE/dx.

        Args:
            gradients: per slot ``[n_slots, n_inputs]``.

        Returns:
            forces in eV/Å per slot ``[n_slots, 3]``, and per structure the symmetric Σ r_ij ⊗ g_ij in eV
            ``[n_structures, 3, 3]``, 0 for structures without the strain columns.
        """
        rows = gradients.index_select(0, self.slot_of_atom)
        flat: Tensor = _Product.apply(rows, self)
        sizes = [3 * n for n in self.n_atoms]
        n_forces = sum(sizes)
        by_atom = torch.cat([flat[:n_forces], flat.new_zeros(3)]).view(-1, 3)
        strain = flat[n_forces:].view(-1, 3, 3)
        return by_atom.index_select(0, self.atom_of_slot), (strain + strain.transpose(-1, -2)) / 2


class _Product(torch.autograd.Function):
    """Forces of all atoms, then nine strain derivatives per structure, of dE/dx ``[Σ n_atoms, n_inputs]``."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, stored: StoredDerivatives) -> Tensor:
        ctx.stored = stored
        ctx.n_inputs = rows.shape[1]
        vectors = rows.reshape(-1).split([n * rows.shape[1] for n in stored.n_atoms])
        n_forces = 3 * sum(stored.n_atoms)
        result = rows.new_zeros(n_forces + STRAIN_COLUMNS * len(stored.matrices))
        first = 0
        for k, (matrix, n, vector) in enumerate(zip(stored.matrices, stored.n_atoms, vectors, strict=True)):
            product = torch.mv(matrix.t(), vector)
            result[first : first + 3 * n] = product[: 3 * n]
            if len(product) > 3 * n:
                start = n_forces + STRAIN_COLUMNS * k
                result[start : start + STRAIN_COLUMNS] = product[3 * n :]
            first += 3 * n
        return result

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        stored: StoredDerivatives = ctx.stored
        n_forces = 3 * sum(stored.n_atoms)
        parts = []
        first = 0
        for k, (matrix, n) in enumerate(zip(stored.matrices, stored.n_atoms, strict=True)):
            vector = grad[first : first + 3 * n]
            if matrix.shape[1] > 3 * n:
                start = n_forces + STRAIN_COLUMNS * k
                vector = torch.cat([vector, grad[start : start + STRAIN_COLUMNS]])
            parts.append(torch.mv(matrix, vector))
            first += 3 * n
        return torch.cat(parts).view(-1, ctx.n_inputs), None


def structure_matrix(
    descriptor: Descriptor,
    environments: Environments,
    species: np.ndarray,
    linear: np.ndarray,
    *,
    strain: bool,
) -> np.ndarray:
    """Compute the derivatives of the network inputs of one structure's atoms.

    Args:
        descriptor: the compiled descriptor.
        environments: the structure's pair list.
        species: of its atoms ``[n]``.
        linear: dx/dG per element ``[n_elements, n_inputs, n_features]``.
        strain: add the derivatives that a stress needs.

    Returns:
        float64 ``[n · n_inputs, 3 n (+ 9)]``: row (i, k), columns −dx_ik/dr_a for the atoms a, then
        Σ_j (dx_ik/dr_ij)_α (r_ij)_β at column 3 n + 3 α + β. Contracted with dE/dx they are the forces and
        the sum that the stress is made of.
    """
    n, n_inputs = len(species), linear.shape[1]
    rows = np.ascontiguousarray(linear[species].transpose(1, 0, 2))  # every input is one right-hand side
    found = descriptor.backward(environments, species[environments.neighbors].astype(np.int32), rows)
    pairs = torch.from_numpy(found).permute(1, 0, 2)  # [n_pairs, n_inputs, 3]
    centers = torch.from_numpy(environments.centers)
    neighbors = torch.from_numpy(environments.neighbors)
    blocks = torch.zeros(n * n, n_inputs, 3, dtype=torch.float64)
    blocks.index_add_(0, centers * n + neighbors, pairs, alpha=-1.0)
    blocks.index_add_(0, centers * n + centers, pairs)
    matrix = blocks.view(n, n, n_inputs, 3).permute(0, 2, 1, 3).reshape(n * n_inputs, 3 * n)
    if strain:
        vectors = torch.from_numpy(environments.vectors)
        outer = torch.zeros(n, n_inputs, 3, 3, dtype=torch.float64)
        outer.index_add_(0, centers, pairs[..., :, None] * vectors[:, None, None, :])
        matrix = torch.cat([matrix, outer.view(n * n_inputs, STRAIN_COLUMNS)], dim=1)
    return np.asarray(matrix.numpy())
