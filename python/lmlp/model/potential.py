"""A trainable potential: compiled descriptor, fixed input map, ensemble of networks, atomic energies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from lmlp.descriptor.autograd import pair_gradients
from lmlp.descriptor.compute import Descriptor
from lmlp.environments import Environments
from lmlp.model.data import ModelData
from lmlp.model.derivatives import StoredDerivatives
from lmlp.model.network import EnsembleNetwork
from lmlp.model.scaling import InputMap


@dataclass(frozen=True)
class Batch:
    """Several structures as one list of atoms ("slots"), sorted by element, then member, then structure.

    Each element's slots hold the same number of atoms of every member; empty slots pad the shorter
    members, have no neighbors and belong to structure ``n_structures``. With ``shared``, all members see
    all structures, the slots are listed once and results get the members as first axis.

    Attributes:
        environments: pair list over the slots.
        neighbor_species: int32 ``[n_pairs]``.
        inputs: network inputs ``[n_slots, n_inputs]``.
        element_slots: first slot of each element, and the end ``[n_elements + 1]``.
        structure: structure of each slot, int64 ``[n_slots]``.
        n_atoms: atoms per structure ``[n_structures]``.
        shared: all members evaluate all structures.
        stored: derivatives that make the pair list needless (it is empty then); not for shared batches.
    """

    environments: Environments
    neighbor_species: np.ndarray
    inputs: Tensor
    element_slots: list[int]
    structure: Tensor
    n_atoms: Tensor
    shared: bool = False
    stored: StoredDerivatives | None = None
    centers: Tensor = field(init=False)
    neighbors: Tensor = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "centers", torch.from_numpy(self.environments.centers))
        object.__setattr__(self, "neighbors", torch.from_numpy(self.environments.neighbors))

    @property
    def n_structures(self) -> int:
        """Number of structures."""
        return len(self.n_atoms)


@dataclass(frozen=True)
class BatchPrediction:
    """What a potential says of a batch, without the atomic energies; members first if the batch is shared.

    Attributes:
        energies: eV ``[n_structures]``.
        forces: eV/Å per slot ``[n_slots, 3]``, or None.
        pair_gradients: dE/dr_ij in eV/Å ``[n_pairs, 3]``, or None.
        virials: Σ r_ij ⊗ g_ij in eV ``[n_structures, 3, 3]``, where stored derivatives give it without the
            pairs.
    """

    energies: Tensor
    forces: Tensor | None = None
    pair_gradients: Tensor | None = None
    virials: Tensor | None = None


class EnsemblePotential:
    """Descriptor, input map, networks and atomic energies of one model.

    Args:
        descriptor: the compiled descriptor.
        input_map: fixed map from features to network inputs.
        network: the ensemble.
        atomic_energies: E_atom in eV, float64 ``[n_elements]``.
    """

    def __init__(
        self,
        descriptor: Descriptor,
        input_map: InputMap,
        network: EnsembleNetwork,
        atomic_energies: np.ndarray,
    ) -> None:
        self.descriptor = descriptor
        self.input_map = input_map
        self.network = network
        self.atomic_energies = np.asarray(atomic_energies, dtype=np.float64)
        self.dtype = network.weights[0].dtype
        self._linear = torch.from_numpy(input_map.linear).to(self.dtype)

    @property
    def elements(self) -> list[str]:
        """Chemical symbols in species order."""
        return list(self.descriptor.elements)

    @property
    def n_members(self) -> int:
        """Number of ensemble members."""
        return self.network.n_members

    def predict(self, batch: Batch, *, forces: bool = True, differentiable: bool = False) -> BatchPrediction:
        """Compute energies and forces.

        Args:
            batch: the structures.
            forces: compute forces and pair gradients, too.
            differentiable: keep the graph, so that a loss of energies and forces has gradients by the
                weights.
        """
        with torch.set_grad_enabled(forces or differentiable):
            return self._predict(batch, forces, differentiable)

    def _predict(self, batch: Batch, forces: bool, differentiable: bool) -> BatchPrediction:
        inputs = self._network_inputs(batch, requires_grad=forces)
        atomic = self.network(inputs)
        energies = _sum_by(torch.cat([_slots(e, batch) for e in atomic], dim=-1), batch)
        if not forces:
            return BatchPrediction(energies)
        total = torch.stack([e.sum() for e in atomic]).sum()
        gradients = torch.autograd.grad(total, inputs, create_graph=differentiable)
        energies = energies if differentiable else energies.detach()
        if batch.stored is not None:
            rows = torch.cat([_slot_rows(gradient, batch) for gradient in gradients])
            found, virials = batch.stored.forces(rows)
            return BatchPrediction(energies, found, virials=virials)
        by_feature = [
            _slot_rows(gradient @ linear, batch)
            for gradient, linear in zip(gradients, self._linear, strict=True)
        ]
        pairs = pair_gradients(
            self.descriptor, batch.environments, batch.neighbor_species, torch.cat(by_feature, dim=-2)
        )
        return BatchPrediction(energies, pair_forces(pairs, batch), pairs)

    def _network_inputs(self, batch: Batch, *, requires_grad: bool) -> list[Tensor]:
        """Return each element's inputs ``[n_members, n_e, n_inputs]``."""
        result = []
        for start, end in zip(batch.element_slots[:-1], batch.element_slots[1:], strict=True):
            rows = batch.inputs[start:end]
            if batch.shared:
                x = rows.expand(self.n_members, *rows.shape)
            else:
                x = rows.view(self.n_members, -1, rows.shape[1])
            result.append(x.detach().requires_grad_(requires_grad))
        return result

    def to_model_data(self, **more: Any) -> ModelData:
        """Fold the input map into the first layer and return the model as plain float64 data.

        x0 = scale ∘ (G − shift) keeps the standardization; W_1 becomes W_1·diag(w)·A, c_1 loses W_1·(w ∘
        b), with w, b of the trained scale/shift layer behind the map A.
        """
        net = self.network
        members = (net.n_members, 1, 1)
        weights: list[np.ndarray] = []
        biases: list[np.ndarray] = []
        for layer in range(net.n_layers):
            w = np.stack(
                [_numpy(net.weights[e * net.n_layers + layer]) for e in range(net.n_elements)], axis=1
            )
            c = np.stack(
                [_numpy(net.biases[e * net.n_layers + layer])[:, 0] for e in range(net.n_elements)], 1
            )
            if layer == 0:
                scale = np.stack([_numpy(s)[:, 0] for s in net.scales], axis=1)
                shift = np.stack([_numpy(s)[:, 0] for s in net.shifts], axis=1)
                w = scale[..., None] * w
                c = c - np.einsum("mek,meko->meo", shift, w)
                w = np.einsum("meko,ekf->mefo", w, self.input_map.matrix)
            weights.append(np.ascontiguousarray(np.swapaxes(w, -1, -2)))
            biases.append(c)
        return ModelData(
            elements=self.elements,
            descriptor=self.descriptor.spec,
            hidden_layers=[int(n) for n in net.layer_sizes[1:-1]],
            activation=net.activation,
            scale=np.tile(self.input_map.scale, members),
            shift=np.tile(self.input_map.shift, members),
            weights=weights,
            biases=biases,
            **{"atomic_energies": self.atomic_energies.copy(), **more},
        )


def pair_forces(pairs: Tensor, batch: Batch) -> Tensor:
    """Sum pair gradients to forces F_i = Σ_j g_ij − Σ_k g_ki ``[…, n_slots, 3]``."""
    forces = pairs.new_zeros(*pairs.shape[:-2], len(batch.structure), 3)
    return forces.index_add(-2, batch.centers, pairs).index_add(-2, batch.neighbors, pairs, alpha=-1)


def pair_stress(pairs: Tensor, batch: Batch, volumes: Tensor) -> Tensor:
    """Sum pair gradients to the stress (1/V) Σ r_ij ⊗ g_ij in eV/Å³ ``[…, n_structures, 3, 3]``."""
    vectors = torch.from_numpy(batch.environments.vectors).to(pairs.dtype)
    outer = (vectors[:, :, None] * pairs[..., None, :]).flatten(-2)
    total = pairs.new_zeros(*pairs.shape[:-2], batch.n_structures, 9)
    total = total.index_add(-2, batch.structure[batch.centers], outer)
    total = cast(Tensor, total.unflatten(-1, (3, 3))) / volumes[:, None, None]
    return (total + total.transpose(-1, -2)) / 2


def predicted_stress(prediction: BatchPrediction, batch: Batch, volumes: Tensor) -> Tensor | None:
    """Return the stress in eV/Å³ ``[…, n_structures, 3, 3]``, None if no forces were asked for."""
    if prediction.virials is not None:
        return prediction.virials / volumes[:, None, None]
    if prediction.pair_gradients is None:
        return None
    return pair_stress(prediction.pair_gradients, batch, volumes)


def _slots(atomic: Tensor, batch: Batch) -> Tensor:
    return atomic if batch.shared else atomic.reshape(-1)


def _slot_rows(rows: Tensor, batch: Batch) -> Tensor:
    return rows if batch.shared else rows.reshape(-1, rows.shape[-1])


def _sum_by(atomic: Tensor, batch: Batch) -> Tensor:
    """Sum over each structure's slots; the padding's sum is cut off."""
    total = atomic.new_zeros(*atomic.shape[:-1], batch.n_structures + 1)
    return total.index_add(-1, batch.structure, atomic)[..., :-1]


def _numpy(tensor: Tensor) -> np.ndarray:
    return np.asarray(tensor.detach().to(torch.float64).numpy())


def load_parameters(network: EnsembleNetwork, values: Sequence[Tensor]) -> None:
    """Copy values into the network's parameters, in their order."""
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), values, strict=True):
            parameter.copy_(value)
