"""Rebuild a potential from the plain state of a checkpoint, and the other way round."""

from __future__ import annotations

import json
from typing import Any

import torch
from torch import Tensor

from lmlp.descriptor.compute import Descriptor
from lmlp.model.distance import FeatureDistance
from lmlp.model.distance_fit import TrainedDistance
from lmlp.model.network import EnsembleNetwork
from lmlp.model.potential import EnsemblePotential, load_parameters
from lmlp.model.scaling import InputMap


def potential_state(potential: EnsemblePotential) -> dict[str, Any]:
    """Return what does not change during training."""
    return {
        "elements": potential.elements,
        "descriptor": json.dumps(potential.descriptor.spec),
        "layer_sizes": [int(n) for n in potential.network.layer_sizes[:-1]],
        "activation": potential.network.activation,
        "n_members": potential.n_members,
        "dtype": str(potential.dtype).removeprefix("torch."),
        "atomic_energies": torch.from_numpy(potential.atomic_energies),
        "input_scale": torch.from_numpy(potential.input_map.scale),
        "input_shift": torch.from_numpy(potential.input_map.shift),
        "input_matrix": torch.from_numpy(potential.input_map.matrix),
    }


def potential_from_state(state: dict[str, Any], weights: str) -> EnsemblePotential:
    """Build the potential; ``weights`` is one of ``parameters``, ``average``, ``best``."""
    network = EnsembleNetwork(
        len(state["elements"]),
        state["n_members"],
        state["layer_sizes"],
        activation=state["activation"],
        dtype=getattr(torch, state["dtype"]),
    )
    values: list[Tensor] = state[weights]
    load_parameters(network, values)
    arrays = (state[key].numpy() for key in ("input_scale", "input_shift", "input_matrix"))
    return EnsemblePotential(
        Descriptor(json.loads(state["descriptor"]), state["elements"]),
        InputMap(*arrays),
        network,
        state["atomic_energies"].numpy(),
    )


def distance_state(trained: TrainedDistance) -> dict[str, Tensor]:
    """Return what a checkpoint keeps of a distance."""
    d = trained.distance
    arrays = {"shift": d.shift, "scale": d.scale, "axes": d.axes, "atoms": trained.atoms}
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def trained_distance(saved: dict[str, Tensor] | None) -> TrainedDistance | None:
    """Return the distance of :func:`distance_state`; None for none."""
    if saved is None:
        return None
    shift, scale, axes, atoms = (saved[name].numpy() for name in ("shift", "scale", "axes", "atoms"))
    return TrainedDistance(FeatureDistance(shift, scale, axes), atoms)
