"""Energies of the members of an ensemble, each for itself: what a trajectory is reweighted by."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms

from lmlp.calculators.backends import CoreBackend
from lmlp.calculators.facts import ModelFacts, SpeciesTable
from lmlp.calculators.prediction import refuse_coincident
from lmlp.neighbors import find_neighbors

ENERGIES = "lmlp_member_energies"
MODEL = "lmlp_members_of"


class MemberEnergies:
    """Computes the energies, and keeps them in the frames of a trajectory.

    Args:
        backend: a loaded model.
        threads: of the neighbor lists; 0 means OpenMP's default.

    Raises:
        UncertaintyError: a model of one member.
    """

    def __init__(self, backend: CoreBackend, threads: int = 0) -> None:
        backend.facts.require_ensemble()
        self.facts = backend.facts
        self._backend = backend
        self._species = SpeciesTable(backend.facts)
        self._threads = threads

    def __call__(self, atoms: Atoms) -> np.ndarray:
        """Return the total energies of the members in eV ``[n_members]``.

        Raises:
            UnknownElementError, GeometryError, NotFiniteError: as a calculator.
        """
        species = self._species(atoms.numbers)
        pairs = find_neighbors(
            atoms.positions, atoms.cell.array, atoms.pbc, self.facts.cutoff, n_threads=self._threads
        )
        refuse_coincident(pairs)
        return self._backend.member_energies(pairs, species)

    def entry(self, atoms: Atoms) -> dict[str, Any]:
        """Return what a frame keeps: the energies, and of which model they are."""
        return {ENERGIES: self(atoms), MODEL: self._mark}

    def stored(self, atoms: Atoms) -> np.ndarray | None:
        """Return the energies that a frame keeps; None where it has none of this model."""
        if atoms.info.get(MODEL) != self._mark or ENERGIES not in atoms.info:
            return None
        energies = np.ravel(np.asarray(atoms.info[ENERGIES], dtype=np.float64), order="F")  # ASE: 9 are 3 x 3
        return energies if len(energies) == self.facts.n_members else None

    @property
    def _mark(self) -> str:
        # begins with a letter: a file may not take it for a number
        return f"sha256-{self.facts.checksum[:16]}"


def energy_factor(facts: ModelFacts) -> float:
    """How many times as far from their mean as they are the energies of the members have to be taken.

    Of models with spread maps it is the factor of the energies, and at least 1: where the floor of the map
    says most of the error, the members disagree by their own spread nevertheless.
    """
    return facts.energy_factor if facts.spread_maps is None else max(1.0, facts.spread_maps.energy.factor)
