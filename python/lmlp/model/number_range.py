"""Whether the networks of a model could overflow on the way to their results."""

from __future__ import annotations

import numpy as np

from lmlp.model.data import ModelData
from lmlp.model.network import ACTIVATIONS

LARGEST_FEATURE = {"double": 1e9, "single": 1e5}
"""Symmetry functions are mostly of order 1; single precision has less room to spare."""

LARGEST = {"double": 1e250, "single": 1e36}
"""Of all numbers on the way: room is left for sums over members and products with derivatives of features."""

STEEPEST = 1.9
"""Above the slope of every activation function."""


def find_overflowing(data: ModelData, precision: str = "double") -> list[bool]:
    """Tell for each element whether a number between features and gradients could pass ``LARGEST``.

    Decided from sums of absolute values: nothing depends on the order in which a library adds, or on what it
    makes of 0 times infinity. The core decides by the same formulas (csrc/src/model/network_range.cpp), so
    that all engines refuse the same elements.

    Args:
        data: the model.
        precision: ``double`` or ``single``, of the networks.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        bounds = [_input_bounds(data, LARGEST_FEATURE[precision])]
        for layer, (weight, bias) in enumerate(zip(data.weights, data.biases, strict=True)):
            x = bounds[-1] if layer == 0 else _activation_bounds(data.activation, bounds[-1])
            bounds.append(np.einsum("merk,mek->mer", np.abs(weight), x) + np.abs(bias))
        error = np.ones_like(bounds[-1])
        for weight in reversed(data.weights):
            error = np.einsum("merk,mer->mek", np.abs(weight), error)
            bounds.append(error)
            error = STEEPEST * error
        bounds.append(error * np.abs(data.scale))
        # not `>`: a NaN counts as too large
        fits = [(bound <= LARGEST[precision]).all(axis=(0, 2)) for bound in bounds]
    return [not bool(good) for good in np.all(fits, axis=0)]


def _input_bounds(data: ModelData, feature: float) -> np.ndarray:
    """Bound the inputs of the first layers; 3 since engines may subtract another member's shift first."""
    return np.asarray((feature + 3.0 * np.abs(data.shift)) * np.abs(data.scale))


def _activation_bounds(activation: str, x: np.ndarray) -> np.ndarray:
    return np.full_like(x, 1.6) if ACTIVATIONS[activation].bounded else 1.7 * x
