"""What members say of structures: energies and forces of all of them, atoms in the order of the data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from lmlp.dataset.batches import References
from lmlp.dataset.predict import predictions
from lmlp.dataset.store import Store
from lmlp.model.network import EnsembleNetwork
from lmlp.model.potential import EnsemblePotential, load_parameters
from lmlp.training.plan import Plan
from torch import Tensor

_SEVERAL = 64  # structures whose results are kept at a time


@dataclass(frozen=True)
class Structures:
    """Structures of a data set, and their references.

    Attributes:
        store, references: of the whole data set.
        ids: which of them.
    """

    store: Store
    references: References
    ids: np.ndarray

    @property
    def atoms(self) -> np.ndarray:
        """Their atoms in the data set."""
        first = self.store.dataset.first_atom
        return np.concatenate([np.arange(first[i], first[i + 1]) for i in self.ids])

    @property
    def species(self) -> np.ndarray:
        """Species of each atom ``[n_atoms]``."""
        return self.store.dataset.species[self.atoms]

    @property
    def n_atoms(self) -> np.ndarray:
        """Atoms of each structure ``[n]``."""
        return self.store.dataset.n_atoms[self.ids]

    @property
    def forces(self) -> np.ndarray:
        """References in eV/Å ``[n_atoms, 3]``, NaN where there are none."""
        return self.references.forces[self.atoms]

    @property
    def energies(self) -> np.ndarray:
        """References in eV/atom less the atomic energies ``[n]``, NaN where there are none."""
        known = self.references.has_energy[self.ids]
        return np.where(known, self.references.energies[self.ids], np.nan) / self.n_atoms

    def features(self) -> np.ndarray:
        """Symmetry functions of the atoms ``[n_atoms, n_features]``."""
        parts = np.array_split(self.ids, max(1, len(self.ids) // _SEVERAL))
        return np.concatenate([self.store.features(part) for part in parts])


@dataclass(frozen=True)
class Members:
    """Results of members.

    Attributes:
        energies: eV/atom ``[n_members, n]``.
        forces: eV/Å ``[n_members, n_atoms, 3]``.
    """

    energies: np.ndarray
    forces: np.ndarray

    def first(self, n: int) -> Members:
        """Return the first members."""
        return Members(self.energies[:n], self.forces[:n])


def potential_of(plan: Plan, weights: Sequence[Tensor]) -> EnsemblePotential:
    """Make a potential of a training's form with as many members as there are weights of."""
    old = plan.potential
    network = EnsembleNetwork(
        old.network.n_elements,
        len(weights[0]),
        old.network.layer_sizes[:-1],
        activation=old.network.activation,
        dtype=old.dtype,
    )
    load_parameters(network, weights)
    return EnsemblePotential(old.descriptor, old.input_map, network, old.atomic_energies)


def slot_order(of: Structures, ids: np.ndarray) -> np.ndarray:
    """Atoms of some structures, as the data set counts them, in the order of a shared batch's slots."""
    return np.argsort(Structures(of.store, of.references, ids).species, kind="stable")


def predict(potential: EnsemblePotential, of: Structures) -> Members:
    """Let all members predict some structures."""
    energies, forces = [], []
    done = 0
    for found, batch, _ in predictions(potential, of.store, of.references, of.ids):
        assert found.forces is not None
        order = slot_order(of, of.ids[done : done + batch.n_structures])
        done += batch.n_structures
        rows = found.forces.detach().double().numpy()
        sorted_rows = np.empty_like(rows)
        sorted_rows[:, order] = rows
        forces.append(sorted_rows)
        energies.append((found.energies.detach() / batch.n_atoms).double().numpy())
    return Members(np.concatenate(energies, axis=1), np.concatenate(forces, axis=1))


def joined(parts: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """Weights of several ensembles as those of one."""
    return [torch.cat([p.detach() for p in same]) for same in zip(*parts, strict=True)]
