"""From what the members of an ensemble say to σ and grade (docs/uncertainty.md)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lmlp.calculators.facts import ModelFacts


@dataclass(frozen=True)
class MemberSums:
    """What each member says of a structure of n atoms.

    Attributes:
        energies: total energies in eV ``[n_members]``.
        forces: eV/Å ``[n_members, n, 3]``.
        virials: Σ_ij r_ij ⊗ g_ij in eV ``[n_members, 3, 3]``.
    """

    energies: np.ndarray
    forces: np.ndarray
    virials: np.ndarray


@dataclass(frozen=True)
class EnergyUncertainty:
    """What the energies of the members alone say; each number has the bits of `Uncertainty`.

    Attributes:
        energy_std: std_m(E_m) with ddof = 1, eV; not calibrated.
        energy: σ_E of the total energy in eV; without spread maps ΔE = max(N·RMSE_E, c_E·energy_std).
        member_energies: total energies of the members in eV ``[n_members]``.
    """

    energy_std: float
    energy: float
    member_energies: np.ndarray


def energy_uncertainty(facts: ModelFacts, n_atoms: int, member_energies: np.ndarray) -> EnergyUncertainty:
    """Compute the uncertainty of a total energy.

    Args:
        facts: of the model.
        n_atoms: of the structure.
        member_energies: total energies in eV ``[n_members]``.
    """
    spread = float(member_energies.std(ddof=1))
    return EnergyUncertainty(spread, _sigma_energy(facts, n_atoms, spread), member_energies)


def _sigma_energy(facts: ModelFacts, n_atoms: int, spread: float) -> float:
    if facts.spread_maps is not None:
        return facts.spread_maps.sigma_energy(spread, n_atoms)
    sigma = facts.energy_factor * spread
    if facts.energy_rmse is None or facts.force_rmse is None:
        return sigma
    return max(n_atoms * facts.energy_rmse, sigma)


@dataclass(frozen=True)
class Uncertainty:
    """What the ensemble says about its own error.

    Models with spread maps (format version 4) have σ of vectors, the same however a structure lies; ``grade``
    and ``grades`` go down to 0. Models without have σ of components, σ = max(test error, c·std), and grades
    from 1 on; σ of virial and pressure is None there.

    Attributes:
        energy_std: std_m(E_m) with ddof = 1, eV; this and all ``_std`` are not calibrated.
        forces_std: std_m(F_m) in eV/Å ``[n, 3]``.
        virial_std: of the components of the virial in eV ``[3, 3]``; the stress is virial / volume.
        pressure_volume_std: of pressure · volume, i.e. of a third of the virial's trace, in eV.
        energy: σ_E of the total energy in eV; without spread maps ΔE = max(N·RMSE_E, c_E·energy_std).
        forces: σ of the components of the forces in eV/Å ``[n, 3]``, \\|σ_F\\|/√3 each; without spread maps
            ΔF = max(RMSE_F, c_F·forces_std).
        sigma_forces: \\|σ_F\\| of each atom in eV/Å ``[n]``, the root mean square length of the error of its
            force; without spread maps the largest ΔF of its components.
        grade: of the structure, the largest of σ_E/(N·RMSE_E) and ``grades``; None without stored test
            errors.
        grades: of the atoms ``[n]``, \\|σ_F\\|/(√3·RMSE_F), where RMSE_F is of components; without spread
            maps ΔF/RMSE_F, the largest of its components. None likewise.
        virial: σ of each component of the virial in eV, or None.
        pressure_volume: σ of pressure · volume in eV, or None.
        member_energies: total energies of the members in eV ``[n_members]``.
    """

    energy_std: float
    forces_std: np.ndarray
    virial_std: np.ndarray
    pressure_volume_std: float
    energy: float
    forces: np.ndarray
    sigma_forces: np.ndarray
    grade: float | None
    grades: np.ndarray | None
    virial: float | None
    pressure_volume: float | None
    member_energies: np.ndarray


@dataclass(frozen=True)
class _Spread:
    """Standard deviations of the members, as `Uncertainty` has them."""

    energy: float
    forces: np.ndarray
    virial: np.ndarray
    pressure_volume: float


def ensemble_uncertainty(facts: ModelFacts, species: np.ndarray, members: MemberSums) -> Uncertainty:
    """Compute the uncertainty of a structure.

    Args:
        facts: of the model.
        species: of the atoms ``[n]``.
        members: what they say.
    """
    spread = _Spread(
        energy=float(members.energies.std(ddof=1)),
        forces=members.forces.std(axis=0, ddof=1),
        virial=members.virials.std(axis=0, ddof=1),
        pressure_volume=float((np.trace(members.virials, axis1=1, axis2=2) / 3.0).std(ddof=1)),
    )
    if facts.spread_maps is None:
        return _by_factors(facts, spread, members)
    n_atoms, maps = len(species), facts.spread_maps
    energy = _sigma_energy(facts, n_atoms, spread.energy)
    lengths = np.sqrt((spread.forces**2).sum(axis=1))
    sigma_forces = maps.sigma_forces(lengths, species)
    grade, grades = None, None
    if facts.energy_rmse is not None and facts.force_rmse is not None:
        grades = _ratio(sigma_forces, math.sqrt(3.0) * facts.force_rmse)
        of_energy = _ratio(np.array([energy]), n_atoms * facts.energy_rmse)
        grade = float(np.concatenate([of_energy, grades]).max())
    # the stress per volume V is the virial / V: the volume cancels
    return Uncertainty(
        energy_std=spread.energy,
        forces_std=spread.forces,
        virial_std=spread.virial,
        pressure_volume_std=spread.pressure_volume,
        energy=energy,
        forces=np.repeat(sigma_forces[:, None] / math.sqrt(3.0), 3, axis=1),
        sigma_forces=sigma_forces,
        grade=grade,
        grades=grades,
        virial=_of_virial(facts, math.sqrt(float((spread.virial**2).mean())), n_atoms),
        pressure_volume=_of_virial(facts, spread.pressure_volume, n_atoms),
        member_energies=members.energies,
    )


def _ratio(sigma: np.ndarray, error: float) -> np.ndarray:
    """Return σ over a test error; 0 where the error is 0 and measures nothing."""
    return sigma / error if error > 0.0 else np.zeros_like(sigma)


def _of_virial(facts: ModelFacts, spread: float, n_atoms: int) -> float:
    """Return σ in eV of a component of the virial, or of a third of its trace, from its spread in eV."""
    if facts.spread_maps is None or n_atoms == 0:
        return 0.0
    return float(facts.spread_maps.sigma_stress(np.array(spread), n_atoms, 1.0))


def _by_factors(facts: ModelFacts, spread: _Spread, members: MemberSums) -> Uncertainty:
    """Compute the uncertainty of a model without spread maps, component by component."""
    n_atoms = members.forces.shape[1]
    energy, forces = _sigma_energy(facts, n_atoms, spread.energy), facts.force_factor * spread.forces
    grade, grades = None, None
    if facts.energy_rmse is not None and facts.force_rmse is not None:
        forces = np.maximum(facts.force_rmse, forces)
        grade, grades = 1.0, np.ones(n_atoms)
        if n_atoms > 0 and facts.energy_rmse > 0.0:
            grade = max(grade, energy / (n_atoms * facts.energy_rmse))
        if n_atoms > 0 and facts.force_rmse > 0.0:
            grades = forces.max(axis=1) / facts.force_rmse
            grade = max(grade, float(grades.max()))
    return Uncertainty(
        energy_std=spread.energy,
        forces_std=spread.forces,
        virial_std=spread.virial,
        pressure_volume_std=spread.pressure_volume,
        energy=energy,
        forces=forces,
        sigma_forces=forces.max(axis=1),
        grade=grade,
        grades=grades,
        virial=None,
        pressure_volume=None,
        member_energies=members.energies,
    )
