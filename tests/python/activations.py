"""Activation functions in numpy, written from docs/model-file.md."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def _ssilu(x: np.ndarray) -> np.ndarray:
    return 1.67653 * x * np.exp(-np.logaddexp(0, -x))


# Of the first hidden layer and of the others. A new function of the core has no test before it is here
# (model/test_activations.py).
ACTIVATIONS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]] = {
    "stanh": (lambda x: 1.59223 * np.tanh(x),) * 2,
    "tanh": (np.tanh,) * 2,
    "tanhshrink": (lambda x: x - np.tanh(x),) * 2,
    "ssilu": (_ssilu,) * 2,
    "bounded-ssilu": (lambda x: _ssilu(6 * np.tanh(x / 6)), _ssilu),
}


def numpy_activation(name: str, layer: int, x: np.ndarray) -> np.ndarray:
    """Activation of a hidden layer, the first is 0."""
    return ACTIVATIONS[name][min(layer, 1)](x)
