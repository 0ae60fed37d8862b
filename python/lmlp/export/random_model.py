"""Models with random weights of sensible scale, for benchmarks, tests and timing before any training."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from lmlp.descriptor.compute import Descriptor
from lmlp.environments import Environments
from lmlp.errors import InvalidArgumentError
from lmlp.export.random_structure import list_pairs, random_structure
from lmlp.export.torchscript import PotentialModule
from lmlp.model.baseline import make_zbl
from lmlp.model.data import ModelData

# Root mean square force of a random model on its random structure, eV/Å.
TYPICAL_FORCE = 0.3
# Share of a member's weights that is its own: trained members agree with each other to this order.
OWN_SHARE = 0.1


@dataclass(frozen=True)
class RandomModelOptions:
    """What a random model looks like.

    Attributes:
        n_members: number of ensemble members.
        hidden_layers: sizes of the hidden layers.
        activation: one of ``lmlp.model.activations.ACTIVATION_NAMES``.
        seed: equal seeds give equal models.
        energy_rmse: stated test error in eV/atom.
        force_rmse: stated test error in eV/Å.
        n_atoms: size of the random structure that sets the scales.
        atomic_energies: E_atom in eV by element; zero where not given.
        baseline: add a ZBL baseline with the default radii.
    """

    n_members: int = 10
    hidden_layers: tuple[int, ...] = (102, 61, 44)
    activation: str = "stanh"
    seed: int = 1
    energy_rmse: float = 0.005
    force_rmse: float = 0.1
    n_atoms: int = 64
    atomic_energies: dict[str, float] = field(default_factory=dict)
    baseline: bool = False


def random_model(
    descriptor: dict[str, Any], elements: list[str], options: RandomModelOptions | None = None
) -> ModelData:
    """Make a model with random weights.

    Scale and shift are those of a random condensed structure of the elements, so that network inputs are of
    order 1; weights are drawn as for training (variance 1/n_in); the last layer is scaled so that forces on
    that structure are of order ``TYPICAL_FORCE``.

    Args:
        descriptor: the ``descriptor`` block of ``lmlp.json``.
        elements: chemical symbols in species order.
        options: see ``RandomModelOptions``.
    """
    options = options or RandomModelOptions()
    if options.n_members < 1 or not options.hidden_layers or min(options.hidden_layers) < 1:
        raise InvalidArgumentError(
            f"{options.n_members} members and hidden layers {options.hidden_layers}: all must be at least 1"
        )
    rng = np.random.default_rng(options.seed)
    structure = random_structure(elements, max(options.n_atoms, 8 * len(elements)), rng)
    environments = list_pairs(structure, float(descriptor["cutoff"]))
    species = np.arange(len(structure)) % len(elements)
    functions = Descriptor(descriptor, elements)
    features = functions.features(environments, species[environments.neighbors])
    lead = (options.n_members, len(elements), len(descriptor["functions"]))
    groups = [features[species == e] for e in range(len(elements))]
    mean = np.array([group.mean(0) for group in groups])
    deviation = np.array([group.std(0) for group in groups])
    # A function that does not vary has no scale: 1 leaves it as it is.
    scale = 1.0 / np.where(deviation > 1e-8 * np.abs(mean) + 1e-12, deviation, 1.0)
    weights, biases = _random_layers(options, len(elements), lead[2], rng)
    model = ModelData(
        elements=list(elements),
        descriptor=descriptor,
        hidden_layers=list(options.hidden_layers),
        activation=options.activation,
        atomic_energies=np.array([options.atomic_energies.get(e, 0.0) for e in elements], dtype=np.float64),
        scale=np.broadcast_to(scale, lead).copy(),
        shift=np.broadcast_to(mean, lead).copy(),
        weights=weights,
        biases=biases,
        energy_rmse=options.energy_rmse,
        force_rmse=options.force_rmse,
        feature_min=np.array([group.min(0) for group in groups]),
        feature_max=np.array([group.max(0) for group in groups]),
        provenance={"kind": "random weights", "seed": options.seed},
        baseline=make_zbl(elements, float(descriptor["cutoff"])) if options.baseline else None,
    )
    return _with_typical_forces(model, functions, environments, species)


def _random_layers(
    options: RandomModelOptions, n_elements: int, n_features: int, rng: np.random.Generator
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Draw weights of variance 1/n_in that the members share but for ``OWN_SHARE``, and small biases."""
    sizes = [n_features, *options.hidden_layers, 1]
    shared, own = np.sqrt(1.0 - OWN_SHARE**2), OWN_SHARE
    weights, biases = [], []
    for n_in, n_out in pairwise(sizes):
        one, all_members = (1, n_elements, n_out, n_in), (options.n_members, n_elements, n_out, n_in)
        draw = shared * rng.standard_normal(one) + own * rng.standard_normal(all_members)
        weights.append(draw / np.sqrt(n_in))
        biases.append(0.1 * rng.standard_normal(all_members[:3]))
    return weights, biases


def _with_typical_forces(
    model: ModelData, descriptor: Descriptor, environments: Environments, species: np.ndarray
) -> ModelData:
    """Scale the last layer so that the forces on the random structure are typical; they are linear in it."""
    kinds = species[environments.neighbors]
    features = torch.from_numpy(descriptor.features(environments, kinds)).requires_grad_()
    energies = PotentialModule(model)(features, torch.from_numpy(species)).mean(0)
    (slopes,) = torch.autograd.grad(energies.sum(), features)
    gradients = descriptor.backward(environments, kinds, slopes.numpy())
    forces = np.zeros((environments.n_centers, 3))
    np.add.at(forces, environments.centers, gradients)
    np.add.at(forces, environments.neighbors, -gradients)
    typical = float(np.sqrt((forces**2).mean()))
    factor = TYPICAL_FORCE / typical if typical > 0.0 else 1.0
    return replace(
        model,
        weights=[*model.weights[:-1], model.weights[-1] * factor],
        biases=[*model.biases[:-1], model.biases[-1] * factor],
    )
