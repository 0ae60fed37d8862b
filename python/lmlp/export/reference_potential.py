"""The whole potential written out plainly, one center and member at a time: oracle of every other path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor

from lmlp.descriptor.reference import ReferenceDescriptor
from lmlp.elements import atomic_number
from lmlp.environments import Environments
from lmlp.errors import NotFiniteError
from lmlp.model.baseline import pair_name
from lmlp.model.data import ModelData
from lmlp.model.network import layer_activation
from lmlp.model.number_range import find_overflowing
from lmlp.units import BOHR, HARTREE


@dataclass(frozen=True)
class MemberResults:
    """What every member says about a structure.

    Attributes:
        energies: atomic energies in eV, E_atom included, float64 ``[n_members, n_atoms]``.
        pair_gradients: dE/dr_ij in eV/Å, float64 ``[n_members, n_pairs, 3]``.
        distances: from the training data, float64 ``[n_atoms]``; None of a model without.
    """

    energies: np.ndarray
    pair_gradients: np.ndarray
    distances: np.ndarray | None = None


def feature_distance(data: ModelData, element: int, features: Tensor) -> float:
    """Evaluate how far one atom is from the training data, from its features ``[n_features]``."""
    distance = data.feature_distance
    assert distance is not None
    y = (features.detach().numpy() - distance.shift[element]) * distance.scale[element]
    square = float(y @ y) - sum(float(axis @ y) ** 2 for axis in distance.axes[element])
    return float(np.sqrt(max(square, 0.0)))


def network_energy(data: ModelData, member: int, element: int, features: Tensor) -> Tensor:
    """Evaluate one network on the features of one atom ``[n_features]``; without E_atom, eV."""
    x = torch.from_numpy(data.scale[member, element]) * (
        features - torch.from_numpy(data.shift[member, element])
    )
    last = len(data.weights) - 1
    for l, (weight, bias) in enumerate(zip(data.weights, data.biases, strict=True)):  # noqa: E741
        x = torch.from_numpy(weight[member, element]) @ x + torch.from_numpy(bias[member, element])
        if l < last:
            x = layer_activation(data.activation, l, exported=True)(x)
    return x[0]


def screened_repulsion(z_a: int, z_b: int, r: Tensor) -> Tensor:
    """Evaluate the universal screened Coulomb energy of two nuclei at r (Å) in eV."""
    x = r * float(z_a**0.23 + z_b**0.23) / 0.4685
    phi = (
        0.18175 * (-3.19980 * x).exp()
        + 0.50986 * (-0.94229 * x).exp()
        + 0.28022 * (-0.40290 * x).exp()
        + 0.02817 * (-0.20162 * x).exp()
    )
    return HARTREE * BOHR * z_a * z_b * phi / r


def baseline_energy(data: ModelData, a: int, b: int, r: Tensor) -> Tensor:
    """Evaluate the baseline of one pair of species at the distance r (Å) in eV.

    The switching is found by differentiating the energy at the outer radius automatically.
    """
    if data.baseline is None:
        return torch.zeros_like(r)
    first, second = data.elements[min(a, b)], data.elements[max(a, b)]
    inner, outer = data.baseline["pairs"][pair_name(first, second)]
    if r.item() >= outer:
        return torch.zeros_like(r)
    z_a, z_b = atomic_number(first), atomic_number(second)
    end = torch.tensor(outer, dtype=torch.float64, requires_grad=True)
    e0 = screened_repulsion(z_a, z_b, end)
    (e1,) = torch.autograd.grad(e0, end, create_graph=True)
    (e2,) = torch.autograd.grad(e1, end)
    e0, e1, width = e0.detach(), e1.detach(), outer - inner
    cubic = (-3.0 * e1 + width * e2) / width**2
    quartic = (2.0 * e1 - width * e2) / width**3
    energy: Tensor = screened_repulsion(z_a, z_b, r) - e0 + width * e1 / 2.0 - width**2 * e2 / 12.0
    if r.item() > inner:
        energy = energy + cubic / 3.0 * (r - inner) ** 3 + quartic / 4.0 * (r - inner) ** 4
    return energy


def free_atom_energy(data: ModelData, member: int, element: int, vectors: Tensor) -> Tensor:
    """Evaluate what free atoms add to a member's energy of an atom with neighbors at ``vectors``, in eV."""
    entry = (data.free_atoms or {}).get(data.elements[element])
    if entry is None:
        return torch.zeros((), dtype=torch.float64)
    squares = (vectors**2).sum(1) / float(data.descriptor["cutoff"]) ** 2
    filling = ((1.0 - squares[squares < 1.0]) ** 3).sum() / entry["density"]
    nothing = torch.zeros(data.n_features, dtype=torch.float64)
    alone = data.atomic_energies[element] + network_energy(data, member, element, nothing)
    return cast(Tensor, (entry["energy"] - alone) * (1.0 - filling.clamp(max=1.0)) ** 3)


def reference_results(data: ModelData, environments: Environments, species: np.ndarray) -> MemberResults:
    """Evaluate every member with the reference descriptor and automatic differentiation.

    Args:
        data: the model.
        environments: full pair list of all atoms.
        species: species of every atom ``[n_atoms]``.

    Raises:
        NotFiniteError: an element whose networks could overflow, or results that are no numbers.
    """
    descriptor = ReferenceDescriptor(data.descriptor, data.elements)
    overflowing = find_overflowing(data)
    energies = np.zeros((data.n_members, environments.n_centers))
    gradients = np.zeros((data.n_members, environments.n_pairs, 3))
    distances = None if data.distance is None else np.zeros(environments.n_centers)
    for i in range(environments.n_centers):
        pairs = slice(environments.offsets[i], environments.offsets[i + 1])
        neighbors = torch.from_numpy(np.asarray(species)[environments.neighbors[pairs]].astype(np.int64))
        vectors = torch.tensor(environments.vectors[pairs], requires_grad=True)
        features = descriptor(1, torch.zeros_like(neighbors), neighbors, vectors)[0]
        element = int(species[i])
        if overflowing[element]:
            raise NotFiniteError(
                f"the energy of center {i} ({data.elements[element]}) is not a finite number: the weights of "
                "the model overflow"
            )
        if distances is not None:
            distances[i] = feature_distance(data, element, features)
        repulsion = torch.zeros((), dtype=torch.float64)
        if data.baseline is not None:
            for vector, neighbor in zip(vectors, neighbors.tolist(), strict=True):
                repulsion = repulsion + baseline_energy(data, element, neighbor, vector.norm()) / 2.0
        for m in range(data.n_members):
            energy = network_energy(data, m, element, features) + repulsion
            energy = energy + free_atom_energy(data, m, element, vectors)
            energies[m, i] = energy.item() + data.atomic_energies[element]
            if len(neighbors):
                gradients[m, pairs] = torch.autograd.grad(energy, vectors, retain_graph=True)[0].numpy()
    if not (np.isfinite(energies).all() and np.isfinite(gradients).all()):
        raise NotFiniteError(
            "an energy or a gradient is not a finite number: the weights of the model overflow"
        )
    return MemberResults(energies, gradients, distances)
