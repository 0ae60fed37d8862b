"""Last-layer Laplace (prediction rigidities): the covariance of the last layers from training data.

H = Σ q² g_E g_Eᵀ/N² + Σ g_F g_Fᵀ/(3N) over training structures, with gradients g of energies and forces by
the weights of the last layers of one network (biases aside); s² = gᵀ (H + λ)⁻¹ g, exactly, not by samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from lmlp.dataset.predict import predictions
from lmlp.model.potential import EnsemblePotential, pair_forces
from lmlp.training.plan import Plan
from prediction import Structures, potential_of
from torch import Tensor

Gradients = tuple[np.ndarray, np.ndarray, np.ndarray]
"""By the last layers' weights: of energies ``[n, p]`` in 1, of forces ``[n_atoms, 3, p]``; structures
``[n_atoms]``."""


def unit_members(plan: Plan, weights: Sequence[Tensor], member: int) -> EnsemblePotential:
    """Make an ensemble of as many members as last hidden units: each one's energy is its unit's output."""
    n_layers = plan.potential.network.n_layers
    n_elements = plan.potential.network.n_elements
    width = plan.potential.network.layer_sizes[-2]
    mine = [w[member : member + 1].expand(width, *w.shape[1:]).clone() for w in weights]
    first = 2 * n_elements  # scales and shifts come before weights and biases
    for e in range(n_elements):
        last = (e + 1) * n_layers - 1
        mine[first + last] = torch.eye(width, dtype=mine[0].dtype)[:, :, None]
        mine[first + n_elements * n_layers + last] *= 0.0
    return potential_of(plan, mine)


def gradients(units: EnsemblePotential, of: Structures) -> Iterator[Gradients]:
    """Yield gradients of some structures at a time, atoms in the order of the data set."""
    done = 0
    n_elements = units.network.n_elements
    for found, batch, _ in predictions(units, of.store, of.references, of.ids):
        assert found.pair_gradients is not None
        n = batch.n_structures
        bounds = np.array(batch.element_slots)
        element = np.repeat(np.arange(n_elements), np.diff(bounds))
        of_pair = torch.from_numpy(element)[batch.centers]
        pairs = found.pair_gradients.detach()
        forces = [pair_forces(pairs * (of_pair == e)[:, None], batch) for e in range(n_elements)]
        # [n_elements, width, n_slots, 3] -> [n_slots, 3, p]
        by_slot = torch.stack(forces).flatten(0, 1).permute(1, 2, 0).double().numpy()
        ids = of.ids[done : done + n]
        order = np.argsort(Structures(of.store, of.references, ids).species, kind="stable")
        by_atom = np.empty_like(by_slot)
        by_atom[order] = by_slot
        energies = _energies(units, batch, n_elements)
        n_atoms = of.store.dataset.n_atoms[ids]
        yield energies, by_atom, np.repeat(np.arange(done, done + n), n_atoms)
        done += n


def _energies(units: EnsemblePotential, batch: object, n_elements: int) -> np.ndarray:
    """Sum each unit's outputs over the atoms of each element and structure ``[n, p]``."""
    bounds, structure, n = batch.element_slots, batch.structure, batch.n_structures
    parts = []
    with torch.no_grad():
        for e in range(n_elements):
            rows = batch.inputs[bounds[e] : bounds[e + 1]]
            outputs = units.network.element_energies(e, rows.expand(units.n_members, *rows.shape))
            total = outputs.new_zeros(n, units.n_members)
            parts.append(total.index_add(0, structure[bounds[e] : bounds[e + 1]], outputs.T))
    return torch.cat(parts, dim=1).double().numpy()


class LastLayer:
    """Covariance of the last layers of one member.

    Args:
        plan: of the training.
        weights: of the ensemble.
        member: which of its members.
        training: structures that it was trained on.
    """

    def __init__(self, plan: Plan, weights: Sequence[Tensor], member: int, training: Structures) -> None:
        self.units = unit_members(plan, weights, member)
        q = plan.config.loss.energy
        p = self.units.n_members * self.units.network.n_elements
        self.hessian = np.zeros((p, p))
        for energies, forces, structure in gradients(self.units, training):
            first = structure[0]
            n_atoms = np.bincount(structure - first)
            scaled = forces / np.sqrt(3.0 * n_atoms[structure - first])[:, None, None]
            flat = scaled.reshape(-1, p)
            per_atom = q * energies / n_atoms[:, None]
            self.hessian += flat.T @ flat + per_atom.T @ per_atom

    def spreads(self, of: Structures, ridges: Sequence[float]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return s of energies per atom ``[n]`` and of forces ``[n_atoms]`` for each λ, up to a factor.

        Args:
            of: structures.
            ridges: λ in mean diagonal elements of H.
        """
        p = len(self.hessian)
        unit = np.trace(self.hessian) / p * np.eye(p)
        roots = [np.linalg.inv(np.linalg.cholesky(self.hessian + r * unit)).T for r in ridges]
        parts: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in ridges]
        for energies, forces, structure in gradients(self.units, of):
            n_atoms = np.bincount(structure - structure[0])
            for root, found in zip(roots, parts, strict=True):
                energy = np.linalg.norm(energies @ root, axis=1) / n_atoms
                found.append((energy, np.sqrt(((forces @ root) ** 2).sum(axis=(1, 2)))))
        return [(np.concatenate([e for e, _ in f]), np.concatenate([s for _, s in f])) for f in parts]
