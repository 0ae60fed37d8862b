"""The baseline of a model in TorchScript."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Tuple  # noqa: UP035 - the name that TorchScript knows in every torch

import torch
from torch import Tensor, nn

from lmlp.model.baseline import AMPLITUDES, DECAYS, parse_baseline

COLUMNS = ("inner", "outer", "factor", "inverse_length", "cubic", "quartic", "constant")


class ZblModule(nn.Module):
    """V of pairs, see ``lmlp.model.baseline``; without a baseline its table is empty.

    Args:
        block: the ``baseline`` block of ``lmlp.json``, or None.
        elements: chemical symbols in species order.
        cutoff: of the descriptor in Å.
    """

    if TYPE_CHECKING:  # TorchScript does not know annotations that are text
        table: Tensor
        amplitudes: Tensor
        decays: Tensor

    def __init__(self, block: dict[str, Any] | None, elements: list[str], cutoff: float) -> None:
        super().__init__()
        baseline = parse_baseline(block, elements, cutoff)
        if baseline is None:
            table = torch.zeros((len(COLUMNS), 0), dtype=torch.float64)
        else:
            columns = baseline.coefficients()
            table = torch.stack([torch.from_numpy(columns[name]).reshape(-1) for name in COLUMNS])
        self.register_buffer("table", table)
        self.register_buffer("amplitudes", torch.tensor(AMPLITUDES, dtype=torch.float64))
        self.register_buffer("decays", torch.tensor(DECAYS, dtype=torch.float64))
        self.n_elements = len(elements)

    def active(self) -> bool:
        """Whether the model has a baseline."""
        return self.table.size(1) > 0

    def forward(self, a: Tensor, b: Tensor, vectors: Tensor) -> Tuple[Tensor, Tensor, Tensor]:  # noqa: UP006
        """Evaluate the pairs within their outer radius.

        Args:
            a: species of the centers ``[p]``.
            b: species of the neighbors ``[p]``.
            vectors: Å ``[p, 3]``.

        Returns:
            the indices of these pairs ``[q]``, V in eV ``[q]`` and dV/dr_ij in eV/Å ``[q, 3]``.
        """
        kind = a * self.n_elements + b
        distance = torch.linalg.vector_norm(vectors, dim=1)
        near = torch.nonzero(distance < self.table[1][kind]).squeeze(1)
        r, c = distance[near], self.table[:, kind[near]]
        rates = self.decays.unsqueeze(1) * c[3]
        terms = self.amplitudes.unsqueeze(1) * torch.exp(-rates * r)
        bare = c[2] / r * terms.sum(0)
        slope = -c[2] / r * (rates * terms).sum(0) - bare / r
        t = torch.clamp(r - c[0], min=0.0)
        energy = bare + c[6] + t**3 * (c[4] + c[5] * t)
        slope = slope + t**2 * (3.0 * c[4] + 4.0 * c[5] * t)
        return near, energy, (slope / r).unsqueeze(1) * vectors[near]
