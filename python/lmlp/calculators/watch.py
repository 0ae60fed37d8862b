"""Watch the uncertainty of a running simulation: when to keep a structure for labeling, when to stop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms

from lmlp.calculators.ase import LMLPCalculator
from lmlp.errors import InvalidArgumentError
from lmlp.neighbors import find_neighbors


@dataclass(frozen=True)
class WatchOptions:
    """Thresholds as multiples of the model's test errors (JCTC 2023, 19, 3509, and its program).

    Attributes:
        interval: evaluate every so many steps.
        save_grade: keep a structure when ΔE/(N·RMSE_E), or max ΔF/RMSE_F over force_factor, is larger.
        stop_grade: stop the run, likewise.
        force_factor: the largest of 3N force components is naturally larger than one energy.
        gap: least number of steps between kept structures.
        limit: largest number of kept structures.
        min_distance: Å; structures with two atoms closer than this are not worth a label.
    """

    interval: int = 10
    save_grade: float = 3.0
    stop_grade: float = 30.0
    force_factor: float = 2.0
    gap: int = 5
    limit: int = 250
    min_distance: float = 0.65

    def __post_init__(self) -> None:
        if self.interval < 1:
            raise InvalidArgumentError(f"check interval {self.interval}: give at least 1 step")
        for name in ("save_grade", "stop_grade"):
            if not getattr(self, name) >= 1.0:
                raise InvalidArgumentError(f"{name} = {getattr(self, name)}: grades start at 1")


@dataclass(frozen=True)
class Reading:
    """One look at the uncertainty.

    Attributes:
        step: of the run.
        energy: ΔE/(N·RMSE_E).
        forces: max ΔF/RMSE_F.
        atom: index of the atom with the largest ΔF.
        energy_uncertainty: ΔE in eV.
        largest_force_uncertainty: max ΔF in eV/Å.
        keep: worth a label.
        stop: the run has left what the model knows.
    """

    step: int
    energy: float
    forces: float
    atom: int
    energy_uncertainty: float
    largest_force_uncertainty: float
    keep: bool
    stop: bool

    @property
    def grade(self) -> float:
        """The larger of the two ratios."""
        return max(self.energy, self.forces)


class SigmaWatch:
    """Looks at the uncertainty of ``atoms.calc`` and remembers what was kept."""

    def __init__(self, calculator: LMLPCalculator, options: WatchOptions) -> None:
        calculator.facts.require_ensemble()
        calculator.facts.require_test_errors()
        self.options = options
        self.n_kept = 0
        self.last_kept: int | None = None
        self._facts = calculator.facts

    def look(self, atoms: Atoms, step: int) -> Reading:
        """Evaluate the uncertainty; the forces of the run are not changed by a bit."""
        energy_uncertainty = float(atoms.calc.get_property("energy_uncertainty", atoms))
        forces = atoms.calc.get_property("forces_uncertainty", atoms)
        assert self._facts.energy_rmse is not None
        assert self._facts.force_rmse is not None
        energy = energy_uncertainty / (len(atoms) * self._facts.energy_rmse)
        per_atom = forces.max(axis=1)
        atom = int(per_atom.argmax())
        ratio = float(per_atom[atom]) / self._facts.force_rmse
        factor = self.options.force_factor
        scaled = max(energy, ratio / factor)
        return Reading(
            step=step,
            energy=energy,
            forces=ratio,
            atom=atom,
            energy_uncertainty=energy_uncertainty,
            largest_force_uncertainty=float(per_atom[atom]),
            keep=scaled > self.options.save_grade and self._wanted(atoms, step),
            stop=scaled > self.options.stop_grade,
        )

    def _wanted(self, atoms: Atoms, step: int) -> bool:
        if self.n_kept >= self.options.limit:
            return False
        if self.last_kept is not None and step - self.last_kept < self.options.gap:
            return False
        pairs = find_neighbors(atoms.positions, atoms.cell.array, atoms.pbc, self.options.min_distance)
        return pairs.n_pairs == 0

    def note_kept(self, step: int) -> None:
        """Remember that the structure of this step was kept."""
        self.n_kept += 1
        self.last_kept = step


def candidate(atoms: Atoms, reading: Reading, model: str) -> Atoms:
    """Copy a structure for labeling: predictions never carry names that training takes for labels."""
    copy = Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    if atoms.has("masses"):
        copy.set_masses(atoms.get_masses())
    copy.info.update(
        step=reading.step,
        lmlp_model=model,
        lmlp_energy_grade=float(reading.energy),
        lmlp_force_grade=float(reading.forces),
        lmlp_energy_uncertainty=float(reading.energy_uncertainty),
    )
    copy.new_array("lmlp_forces_uncertainty", np.array(atoms.calc.get_property("forces_uncertainty", atoms)))
    return copy
