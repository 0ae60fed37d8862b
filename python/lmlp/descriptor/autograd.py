"""Torch functions around the compiled descriptor: features, pair gradients and their derivatives."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from lmlp.descriptor.compute import Descriptor
from lmlp.environments import Environments


def _to_numpy(tensor: Tensor) -> np.ndarray:
    return tensor.detach().to(device="cpu", dtype=torch.float64).contiguous().numpy()


def _like(array: np.ndarray, tensor: Tensor) -> Tensor:
    return torch.from_numpy(array).to(device=tensor.device, dtype=tensor.dtype)


def _with_vectors(environments: Environments, vectors: Tensor) -> Environments:
    return Environments(environments.offsets, environments.neighbors, _to_numpy(vectors), environments.shifts)


def apply(function: type[torch.autograd.Function], *arguments: Any) -> Tensor:
    """Call a function of one result, which torch leaves untyped."""
    return cast(Tensor, function.apply(*arguments))


class _Features(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, vectors: Tensor, descriptor: Descriptor, environments: Environments, species: np.ndarray
    ) -> Tensor:
        ctx.descriptor = descriptor
        ctx.environments = _with_vectors(environments, vectors)
        ctx.species = species
        ctx.save_for_backward(vectors)
        return _like(descriptor.features(ctx.environments, species), vectors)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        (vectors,) = ctx.saved_tensors
        result = pair_gradients(ctx.descriptor, ctx.environments, ctx.species, grad).to(vectors)
        if torch.is_grad_enabled():
            result = result + apply(_NoSecondDerivative, vectors)
        return result, None, None, None


class _NoSecondDerivative(torch.autograd.Function):
    """A zero that depends on the vectors: whoever differentiates by them twice is told, not misled."""

    @staticmethod
    def forward(ctx: Any, vectors: Tensor) -> Tensor:
        return torch.zeros_like(vectors)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        raise NotImplementedError(
            "the compiled descriptor has no second derivative by the vectors; train on forces through "
            "pair_gradients(), or use lmlp.descriptor.reference.ReferenceDescriptor for Hessians"
        )


class _PairGradients(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, grad: Tensor, descriptor: Descriptor, environments: Environments, species: np.ndarray
    ) -> Tensor:
        ctx.arguments = (descriptor, environments, species)
        return _like(descriptor.backward(environments, species, _to_numpy(grad)), grad)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        # linear in grad_features: its transpose is the forward derivative, and the other way round
        return apply(_Tangent, grad, *ctx.arguments), None, None, None


class _Tangent(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, d_vectors: Tensor, descriptor: Descriptor, environments: Environments, species: np.ndarray
    ) -> Tensor:
        ctx.arguments = (descriptor, environments, species)
        return _like(descriptor.tangent(environments, species, _to_numpy(d_vectors)), d_vectors)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        return apply(_PairGradients, grad, *ctx.arguments), None, None, None


def features(
    descriptor: Descriptor, environments: Environments, neighbor_species: np.ndarray, vectors: Tensor
) -> Tensor:
    """Compute G as a function of the pair vectors.

    Args:
        descriptor: the compiled descriptor.
        environments: pair list; its own vectors are ignored.
        neighbor_species: species of each pair's neighbor ``[n_pairs]``.
        vectors: r_ij in Å ``[n_pairs, 3]``; float32 is converted to float64 and the result back.

    Returns:
        ``[n_centers, n_features]`` in the dtype and on the device of ``vectors``. Its first derivative by
        ``vectors`` is exact; asking for the second one raises NotImplementedError (force losses need none:
        they use the derivative by the gradient of the features).
    """
    return apply(_Features, vectors, descriptor, environments, neighbor_species)


def pair_gradients(
    descriptor: Descriptor, environments: Environments, neighbor_species: np.ndarray, grad_features: Tensor
) -> Tensor:
    """Compute g_ij = Σ_n grad_features_n dG_n(i)/dr_ij as a function of ``grad_features``.

    Args:
        descriptor: the compiled descriptor.
        environments: pair list with the vectors to evaluate at.
        neighbor_species: species of each pair's neighbor ``[n_pairs]``.
        grad_features: dE/dG ``[n_centers, n_features]`` or several ``[r, n_centers, n_features]``.

    Returns:
        ``[n_pairs, 3]`` or ``[r, n_pairs, 3]`` in the dtype and on the device of ``grad_features``;
        differentiable by ``grad_features`` any number of times (it is linear), not by the vectors.
    """
    return apply(_PairGradients, grad_features, descriptor, environments, neighbor_species)
