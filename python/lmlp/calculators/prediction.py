"""From pair gradients to forces, stress, uncertainty and grade (docs/conventions.md)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lmlp.calculators.backends import Backend, ModelFacts, PairResults
from lmlp.environments import Environments
from lmlp.errors import GeometryError, NotFiniteError
from lmlp.structure.distances import COINCIDENT

# More pairs are evaluated in blocks: 3 MB of gradients, 31 MB with those of ten members.
BLOCK_PAIRS = 131072


@dataclass(frozen=True)
class Uncertainty:
    """What the ensemble says about its own error.

    Attributes:
        energy_std: std_m(E_m) with ddof = 1, eV, not calibrated.
        forces_std: std_m(F_m) with ddof = 1, eV/Å ``[n, 3]``, not calibrated.
        energy: ΔE = max(N·RMSE_E, c_E·energy_std) in eV; without stored test errors σ_E itself.
        forces: ΔF = max(RMSE_F, c_F·forces_std) in eV/Å ``[n, 3]``; likewise.
        grade: max(ΔE/(N·RMSE_E), max ΔF/RMSE_F) ≥ 1, or None without stored test errors.
    """

    energy_std: float
    forces_std: np.ndarray
    energy: float
    forces: np.ndarray
    grade: float | None


@dataclass(frozen=True)
class Prediction:
    """Ensemble mean of one structure in eV, eV/Å, eV/Å³, and its uncertainty when asked for.

    Attributes:
        energy: total energy.
        energies: of each atom ``[n]``.
        forces: ``[n, 3]``.
        virial: Σ_ij r_ij ⊗ g_ij in eV ``[3, 3]``; stress is virial / volume.
        uncertainty: None when not asked for.
    """

    energy: float
    energies: np.ndarray
    forces: np.ndarray
    virial: np.ndarray
    uncertainty: Uncertainty | None = None


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
    backend: Backend, environments: Environments, species: np.ndarray, *, uncertainty: bool = False
) -> Prediction:
    """Evaluate a model on one structure.

    Args:
        backend: the loaded model.
        environments: full pair list with at least the model's cutoff.
        species: of each atom, int32 ``[n]``.
        uncertainty: also evaluate the members.

    Raises:
        GeometryError: two atoms at the same place.
        UncertaintyError: asked for the uncertainty of a one-member model.
        NotFiniteError: a result that is not a finite number.
    """
    if uncertainty:
        backend.facts.require_ensemble()
    refuse_coincident(environments)
    if backend.takes_blocks and environments.n_pairs > BLOCK_PAIRS:
        return _predict_in_blocks(backend, environments, species, uncertainty=uncertainty)
    results = backend.evaluate(environments, species, members=uncertainty)
    return _prediction(backend.facts, environments, results)


def _block_ends(offsets: np.ndarray) -> list[int]:
    """Split centers into blocks of about BLOCK_PAIRS pairs: 0, the first center of each next block, n."""
    ends = [0]
    while ends[-1] < len(offsets) - 1:
        last = int(np.searchsorted(offsets, offsets[ends[-1]] + BLOCK_PAIRS, side="right")) - 1
        ends.append(max(last, ends[-1] + 1))
    return ends


def _predict_in_blocks(
    backend: Backend, environments: Environments, species: np.ndarray, *, uncertainty: bool
) -> Prediction:
    """Evaluate block by block: of the pairs only the list itself is ever there as a whole."""
    n, n_members = environments.n_centers, backend.facts.n_members
    energies, virial = np.empty(n), np.zeros((3, 3))
    sums = _ForceSums(1, n)
    member_energies = np.empty((n_members, n)) if uncertainty else None
    member_sums = _ForceSums(n_members, n) if uncertainty else None
    for first, last in pairwise(_block_ends(environments.offsets)):
        part = environments.part(first, last)
        results = backend.evaluate(part, species, members=uncertainty, first=first)
        energies[first:last] = results.energies
        sums.add(part, results.pair_gradients, first)
        virial += np.einsum("pi,pj->ij", part.vectors, results.pair_gradients)
        if member_energies is not None and results.member_energies is not None:
            member_energies[:, first:last] = results.member_energies
        if member_sums is not None and results.member_pair_gradients is not None:
            member_sums.add(part, results.member_pair_gradients, first)
    total = None
    if member_energies is not None and member_sums is not None:
        total = ensemble_uncertainty(backend.facts, member_energies.sum(axis=1), member_sums.forces())
    prediction = Prediction(float(energies.sum()), energies, sums.forces()[0], virial, total)
    _check_finite(prediction, backend.facts)
    return prediction


def predict_many(
    backend: Backend,
    structures: Sequence[tuple[Environments, np.ndarray]],
    *,
    uncertainty: bool = False,
) -> list[Prediction]:
    """Evaluate several structures, given as (environments, species), in one call that all threads share."""
    if uncertainty:
        backend.facts.require_ensemble()
    if not structures:
        return []
    parts = [environments for environments, _ in structures]
    results = backend.evaluate(
        _join(parts), np.concatenate([species for _, species in structures]), members=uncertainty
    )
    predictions = []
    first, first_pair = 0, 0
    for part in parts:
        last, last_pair = first + part.n_centers, first_pair + part.n_pairs
        one = results.part(slice(first, last), slice(first_pair, last_pair))
        predictions.append(_prediction(backend.facts, part, one))
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


def _prediction(facts: ModelFacts, environments: Environments, results: PairResults) -> Prediction:
    uncertainty = None
    if results.member_energies is not None and results.member_pair_gradients is not None:
        member_forces = sum_forces(environments, results.member_pair_gradients)
        uncertainty = ensemble_uncertainty(facts, results.member_energies.sum(axis=1), member_forces)
    prediction = Prediction(
        energy=float(results.energies.sum()),
        energies=results.energies,
        forces=sum_forces(environments, results.pair_gradients),
        # einsum, not BLAS, whose threads would change bits
        virial=np.einsum("pi,pj->ij", environments.vectors, results.pair_gradients),
        uncertainty=uncertainty,
    )
    _check_finite(prediction, facts)
    return prediction


def _check_finite(prediction: Prediction, facts: ModelFacts) -> None:
    """Raise NotFiniteError for results that are no numbers: weights that overflow."""
    values: dict[str, float | np.ndarray] = {"energy": prediction.energy, "forces": prediction.forces}
    if prediction.uncertainty is not None:
        values["uncertainty of the energy"] = prediction.uncertainty.energy
        values["uncertainty of the forces"] = prediction.uncertainty.forces
    for name, value in values.items():
        if not np.isfinite(value).all():
            raise NotFiniteError(
                f"{facts.path}: the {name}: not finite numbers; the weights of the model overflow"
            )


def ensemble_uncertainty(facts: ModelFacts, energies: np.ndarray, forces: np.ndarray) -> Uncertainty:
    """Compute the uncertainty from total energies ``[n_members]`` and forces ``[n_members, n, 3]``."""
    n_atoms = forces.shape[1]
    energy_std = float(energies.std(ddof=1))
    forces_std = forces.std(axis=0, ddof=1)
    energy, force = facts.energy_factor * energy_std, facts.force_factor * forces_std
    if facts.energy_rmse is None or facts.force_rmse is None:
        return Uncertainty(energy_std, forces_std, energy, force, None)
    energy = max(n_atoms * facts.energy_rmse, energy)
    force = np.maximum(facts.force_rmse, force)
    grades = [1.0]
    if n_atoms > 0 and facts.energy_rmse > 0.0:
        grades.append(energy / (n_atoms * facts.energy_rmse))
    if n_atoms > 0 and facts.force_rmse > 0.0:
        grades.append(float(force.max()) / facts.force_rmse)
    return Uncertainty(energy_std, forces_std, energy, force, max(grades))
