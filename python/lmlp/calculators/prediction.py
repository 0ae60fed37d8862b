"""From pair gradients to forces, stress, uncertainty and distances (docs/conventions.md)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lmlp.calculators.backends import Backend, OfMembers, PairResults
from lmlp.calculators.facts import ModelFacts
from lmlp.calculators.uncertainty import (
    EnergyUncertainty,
    MemberSums,
    Uncertainty,
    energy_uncertainty,
    ensemble_uncertainty,
)
from lmlp.environments import Environments
from lmlp.errors import GeometryError, NotFiniteError
from lmlp.structure.distances import COINCIDENT

# More pairs are evaluated in blocks: 3 MB of gradients, 31 MB with those of ten members.
BLOCK_PAIRS = 131072


@dataclass(frozen=True)
class Prediction:
    """Ensemble mean of one structure in eV and eV/Å, its uncertainty and its distances when asked for.

    Attributes:
        energy: total energy.
        energies: of each atom ``[n]``.
        forces: ``[n, 3]``.
        virial: Σ_ij r_ij ⊗ g_ij in eV ``[3, 3]``; stress is virial / volume.
        uncertainty: None when not asked for.
        distances: of the atoms from the training data ``[n]`` (``lmlp.model.distance``), likewise.
        of_energy: the uncertainty of the energy where it was asked for alone.
    """

    energy: float
    energies: np.ndarray
    forces: np.ndarray
    virial: np.ndarray
    uncertainty: Uncertainty | None = None
    distances: np.ndarray | None = None
    of_energy: EnergyUncertainty | None = None


def sum_forces(environments: Environments, gradients: np.ndarray) -> np.ndarray:
    """Sum pair gradients to forces F_i = Σ_j g_ij − Σ_k g_ki, in the order of the list: always the same bits.

    Args:
        environments: full pair list of n atoms.
        gradients: ``[..., n_pairs, 3]``.

    Returns:
        ``[..., n, 3]``.
    """
    sums = _ForceSums(math.prod(gradients.shape[:-2]), environments.n_centers)
    sums.add(environments, gradients, 0)
    return sums.forces().reshape(*gradients.shape[:-2], environments.n_centers, 3)


def _virial(environments: Environments, gradients: np.ndarray) -> np.ndarray:
    """Sum pair gradients ``[n_pairs, 3]`` to Σ_ij r_ij ⊗ g_ij in eV ``[3, 3]``."""
    # einsum, not BLAS, whose threads would change bits
    return np.asarray(np.einsum("pi,pj->ij", environments.vectors, gradients))


def _member_virials(environments: Environments, gradients: np.ndarray) -> np.ndarray:
    """Do likewise for ``[n_members, n_pairs, 3]``; a third of the time, other last bits."""
    vectors = np.ascontiguousarray(environments.vectors.T)
    sums = [np.einsum("ip,jp->ij", vectors, np.ascontiguousarray(one.T)) for one in gradients]
    return np.array(sums)


class _ForceSums:
    """Sums of pair gradients over blocks of centers: the same bits as from one block."""

    def __init__(self, n_sides: int, n_atoms: int) -> None:
        self._of_centers = np.zeros((n_sides, n_atoms, 3))
        self._of_neighbors = np.zeros((n_sides, 3, n_atoms))

    def add(self, environments: Environments, gradients: np.ndarray, first: int) -> None:
        """Add ``gradients [..., n_pairs, 3]`` of the atoms from ``first`` on."""
        flat = gradients.reshape(len(self._of_centers), environments.n_pairs, 3)
        filled = np.flatnonzero(np.diff(environments.offsets))
        if len(filled) == 0:
            return
        starts = environments.offsets[filled]
        self._of_centers[:, first + filled] = np.add.reduceat(flat, starts, axis=1)
        for sums, values in zip(self._of_neighbors, flat, strict=True):
            for axis in range(3):
                np.add.at(sums[axis], environments.neighbors, values[:, axis])

    def forces(self) -> np.ndarray:
        """Return ``[n_sides, n_atoms, 3]``."""
        return np.asarray(self._of_centers - self._of_neighbors.transpose(0, 2, 1))


class _MemberForces:
    """Forces and virials of the members, summed over blocks of centers."""

    def __init__(self, n_members: int, n_atoms: int) -> None:
        self.sums = _ForceSums(n_members, n_atoms)
        self.virials = np.zeros((n_members, 3, 3))

    def add(self, environments: Environments, gradients: np.ndarray, first: int) -> None:
        self.sums.add(environments, gradients, first)
        self.virials += _member_virials(environments, gradients)


def refuse_coincident(environments: Environments) -> None:
    """Raise GeometryError naming both atoms when two are at the same place."""
    if environments.n_pairs == 0:
        return
    vectors = environments.vectors
    squares = np.einsum("pi,pi->p", vectors, vectors)
    pair = int(squares.argmin())
    if squares[pair] < COINCIDENT**2:
        center = int(np.searchsorted(environments.offsets, pair, side="right")) - 1
        neighbor = int(environments.neighbors[pair])
        first, second = sorted((center, neighbor))
        raise GeometryError(f"atoms {first} and {second} (counted from 0) are at the same place")


def predict(
    backend: Backend,
    environments: Environments,
    species: np.ndarray,
    *,
    uncertainty: OfMembers = False,
    distances: bool = False,
) -> Prediction:
    """Evaluate a model on one structure.

    Args:
        backend: the loaded model.
        environments: full pair list with at least the model's cutoff.
        species: of each atom, int32 ``[n]``.
        uncertainty: also evaluate the members, and the distances of a model that has them; ``energy``: of the
            members the energies alone, at a tenth of the cost.
        distances: also evaluate how far the atoms are from the training data; needs no ensemble.

    Raises:
        GeometryError: two atoms at the same place.
        UncertaintyError: asked for the uncertainty of a one-member model, for distances of a model without.
        NotFiniteError: a result that is not a finite number.
    """
    distances = _wants_distances(backend.facts, uncertainty, distances)
    refuse_coincident(environments)
    if backend.takes_blocks and environments.n_pairs > BLOCK_PAIRS:
        return _predict_in_blocks(backend, environments, species, members=uncertainty, distances=distances)
    results = backend.evaluate(environments, species, members=uncertainty, distances=distances)
    return _prediction(backend.facts, environments, species, results)


def _wants_distances(facts: ModelFacts, uncertainty: OfMembers, distances: bool) -> bool:
    """Tell whether distances are to be evaluated.

    Raises:
        UncertaintyError: the model cannot say what is asked for.
    """
    if uncertainty:
        facts.require_ensemble()
    if distances:
        facts.require_distance()
    return distances or (bool(uncertainty) and facts.has_distance)


def _block_ends(offsets: np.ndarray) -> list[int]:
    """Split centers into blocks of about BLOCK_PAIRS pairs: 0, the first center of each next block, n."""
    ends = [0]
    while ends[-1] < len(offsets) - 1:
        last = int(np.searchsorted(offsets, offsets[ends[-1]] + BLOCK_PAIRS, side="right")) - 1
        ends.append(max(last, ends[-1] + 1))
    return ends


def _predict_in_blocks(
    backend: Backend, environments: Environments, species: np.ndarray, *, members: OfMembers, distances: bool
) -> Prediction:
    """Evaluate block by block: of the pairs only the list itself is ever there as a whole."""
    n, n_members = environments.n_centers, backend.facts.n_members if members else 0
    energies, virial = np.empty(n), np.zeros((3, 3))
    sums = _ForceSums(1, n)
    member_energies = np.empty((n_members, n))
    of_forces = _MemberForces(0 if members == "energy" else n_members, n)
    found = np.empty(n) if distances else None
    for first, last in pairwise(_block_ends(environments.offsets)):
        part = environments.part(first, last)
        results = backend.evaluate(part, species, members=members, distances=distances, first=first)
        energies[first:last] = results.energies
        sums.add(part, results.pair_gradients, first)
        virial += _virial(part, results.pair_gradients)
        if results.member_energies is not None:
            member_energies[:, first:last] = results.member_energies
        if results.member_pair_gradients is not None:
            of_forces.add(part, results.member_pair_gradients, first)
        if found is not None and results.distances is not None:
            found[first:last] = results.distances
    total = of_energy = None
    if members == "energy":
        of_energy = energy_uncertainty(backend.facts, n, member_energies.sum(axis=1))
    elif members:
        of_members = MemberSums(member_energies.sum(axis=1), of_forces.sums.forces(), of_forces.virials)
        total = ensemble_uncertainty(backend.facts, species, of_members)
    prediction = Prediction(
        float(energies.sum()), energies, sums.forces()[0], virial, total, found, of_energy
    )
    _check_finite(prediction, backend.facts)
    return prediction


def predict_many(
    backend: Backend,
    structures: Sequence[tuple[Environments, np.ndarray]],
    *,
    uncertainty: bool = False,
    distances: bool = False,
) -> list[Prediction]:
    """Evaluate several structures, given as (environments, species), in one call that all threads share.

    What may be asked for is that of `predict`.
    """
    distances = _wants_distances(backend.facts, uncertainty, distances)
    if not structures:
        return []
    parts = [environments for environments, _ in structures]
    results = backend.evaluate(
        _join(parts),
        np.concatenate([species for _, species in structures]),
        members=uncertainty,
        distances=distances,
    )
    predictions = []
    first, first_pair = 0, 0
    for part, species in structures:
        last, last_pair = first + part.n_centers, first_pair + part.n_pairs
        one = results.part(slice(first, last), slice(first_pair, last_pair))
        predictions.append(_prediction(backend.facts, part, species, one))
        first, first_pair = last, last_pair
    return predictions


def _join(parts: Sequence[Environments]) -> Environments:
    atoms = np.cumsum([0] + [part.n_centers for part in parts])
    pairs = np.cumsum([0] + [part.n_pairs for part in parts])
    return Environments(
        offsets=np.concatenate([[0]] + [part.offsets[1:] + n for part, n in zip(parts, pairs, strict=False)]),
        neighbors=np.concatenate([part.neighbors + n for part, n in zip(parts, atoms, strict=False)]),
        vectors=np.concatenate([part.vectors for part in parts]),
        shifts=np.concatenate([part.shifts for part in parts]),
    )


def _prediction(
    facts: ModelFacts, environments: Environments, species: np.ndarray, results: PairResults
) -> Prediction:
    uncertainty = of_energy = None
    if results.member_energies is not None and results.member_pair_gradients is None:
        of_energy = energy_uncertainty(facts, len(species), results.member_energies.sum(axis=1))
    elif results.member_energies is not None and results.member_pair_gradients is not None:
        members = MemberSums(
            results.member_energies.sum(axis=1),
            sum_forces(environments, results.member_pair_gradients),
            _member_virials(environments, results.member_pair_gradients),
        )
        uncertainty = ensemble_uncertainty(facts, species, members)
    prediction = Prediction(
        energy=float(results.energies.sum()),
        energies=results.energies,
        forces=sum_forces(environments, results.pair_gradients),
        virial=_virial(environments, results.pair_gradients),
        uncertainty=uncertainty,
        distances=results.distances,
        of_energy=of_energy,
    )
    _check_finite(prediction, facts)
    return prediction


def _check_finite(prediction: Prediction, facts: ModelFacts) -> None:
    """Raise NotFiniteError for results that are no numbers: weights that overflow."""
    values: dict[str, float | np.ndarray] = {"energy": prediction.energy, "forces": prediction.forces}
    if prediction.uncertainty is not None:
        values["uncertainty of the energy"] = prediction.uncertainty.energy
        values["uncertainty of the forces"] = prediction.uncertainty.forces
    if prediction.of_energy is not None:
        values["uncertainty of the energy"] = prediction.of_energy.energy
    if prediction.distances is not None:
        values["distances from the training data"] = prediction.distances
    for name, value in values.items():
        if not np.isfinite(value).all():
            raise NotFiniteError(
                f"{facts.path}: the {name}: not finite numbers; the weights of the model overflow"
            )
