"""An untrained network of one element as NEAR sees it: layer sizes, activation, initialization."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lmlp.errors import InvalidArgumentError
from lmlp.model.activations import ACTIVATION_NAMES
from lmlp.model.network import layer_activation

Activation = Callable[[Tensor], Tensor]
Initialization = Callable[[int, int, torch.Generator], tuple[Tensor, Tensor]]

# For comparison only: model files know those of `ACTIVATION_NAMES`.
FURTHER_ACTIVATIONS: dict[str, Activation] = {
    "identity": lambda x: x,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "silu": torch.nn.functional.silu,
    "gelu": torch.nn.functional.gelu,
    "softplus": torch.nn.functional.softplus,
}


def _uniform(bound: float, n_in: int, n_out: int, generator: torch.Generator) -> Tensor:
    return bound * (2.0 * torch.rand(n_in, n_out, generator=generator, dtype=torch.float64) - 1.0)


def _scaled(variance: Callable[[int, int], float], *, normal: bool) -> Initialization:
    """Weights with a variance that depends on the layer's sizes; biases 0."""

    def draw(n_in: int, n_out: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        sigma = math.sqrt(variance(n_in, n_out))
        if normal:
            weight = sigma * torch.randn(n_in, n_out, generator=generator, dtype=torch.float64)
        else:
            weight = _uniform(math.sqrt(3.0) * sigma, n_in, n_out, generator)
        return weight, torch.zeros(n_out, dtype=torch.float64)

    return draw


def _orthogonal(n_in: int, n_out: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Orthonormal columns, or rows where there are more columns than rows; biases 0."""
    drawn = torch.randn(max(n_in, n_out), min(n_in, n_out), generator=generator, dtype=torch.float64)
    q, r = torch.linalg.qr(drawn)
    q = q * torch.where(torch.diagonal(r) < 0.0, -1.0, 1.0)  # uniform over all such matrices
    return (q if n_in >= n_out else q.T).contiguous(), torch.zeros(n_out, dtype=torch.float64)


def _torch(n_in: int, n_out: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Weights and biases of ``torch.nn.Linear``."""
    bound = 1.0 / math.sqrt(n_in)
    return _uniform(bound, n_in, n_out, generator), _uniform(bound, 1, n_out, generator)[0]


INITIALIZATIONS: dict[str, Initialization] = {
    "normal": _scaled(lambda n_in, n_out: 1.0 / n_in, normal=True),
    "uniform": _scaled(lambda n_in, n_out: 1.0 / n_in, normal=False),
    "glorot-normal": _scaled(lambda n_in, n_out: 2.0 / (n_in + n_out), normal=True),
    "glorot-uniform": _scaled(lambda n_in, n_out: 2.0 / (n_in + n_out), normal=False),
    "he-normal": _scaled(lambda n_in, n_out: 2.0 / n_in, normal=True),
    "he-uniform": _scaled(lambda n_in, n_out: 2.0 / n_in, normal=False),
    "orthogonal": _orthogonal,
    "torch": _torch,
}
"""``normal`` is what ``lmlp train`` draws: N(0, 1/n_in), biases 0."""


@dataclass(frozen=True)
class Architecture:
    """Hidden layers of a network with one output.

    Attributes:
        hidden: sizes of the hidden layers.
        activation: a name of ``ACTIVATION_NAMES`` or ``FURTHER_ACTIVATIONS``, or any function of a tensor;
            its output counts as post-activation.
        initialization: a name of ``INITIALIZATIONS``, or a function (n_in, n_out, generator) ->
            (weights ``[n_in, n_out]``, biases ``[n_out]``) in float64.
    """

    hidden: tuple[int, ...]
    activation: str | Activation = "bounded-ssilu"
    initialization: str | Initialization = "normal"

    def __post_init__(self) -> None:
        """Check sizes and names."""
        if not self.hidden or any(n < 1 for n in self.hidden):
            raise InvalidArgumentError(f"hidden layers {list(self.hidden)}: give sizes of at least 1")
        known = dict.fromkeys([*ACTIVATION_NAMES, *FURTHER_ACTIVATIONS])
        _check_name("activation", self.activation, known)
        _check_name("initialization", self.initialization, INITIALIZATIONS)

    def activation_function(self, layer: int) -> Activation:
        """Return the activation of a hidden layer, the first is 0, as a function."""
        if not isinstance(self.activation, str):
            return self.activation
        if self.activation in ACTIVATION_NAMES:
            return layer_activation(self.activation, layer)
        return FURTHER_ACTIVATIONS[self.activation]

    @property
    def label(self) -> str:
        """Sizes with the activation, e.g. ``64-64 stanh``."""
        return f"{'-'.join(map(str, self.hidden))} {name_of(self.activation)}"

    def n_parameters(self, n_inputs: int) -> int:
        """Weights and biases of one network."""
        sizes = [n_inputs, *self.hidden, 1]
        return sum((a + 1) * b for a, b in itertools.pairwise(sizes))

    def draw(self, n_inputs: int, seed: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
        """Draw weights ``[in, out]`` and biases ``[out]`` of all layers, the last has one output.

        A layer's weights depend on the seed, its number and its sizes only: networks that differ in a later
        layer share the earlier ones.
        """
        given = self.initialization
        initialize = INITIALIZATIONS[given] if isinstance(given, str) else given
        sizes = [n_inputs, *self.hidden, 1]
        return [
            initialize(n_in, n_out, generator(*seed, layer))
            for layer, (n_in, n_out) in enumerate(itertools.pairwise(sizes))
        ]

    def layers(
        self, inputs: Tensor, parameters: list[tuple[Tensor, Tensor]]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield pre- and post-activation ``[n, units]`` of each hidden layer for inputs ``[n, n_inputs]``."""
        x = inputs
        for layer, (weight, bias) in enumerate(parameters[:-1]):
            pre = x @ weight + bias
            x = self.activation_function(layer)(pre)
            yield pre, x

    def output(self, inputs: Tensor, parameters: list[tuple[Tensor, Tensor]]) -> Tensor:
        """Compute the network's outputs ``[n]``."""
        x = inputs
        for _, post in self.layers(inputs, parameters):
            x = post
        weight, bias = parameters[-1]
        return (x @ weight + bias).squeeze(-1)


def generator(*seed: int) -> torch.Generator:
    """Return a random generator that differs for every tuple of integers."""
    mixed = 0
    for part in seed:
        mixed = (mixed * 1_000_003 + part + 1) % (2**63 - 25)
    return torch.Generator().manual_seed(mixed)


def name_of(choice: str | Callable[..., Any]) -> str:
    """Return the name of an activation or initialization."""
    return choice if isinstance(choice, str) else str(getattr(choice, "__name__", type(choice).__name__))


def _check_name(what: str, given: object, known: Mapping[str, Any]) -> None:
    if isinstance(given, str) and given not in known:
        raise InvalidArgumentError(f"{what} {given!r}: choose one of {', '.join(known)}")
