"""From a finished model to one that can go on learning, without changing what it says."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from lmlp.descriptor.compute import Descriptor
from lmlp.descriptor.spec import element_weights
from lmlp.elements import atomic_number, symbol
from lmlp.errors import UnknownElementError
from lmlp.export.header import header_of, model_data, parse_header, weight_arrays
from lmlp.model.data import ModelData
from lmlp.model.network import EnsembleNetwork
from lmlp.model.potential import EnsemblePotential
from lmlp.model.scaling import FLOOR, FeatureMoments, InputMap, standardization


def extended_elements(model: ModelData, numbers: Sequence[int]) -> list[int]:
    """Return the atomic numbers of the model followed by new ones.

    Raises:
        UnknownElementError: the model's descriptor cannot carry a new element: element mode, a table that
            ends before it, or functions that cannot tell it from another element.
    """
    old = [atomic_number(e) for e in model.elements]
    new = [z for z in sorted(set(numbers)) if z not in old]
    if not new:
        return old
    names = ", ".join(map(symbol, new))
    if model.descriptor.get("type") == "ACSF":
        raise UnknownElementError(
            f"{names}: the model's symmetry functions are of element mode, one set per neighbor element "
            f"({', '.join(model.elements)}); it cannot learn new ones. Train one with element weights: "
            "lmlp train --open-elements"
        )
    elements = [*model.elements, *map(symbol, new)]
    try:
        Descriptor(model.descriptor, elements)
    except UnknownElementError as error:
        raise UnknownElementError(
            f"{names}: the model's element table {model.descriptor.get('table')} does not reach so far, and "
            f"a model keeps its table for life ({error}); train one with the table h-og "
            "(lmlp train --open-elements)"
        ) from None
    twins = _indistinguishable(model, elements)
    if twins:
        raise UnknownElementError(
            f"{names}: the model's symmetry functions see no difference between "
            + " and ".join(twins)
            + ". Functions that were of no use for the first elements have been left out of it; train the "
            "first model with lmlp train --open-elements"
        )
    return old + new


def _indistinguishable(model: ModelData, elements: list[str]) -> list[str]:
    """Find a new element whose weights as a neighbor are those of another element in all functions."""
    rows = element_weights(model.descriptor, elements)
    kinds = [f["kind"] for f in model.descriptor["functions"]]
    radial = np.array([row for row, kind in zip(rows, kinds, strict=True) if kind == "radial"])
    for later in range(len(model.elements), len(elements)):
        for other in range(later):
            if len(radial) and np.array_equal(radial[:, later], radial[:, other]):
                return [elements[other], elements[later]]
    return []


def continued_map(
    model: ModelData, moments: FeatureMoments, epsilon: float | None, floor: float = FLOOR
) -> InputMap:
    """Return an invertible input map: the model's standardization, and decorrelation by present data.

    For elements of the model scale and shift stay those of its first member; a new element gets its own.
    The matrix is (Λ + ε)^(−1/2) Uᵀ with all directions, so that first layers can be carried over exactly.

    Args:
        model: what goes on learning; its elements are the first of ``moments``.
        moments: of the features of earlier and new data.
        epsilon: ε; None keeps the axes as they are.
        floor: of σ, of the median, for new elements.
    """
    scale, shift, _ = standardization(moments, floor)
    n_old = len(model.elements)
    scale[:n_old], shift[:n_old] = model.scale[0], model.shift[0]
    n_elements, n_features = scale.shape
    matrix = np.tile(np.eye(n_features), (n_elements, 1, 1))
    if epsilon is not None:
        for e in range(n_elements):
            scatter = moments.scatter[e] / max(moments.count[e], 1.0)
            value, vector = np.linalg.eigh(scatter * np.outer(scale[e], scale[e]))
            value = np.maximum(value[::-1], 0.0)
            matrix[e] = vector[:, ::-1].T / np.sqrt(value + epsilon)[:, None]
    return InputMap(scale, shift, matrix)


@dataclasses.dataclass(frozen=True)
class Options:
    """Of new networks: seed, precision, factor on the first weights of the last layer."""

    seed: int = 0
    dtype: torch.dtype = torch.float32
    output_scale: float = 0.1


def continued_potential(
    model: ModelData, numbers: Sequence[int], energies: np.ndarray, input_map: InputMap, options: Options
) -> EnsemblePotential:
    """Build a trainable potential that says what ``model`` says; new elements get new networks.

    Args:
        model: what goes on learning.
        numbers: atomic numbers, those of the model first.
        energies: E_atom in eV by species.
        input_map: from :func:`continued_map`.
        options: of the new networks.
    """
    network = EnsembleNetwork(
        len(numbers),
        model.n_members,
        [input_map.n_inputs, *model.hidden_layers],
        activation=model.activation,
        seed=options.seed,
        dtype=options.dtype,
    )
    network.scale_output(options.output_scale)
    with torch.no_grad():
        for e in range(len(model.elements)):
            for layer in range(network.n_layers):
                weight, bias = model.weights[layer][:, e], model.biases[layer][:, e]
                if layer == 0:
                    weight, bias = _first_layer(model, e, input_map)
                place = e * network.n_layers + layer
                network.weights[place].copy_(torch.from_numpy(np.swapaxes(weight, 1, 2).copy()))
                network.biases[place].copy_(torch.from_numpy(bias[:, None].copy()))
    elements = [symbol(z) for z in numbers]
    return EnsemblePotential(Descriptor(model.descriptor, elements), input_map, network, energies)


def _first_layer(model: ModelData, e: int, input_map: InputMap) -> tuple[np.ndarray, np.ndarray]:
    """Express a first layer in the map's inputs: W x0 + c with x0 = s_m ∘ (G − b_m), G = A⁻¹x / s + b."""
    weight = model.weights[0][:, e] * model.scale[:, e, None, :]
    offset = input_map.shift[e] - model.shift[:, e]
    bias = model.biases[0][:, e] + np.einsum("mof,mf->mo", weight, offset)
    inverse = np.linalg.inv(input_map.matrix[e])
    return np.einsum("mof,fk->mok", weight / input_map.scale[e], inverse), bias


def keep_networks(learned: ModelData, base: ModelData, species: Sequence[int]) -> ModelData:
    """Return ``learned`` with the networks of some species as the base model has them, bit by bit."""
    kept = list(species)

    def joined(new: np.ndarray, old: np.ndarray) -> np.ndarray:
        result: np.ndarray = new.copy()
        result[:, kept] = old[:, kept]
        return result

    return dataclasses.replace(
        learned,
        scale=joined(learned.scale, base.scale),
        shift=joined(learned.shift, base.shift),
        weights=[joined(a, b) for a, b in zip(learned.weights, base.weights, strict=True)],
        biases=[joined(a, b) for a, b in zip(learned.biases, base.biases, strict=True)],
    )


def pack_model(model: ModelData) -> dict[str, Any]:
    """Return a model as text and tensors, for a checkpoint."""
    arrays = {name: torch.from_numpy(array.copy()) for name, array in weight_arrays(model).items()}
    return {"header": json.dumps(header_of(model, "")), "arrays": arrays}


def unpack_model(packed: dict[str, Any]) -> ModelData:
    """Return the model of :func:`pack_model`, of this or an older format version."""
    arrays = {name: tensor.numpy() for name, tensor in packed["arrays"].items()}
    return model_data(parse_header(packed["header"].encode()), arrays)


def equal_models(a: ModelData, b: ModelData) -> bool:
    """Tell whether two models are the same, bit by bit."""
    one, other = pack_model(a), pack_model(b)
    if one["header"] != other["header"] or one["arrays"].keys() != other["arrays"].keys():
        return False
    return all(torch.equal(tensor, other["arrays"][name]) for name, tensor in one["arrays"].items())


def freeze_networks(potential: EnsemblePotential, species: Sequence[int]) -> None:
    """Keep the networks of some species as they are."""
    network = potential.network
    for e in species:
        own = slice(e * network.n_layers, (e + 1) * network.n_layers)
        for p in [network.scales[e], network.shifts[e], *network.weights[own], *network.biases[own]]:
            p.requires_grad_(False)


def joined_limits(base: ModelData, moments: FeatureMoments) -> tuple[torch.Tensor, torch.Tensor]:
    """Join the feature ranges of the model and of the data; an element in neither has an empty one."""
    low, high = moments.minimum.copy(), moments.maximum.copy()
    n = len(base.elements)
    if base.feature_min is not None and base.feature_max is not None:
        low[:n], high[:n] = np.minimum(low[:n], base.feature_min), np.maximum(high[:n], base.feature_max)
    missing = ~np.isfinite(low)
    low[:n][missing[:n]] = high[:n][missing[:n]] = base.shift[0][missing[:n]]
    return torch.from_numpy(low), torch.from_numpy(high)
