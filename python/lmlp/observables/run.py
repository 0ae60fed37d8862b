"""Observables of a run of ``lmlp md``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ase import Atoms

from lmlp.calculators.backends import CoreBackend
from lmlp.calculators.dynamics import Thermodynamics
from lmlp.calculators.members import MemberEnergies, energy_factor
from lmlp.errors import DataError, InvalidArgumentError
from lmlp.files.kinds import OBSERVABLES, PICTURE
from lmlp.files.rule import Output
from lmlp.observables.quantities import Quantity, check_frame, parse_quantities
from lmlp.observables.report import words, write_curves, write_observables
from lmlp.observables.reweighting import BLOCKS
from lmlp.observables.trajectory import observe, read_frames
from lmlp.plots.style import check_installed

_DEFAULT_SHARE = 5  # one in so many steps is equilibration


@dataclass
class ObservedRun:
    """What to average over a run, and where to write it.

    Attributes:
        quantities: to average.
        trajectory: of the run.
        temperature: K.
        skip: frames of equilibration.
    """

    quantities: list[Quantity]
    trajectory: Path
    temperature: float
    skip: int
    _members: MemberEnergies | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls,
        names: str,
        trajectory: Path,
        conditions: Thermodynamics,
        steps: int,
        interval: int,
        equilibration: int | None,
    ) -> ObservedRun | None:
        """Read the options of the command; None where nothing is to be averaged.

        Raises:
            InvalidArgumentError: an unknown quantity, an ensemble without temperature, too few frames.
            LMLPError: a curve and no matplotlib.
        """
        if not names:
            if equilibration is not None:
                raise InvalidArgumentError("--equilibration belongs to --observables")
            return None
        quantities = parse_quantities(names)
        if conditions.ensemble == "nve" or conditions.temperature <= 0.0:
            raise InvalidArgumentError("--observables needs a thermostat: --ensemble nvt or npt, above 0 K")
        left_out = steps // _DEFAULT_SHARE if equilibration is None else equilibration
        skip = -(-left_out // interval)
        n_frames = steps // interval + 1 - skip
        if n_frames < 2 * BLOCKS:
            raise InvalidArgumentError(
                f"--observables: {max(n_frames, 0)} frames after equilibration, at least {2 * BLOCKS} are "
                "needed: more --steps, or a smaller --interval"
            )
        if any(quantity.axis is not None for quantity in quantities):
            check_installed()
        return cls(quantities, trajectory, conditions.temperature, skip)

    @property
    def results(self) -> Path:
        """File with all figures."""
        return Path(f"{self.trajectory.with_suffix('')}.observables.json")

    @property
    def picture(self) -> Path | None:
        """Picture of the curves, None where there are none."""
        if all(quantity.axis is None for quantity in self.quantities):
            return None
        return self.results.with_suffix(".png")

    @property
    def outputs(self) -> list[Output]:
        """All files, for the rule on what may be written."""
        hint = "--resume continues the run, --force starts it anew"
        outputs = [Output(self.results, OBSERVABLES, hint=hint)]
        return outputs + ([Output(self.picture, PICTURE, hint=hint)] if self.picture is not None else [])

    def open(self, atoms: Atoms, model: Path, threads: int, precision: str) -> MemberEnergies:
        """Load the members, and see that the start has all quantities.

        Raises:
            DataError: it has not. UncertaintyError: a model of one member.
        """
        self._members = MemberEnergies(CoreBackend(model, threads, precision), threads)
        check_frame(self.quantities, atoms)
        return self._members

    def finish(self) -> Iterator[str]:
        """Average over the trajectory, write the files and say what was found.

        Raises:
            InvalidArgumentError, OutputError: a file that cannot be written.
        """
        assert self._members is not None
        facts = self._members.facts
        factor = energy_factor(facts)
        try:
            found = observe(
                read_frames(self.trajectory),
                self.quantities,
                self._members,
                temperature=self.temperature,
                factor=factor,
                skip=self.skip,
            )
        except DataError as error:  # a run that was stopped early
            yield f"no observables: {error}"
            return
        told: dict[str, Any] = {
            "model": facts.path,
            "trajectory": str(self.trajectory),
            "temperature": self.temperature,
            "factor": factor,
            "skipped_frames": self.skip,
        }
        write_observables(self.results, found, told)
        if self.picture is not None:
            write_curves(self.picture, found)
        yield from words(found)
        yield f"figures: {self.results}" + (f", curves: {self.picture}" if self.picture else "")
