"""Elastic weight consolidation: weights that matter for earlier tasks are held by springs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor


class ElasticWeights:
    """Adds λ F ∘ (θ − θ*) to the gradients: the loss gains λ/2 Σ F (θ − θ*)² per member.

    F is the mean squared gradient of the loss (as it is weighted in training) of single earlier structures at
    θ*, normalized to mean 1 over the weights of each member, so that λ does not depend on the units of the
    loss.
    Source: Kirkpatrick et al., PNAS 2017, 114, 3521 (doi 10.1073/pnas.1611835114).

    Args:
        anchor: θ*.
        importance: F, in the same order.
        strength: λ.
    """

    def __init__(self, anchor: Sequence[Tensor], importance: Sequence[Tensor], strength: float) -> None:
        self.anchor = [a.detach().clone() for a in anchor]
        self.importance = [f.detach().clone() for f in importance]
        self.strength = strength

    @torch.no_grad()
    def __call__(self, parameters: Sequence[Tensor]) -> None:
        """Add to the gradients."""
        for p, a, f in zip(parameters, self.anchor, self.importance, strict=True):
            if p.grad is not None:
                p.grad.add_(f * (p.detach() - a), alpha=self.strength)


def importances(
    parameters: Sequence[Tensor], loss_of: Callable[[int], Tensor], ids: np.ndarray
) -> list[Tensor]:
    """Return F of the present weights for some structures; leaves no gradients.

    Args:
        parameters: weights of all members, members first.
        loss_of: tells the loss of a structure, summed over the members.
        ids: structures.
    """
    squares = [torch.zeros_like(p) for p in parameters]
    for i in ids.tolist():
        for p in parameters:
            p.grad = None
        loss_of(i).backward()
        for square, p in zip(squares, parameters, strict=True):
            if p.grad is not None:
                square.addcmul_(p.grad, p.grad)
    for p in parameters:
        p.grad = None
    count = sum(s[0].numel() for s in squares)
    total = torch.stack([s.flatten(1).sum(dim=1) for s in squares]).sum(dim=0)
    mean = (total / count).clamp(min=torch.finfo(total.dtype).tiny)
    return [s / mean.view(-1, *[1] * (s.ndim - 1)) for s in squares]
