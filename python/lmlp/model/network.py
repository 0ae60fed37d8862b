"""Per-element feed-forward networks of all ensemble members, evaluated in one batched pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from lmlp.errors import InvalidArgumentError
from lmlp.model.activations import ACTIVATION_NAMES

STANH_SCALE = 1.59223
"""Keeps unit variance for N(0, 1) inputs and Var W = 1/n_in."""

SSILU_SCALE = 1.67653
"""Makes the second moment of x/(1 + e^(-x)) 1 for N(0, 1) inputs."""

ACTIVATION_BOUND = 6.0
"""Of what the first layer of ``bounded-ssilu`` lets through."""


def _stanh(x: Tensor, scale: float = STANH_SCALE) -> Tensor:
    return scale * torch.tanh(x)


def _tanhshrink(x: Tensor) -> Tensor:
    return x - torch.tanh(x)


def _ssilu(x: Tensor) -> Tensor:
    return SSILU_SCALE * nn.functional.silu(x)


def _bounded_ssilu(x: Tensor) -> Tensor:
    return _ssilu(ACTIVATION_BOUND * torch.tanh(x / ACTIVATION_BOUND))


def _exported_ssilu(x: Tensor, scale: float = SSILU_SCALE) -> Tensor:
    return scale * x * torch.sigmoid(x)


def _exported_bounded_ssilu(x: Tensor, bound: float = ACTIVATION_BOUND) -> Tensor:
    return _exported_ssilu(bound * torch.tanh(x / bound))


@dataclass(frozen=True)
class Activation:
    """What differs between activation functions.

    Attributes:
        formula: a function of a tensor.
        exported: its form in model files, which TorchScript compiles: constants are defaults of arguments.
            None: the same formula.
        later: name of the function of all hidden layers but the first; None: the same function.
        bounded: |a(x)| ≤ 1.6 for all x; otherwise |a(x)| ≤ 1.7 |x| (``number_range.py``).
    """

    formula: Callable[[Tensor], Tensor]
    exported: Callable[[Tensor], Tensor] | None = None
    later: str | None = None
    bounded: bool = False


ACTIVATIONS: dict[str, Activation] = {
    "stanh": Activation(_stanh, bounded=True),
    "tanh": Activation(torch.tanh, bounded=True),
    "tanhshrink": Activation(_tanhshrink),
    "ssilu": Activation(_ssilu, exported=_exported_ssilu),
    "bounded-ssilu": Activation(_bounded_ssilu, exported=_exported_bounded_ssilu, later="ssilu"),
}
"""A row for each of :data:`ACTIVATION_NAMES`."""


def layer_activation(name: str, layer: int, *, exported: bool = False) -> Callable[[Tensor], Tensor]:
    """Return the activation of a hidden layer, the first is 0; ``exported``: in the form of model files."""
    row = ACTIVATIONS[name]
    if layer > 0 and row.later is not None:
        row = ACTIVATIONS[row.later]
    return row.exported if exported and row.exported is not None else row.formula


class EnsembleNetwork(nn.Module):
    """One network per element and member.

    x0 = scale ∘ (x − shift);  x_l = act(x_{l−1} W_l + c_l);  E = x_L W_out + c_out.
    Parameters are lists over elements, members come first: ``scales[e]`` and ``shifts[e]``
    ``[n_members, 1, n_inputs]``, ``weights[e * n_layers + l]`` ``[n_members, in, out]``, ``biases[…]``
    ``[n_members, 1, out]``.

    Args:
        n_elements: number of elements.
        n_members: number of ensemble members.
        layer_sizes: inputs, then hidden layers.
        activation: one of :data:`ACTIVATION_NAMES`.
        seed: of the weights; members and elements get their own streams.
        dtype: of the parameters.

    Raises:
        InvalidArgumentError: unknown activation.
    """

    def __init__(
        self,
        n_elements: int,
        n_members: int,
        layer_sizes: Sequence[int],
        *,
        activation: str = "bounded-ssilu",
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        if activation not in ACTIVATION_NAMES:
            raise InvalidArgumentError(
                f"activation {activation!r}: choose one of {', '.join(ACTIVATION_NAMES)}"
            )
        self.n_elements = n_elements
        self.n_members = n_members
        self.layer_sizes = [*layer_sizes, 1]
        self.activation = activation
        self.n_layers = len(self.layer_sizes) - 1
        shape = (n_members, 1, self.layer_sizes[0])
        self.scales = nn.ParameterList(torch.ones(shape, dtype=dtype) for _ in range(n_elements))
        self.shifts = nn.ParameterList(torch.zeros(shape, dtype=dtype) for _ in range(n_elements))
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for e in range(n_elements):
            drawn = [_draw_weights(self.layer_sizes, (seed, m, e)) for m in range(n_members)]
            for layer in range(self.n_layers):
                stack = torch.stack([member[layer] for member in drawn]).to(dtype)
                self.weights.append(nn.Parameter(stack))
                self.biases.append(nn.Parameter(torch.zeros(n_members, 1, stack.shape[2], dtype=dtype)))

    @torch.no_grad()
    def scale_output(self, factor: float) -> None:
        """Multiply the weights of the last layers, so that untrained energies are small."""
        for e in range(self.n_elements):
            self.weights[(e + 1) * self.n_layers - 1].mul_(factor)

    @torch.no_grad()
    def shift_output(self, energies: Sequence[float]) -> None:
        """Add energies in eV, one per element, to the biases of the last layers."""
        for e, energy in enumerate(energies):
            self.biases[(e + 1) * self.n_layers - 1].add_(energy)

    def element_energies(self, element: int, inputs: Tensor) -> Tensor:
        """Return one element's energies ``[n_members, n]`` for inputs ``[n_members, n, n_inputs]``."""
        x = self.scales[element] * (inputs - self.shifts[element])
        first = element * self.n_layers
        for layer in range(first, first + self.n_layers - 1):
            act = layer_activation(self.activation, layer - first)
            x = act(torch.baddbmm(self.biases[layer], x, self.weights[layer]))
        last = first + self.n_layers - 1
        return torch.baddbmm(self.biases[last], x, self.weights[last]).squeeze(-1)

    def forward(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Return atomic energies ``[n_members, n_e]`` per element; inputs ``[n_members, n_e, n_inputs]``."""
        return [self.element_energies(e, x) for e, x in enumerate(inputs)]


def _draw_weights(layer_sizes: Sequence[int], key: tuple[int, int, int]) -> list[Tensor]:
    """Draw one network's weights ``[in, out]`` from N(0, 1/n_in), in float64."""
    generator = torch.Generator().manual_seed(_mix(*key))
    return [
        torch.randn(n_in, n_out, generator=generator, dtype=torch.float64) / math.sqrt(n_in)
        for n_in, n_out in pairwise(layer_sizes)
    ]


def _mix(seed: int, member: int, element: int) -> int:
    """Return a seed that differs for every (seed, member, element)."""
    return (seed * 1_000_003 + member) * 1_009 + element
