"""The free atoms of a model in TorchScript."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List  # noqa: UP035 - the names that TorchScript knows in every torch

import numpy as np
import torch
from torch import Tensor, nn

from lmlp.model.free_atoms import parse_free_atoms


class FreeAtomsModule(nn.Module):
    """The term of free atoms, see ``lmlp.model.free_atoms``; without free atoms it is not active.

    Args:
        block: the ``free_atoms`` block of ``lmlp.json``, or None.
        elements: chemical symbols in species order.
        atomic_energies: E_atom in eV ``[n_elements]``.
        cutoff: of the descriptor in Å.
    """

    if TYPE_CHECKING:  # TorchScript does not know annotations that are text
        densities: Tensor

    def __init__(
        self, block: dict[str, Any] | None, elements: list[str], atomic_energies: np.ndarray, cutoff: float
    ) -> None:
        super().__init__()
        known = parse_free_atoms(block, elements)
        densities = np.zeros(len(elements)) if known is None else known.densities
        energies = (
            atomic_energies if known is None else np.where(densities > 0, known.energies, atomic_energies)
        )
        self.register_buffer("densities", torch.tensor(densities, dtype=torch.float64))
        # Python numbers: `.to(float32)` must not round them.
        self.energies: List[float] = [float(e) for e in energies]  # noqa: UP006
        self.differences: List[float] = [float(e) for e in energies - atomic_energies]  # noqa: UP006
        self.cutoff = cutoff
        self.known: bool = known is not None

    def active(self) -> bool:
        """Whether the model has free atoms."""
        return self.known

    def by_species(self, values: List[float], like: Tensor) -> Tensor:  # noqa: UP006
        """Return numbers per element as a tensor of the type and device of another."""
        table = torch.zeros(len(values), dtype=like.dtype, device=like.device)
        # TorchScript's `torch.tensor(list)` passes through float32; `fill_` does not.
        for element, value in enumerate(values):
            table[element : element + 1].fill_(value)
        return table

    def forward(
        self,
        alone: Tensor,
        energies: Tensor,
        gradients: Tensor,
        member_gradients: Tensor,
        species: Tensor,
        center: Tensor,
        vectors: Tensor,
    ) -> Tensor:
        """Return the energies with the term, and add its gradients in place.

        Args:
            alone: NN(0) of every member and element in eV ``[M, E]``.
            energies: of all centers in eV, E_atom included ``[M, n]``.
            gradients: dE/dr_ij of the ensemble mean in eV/Å ``[p, 3]``.
            member_gradients: those of the members ``[M, p, 3]``, or of none ``[0, p, 3]``.
            species: of the centers ``[n]``.
            center: index of the center of each pair ``[p]``.
            vectors: Å ``[p, 3]``.
        """
        overlap = torch.clamp(1.0 - (vectors * vectors).sum(1) / self.cutoff**2, min=0.0)
        density = torch.zeros(species.size(0), dtype=vectors.dtype, device=vectors.device)
        density = density.index_add(0, center, overlap**3)
        full = self.densities[species]
        below = density < full
        loose, pairs = torch.nonzero(below).squeeze(1), torch.nonzero(below[center]).squeeze(1)
        delta = self.by_species(self.differences, energies) - alone.to(energies.dtype)
        rest = 1.0 - density[loose] / full[loose]
        kind = species[loose]
        # without neighbors the number itself: members differ not even by rounding
        free = self.by_species(self.energies, energies)[kind].expand(energies.size(0), kind.size(0))
        switched = energies[:, loose] + delta[:, kind] * rest**3
        energies = energies.index_copy(1, loose, torch.where(density[loose] == 0.0, free, switched))
        at, v = center[pairs], vectors[pairs]
        factor = 18.0 / self.cutoff**2 * (1.0 - density[at] / full[at]) ** 2 / full[at] * overlap[pairs] ** 2
        slopes = factor.unsqueeze(1) * v
        steep = delta.to(vectors.dtype)[:, species[at]].unsqueeze(2)
        gradients.index_add_(0, pairs, steep.mean(0) * slopes)
        if member_gradients.size(0) > 0:
            member_gradients.index_add_(1, pairs, steep * slopes)
        return energies
