"""The distance from the training atoms in TorchScript."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from lmlp.model.distance import FeatureDistance


class DistanceModule(nn.Module):
    """d of atoms, see ``lmlp.model.distance``; parameters carry the names of ``weights.safetensors``.

    Args:
        distance: the model's, or None: then it has no parameters and is not active.
    """

    if TYPE_CHECKING:  # TorchScript does not know annotations that are text
        shift: Tensor
        scale: Tensor
        axes: Tensor

    def __init__(self, distance: FeatureDistance | None) -> None:
        super().__init__()
        names = ("shift", "scale", "axes")
        self.known: bool = distance is not None
        for name in names:
            if distance is None:
                # TorchScript compiles `forward` all the same; what stands for a parameter is no parameter
                self.register_buffer(name, torch.zeros(0, dtype=torch.float64), persistent=False)
            else:
                array = torch.tensor(getattr(distance, name), dtype=torch.float64)
                self.register_parameter(name, nn.Parameter(array, requires_grad=False))

    def active(self) -> bool:
        """Whether the model has distances."""
        return self.known

    def forward(self, features: Tensor, species: Tensor) -> Tensor:
        """Return d ≥ 0 of atoms ``[n]`` from their symmetry functions ``[n, n_features]``.

        What overflows is infinite or no number, never 0.
        """
        distances = torch.zeros(features.size(0), dtype=features.dtype, device=features.device)
        for element in range(self.shift.size(0)):
            index = torch.nonzero(species == element).squeeze(1)
            if index.size(0) > 0:
                y = (features[index] - self.shift[element]) * self.scale[element]
                along = torch.matmul(y, self.axes[element].transpose(0, 1))
                squares = (y * y).sum(1) - (along * along).sum(1)
                squares = torch.where(torch.isfinite(squares), squares.clamp(min=0.0), squares * squares)
                distances = distances.index_copy(0, index, torch.sqrt(squares))
        return distances
