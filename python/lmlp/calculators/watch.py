"""Watch how far a running simulation can be trusted: when to keep a structure for labeling, when to stop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms

from lmlp.calculators.ase import LMLPCalculator
from lmlp.errors import InvalidArgumentError
from lmlp.neighbors import find_neighbors


@dataclass(frozen=True)
class WatchOptions:
    """Thresholds of the combined grade, the larger of grade and distance.

    The grade is a multiple of the model's test errors (JCTC 2023, 19, 3509, and its program).

    Attributes:
        interval: evaluate every so many steps.
        save_grade: keep a structure whose combined grade is larger.
        stop_grade: stop the run, likewise.
        force_factor: divides the grade of the forces of models without spread maps: there it is of the
            largest of 3N components, naturally larger than that of one energy.
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
                raise InvalidArgumentError(f"{name} = {getattr(self, name)}: thresholds start at 1")


@dataclass(frozen=True)
class Reading:
    r"""One look at the uncertainty and the distances; None is what the model cannot say.

    Attributes:
        step: of the run.
        energy: σ_E/(N·RMSE_E), or ΔE/(N·RMSE_E) of a model without spread maps.
        forces: the largest grade of an atom, that of the largest \|σ_F\|.
        atom: index of this atom.
        distance: the largest distance of an atom from the training data.
        farthest: index of this atom.
        energy_uncertainty: σ_E or ΔE in eV.
        largest_force_uncertainty: the largest \|σ_F\| in eV/Å, or max ΔF.
        keep: worth a label.
        stop: the run has left what the model knows.
    """

    step: int
    energy: float | None
    forces: float | None
    atom: int | None
    distance: float | None
    farthest: int | None
    energy_uncertainty: float | None
    largest_force_uncertainty: float | None
    keep: bool
    stop: bool

    @property
    def grade(self) -> float:
        """The combined grade: the largest of the two ratios and the distance."""
        return max(value for value in (self.energy, self.forces, self.distance) if value is not None)


class SigmaWatch:
    """Looks at uncertainty and distances by ``atoms.calc``, and remembers what was kept.

    Raises:
        UncertaintyError: the model has neither an ensemble with test errors nor distances.
    """

    def __init__(self, calculator: LMLPCalculator, options: WatchOptions) -> None:
        facts = calculator.facts
        if not facts.has_distance:
            facts.require_ensemble()
            facts.require_test_errors()
        self.options = options
        self.n_kept = 0
        self.last_kept: int | None = None
        self._has_grade = facts.n_members > 1 and None not in (facts.energy_rmse, facts.force_rmse)
        self._has_distance = facts.has_distance
        # σ of a vector is no largest of components
        self._force_factor = options.force_factor if facts.spread_maps is None else 1.0
        self._energy_rmse = facts.energy_rmse or 0.0

    def look(self, atoms: Atoms, step: int) -> Reading:
        """Evaluate what the model can say; the forces of the run are not changed by a bit."""
        energy = forces = distance = sigma_energy = sigma_forces = None
        atom = farthest = None
        combined = 0.0
        if self._has_grade:
            sigma_energy = float(atoms.calc.get_property("energy_uncertainty", atoms))
            error = len(atoms) * self._energy_rmse
            energy = sigma_energy / error if error > 0.0 else 0.0
            grades = atoms.calc.get_property("grades", atoms)
            atom = int(grades.argmax())
            forces = float(grades[atom])
            sigma_forces = float(atoms.calc.get_property("sigma_forces", atoms)[atom])
            combined = max(energy, forces / self._force_factor)
        if self._has_distance:
            distances = atoms.calc.get_property("distances", atoms)
            farthest = int(distances.argmax())
            distance = float(distances[farthest])
            combined = max(combined, distance)
        return Reading(
            step=step,
            energy=energy,
            forces=forces,
            atom=atom,
            distance=distance,
            farthest=farthest,
            energy_uncertainty=sigma_energy,
            largest_force_uncertainty=sigma_forces,
            keep=combined > self.options.save_grade and self._wanted(atoms, step),
            stop=combined > self.options.stop_grade,
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
    )
    if reading.energy is not None and reading.forces is not None:
        copy.info.update(
            lmlp_energy_grade=reading.energy,
            lmlp_force_grade=reading.forces,
            lmlp_energy_uncertainty=reading.energy_uncertainty,
        )
        forces = np.array(atoms.calc.get_property("forces_uncertainty", atoms))
        copy.new_array("lmlp_forces_uncertainty", forces)
    if reading.distance is not None:
        copy.info["lmlp_distance"] = reading.distance
        copy.new_array("lmlp_distances", np.array(atoms.calc.get_property("distances", atoms)))
    return copy
