"""Weights averaged over the steps, the best weights of each member, and evaluating with them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class WeightAverage:
    """Exponential moving average of the weights; early on it averages over few steps.

    Args:
        parameters: the weights that are trained.
        decay: per step; 0 follows the weights.
    """

    def __init__(self, parameters: Sequence[Tensor], decay: float) -> None:
        self.decay = decay
        self.values = [p.detach().clone() for p in parameters]

    @torch.no_grad()
    def update(self, parameters: Sequence[Tensor], step: int) -> None:
        """Take in the weights after step 1, 2, …"""
        decay = min(self.decay, step / (step + 10.0)) if self.decay else 0.0
        torch._foreach_lerp_(self.values, [p.detach() for p in parameters], 1.0 - decay)


class BestWeights:
    """Per member (first axis of every tensor), the weights with the smallest validation loss."""

    def __init__(self, parameters: Sequence[Tensor], n_members: int) -> None:
        self.values = [p.detach().clone() for p in parameters]
        self.loss = torch.full((n_members,), float("inf"), dtype=torch.float64)
        self.epoch = torch.full((n_members,), -1, dtype=torch.int64)

    @torch.no_grad()
    def offer(self, parameters: Sequence[Tensor], loss: Tensor, epoch: int) -> None:
        """Keep the members that have improved."""
        better = loss < self.loss
        self.loss = torch.where(better, loss, self.loss)
        self.epoch = torch.where(better, torch.full_like(self.epoch, epoch), self.epoch)
        for kept, offered in zip(self.values, parameters, strict=True):
            kept[better] = offered.detach()[better]


class Swapped:
    """Puts other values into parameters, and the old ones back."""

    def __init__(self, parameters: Sequence[Tensor], values: Sequence[Tensor]) -> None:
        self.parameters = parameters
        self.values = values

    def __enter__(self) -> None:
        self.kept = [p.data for p in self.parameters]
        for p, value in zip(self.parameters, self.values, strict=True):
            p.data = value

    def __exit__(self, *exception: object) -> None:
        for p, value in zip(self.parameters, self.kept, strict=True):
            p.data = value
