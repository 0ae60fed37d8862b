"""A molecular dynamics run with its files: trajectory, log, candidates for labeling, restart."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.io.extxyz import write_xyz

from lmlp.calculators.ase import LMLPCalculator
from lmlp.calculators.dynamics import Thermodynamics, draw_velocities, generator_state, make_dynamics
from lmlp.calculators.identity import check_atoms, frame_of, identity, restore
from lmlp.calculators.members import MemberEnergies
from lmlp.calculators.watch import Reading, SigmaWatch, candidate
from lmlp.errors import DataError, GeometryError, InvalidArgumentError, OutputError
from lmlp.files.kinds import MD_LOG, PREDICTIONS, RESTART
from lmlp.files.rule import Output
from lmlp.files.writing import append, check_kind, replacing

LOG_COLUMNS = ("step", "time_ps", "E_pot_eV", "E_kin_eV", "E_tot_eV", "T_K", "P_bar", "volume_A3")


@dataclass(frozen=True)
class RunFiles:
    """Where a run writes; all lie beside the trajectory unless named.

    Attributes:
        trajectory: extended XYZ with momenta, energies and forces; masses, constraints and tags where given.
        log: one line per entry, columns named in the first line.
        candidates: extended XYZ of structures worth a label.
        restart: everything to continue the run.
    """

    trajectory: Path
    log: Path
    candidates: Path
    restart: Path

    @classmethod
    def beside(cls, trajectory: Path, log: Path | None = None, candidates: Path | None = None) -> RunFiles:
        """Name the files after the trajectory."""
        if trajectory.suffix not in (".xyz", ".extxyz"):
            raise InvalidArgumentError(f"{trajectory}: trajectories are written as .xyz or .extxyz")
        if not trajectory.absolute().parent.is_dir():
            raise InvalidArgumentError(
                f"{trajectory}: the folder {trajectory.absolute().parent} does not exist"
            )
        stem = trajectory.with_suffix("")
        return cls(
            trajectory,
            log or Path(f"{stem}.log"),
            candidates or Path(f"{stem}.candidates.xyz"),
            Path(f"{stem}.restart.npz"),
        )

    @property
    def outputs(self) -> list[Output]:
        """All files, for the rule on what may be written."""
        hint = "--resume continues the run, --force starts it anew"
        kinds = (PREDICTIONS, MD_LOG, PREDICTIONS, RESTART)
        return [Output(p, k, hint=hint) for p, k in zip((*self.written, self.restart), kinds, strict=True)]

    @property
    def written(self) -> tuple[Path, Path, Path]:
        """The files that grow during the run."""
        return self.trajectory, self.log, self.candidates


@dataclass(frozen=True)
class Intervals:
    """Steps between entries.

    Attributes:
        trajectory: of the trajectory.
        log: of the log.
        restart: of the restart file; also the longest stretch that a crash can cost.
    """

    trajectory: int = 10
    log: int = 10
    restart: int = 500

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value < 1:
                raise InvalidArgumentError(f"{name} interval {value}: give at least 1 step")


@dataclass(frozen=True)
class RunEnd:
    """How a run ended.

    Attributes:
        step: the last one made.
        n_kept: structures kept for labeling.
        stopped_by: the reading that stopped the run, or None when it reached its end.
        last: the last reading, or None without a watch.
        largest: the reading with the largest grade.
    """

    step: int
    n_kept: int
    stopped_by: Reading | None
    last: Reading | None
    largest: Reading | None


class Simulation:
    """A run; continued from its restart file it gives the same bits as one that was never interrupted.

    Args:
        atoms: with an ``LMLPCalculator``.
        conditions: ensemble, temperature, …
        files: where to write.
        intervals: how often.
        watch: looks at the uncertainty, or None.
        seed: of velocities, thermostat and barostat.

    Attributes:
        warn: hears that a restart file could not be written; the run goes on.
        members: gives each frame of the trajectory the energies of the members, or None.
    """

    def __init__(
        self,
        atoms: Atoms,
        conditions: Thermodynamics,
        files: RunFiles,
        intervals: Intervals,
        watch: SigmaWatch | None = None,
        seed: int = 1,
    ) -> None:
        if not isinstance(atoms.calc, LMLPCalculator):
            raise InvalidArgumentError("the atoms need an LMLPCalculator")
        if len(atoms) == 0:
            raise InvalidArgumentError("no atoms to simulate")
        check_atoms(atoms)
        self.atoms, self.files, self.watch, self.step = atoms, files, watch, 0
        self.last: Reading | None = None
        self.largest: Reading | None = None
        self.warn: Callable[[str], None] = lambda text: None
        self.members: MemberEnergies | None = None
        self._intervals = intervals
        self._conditions = conditions
        self._seed = seed
        self._rng = np.random.default_rng(seed)
        self._dynamics: Any = None

    def start(self, *, keep_velocities: bool = True) -> None:
        """Begin a new run: draw velocities unless there are some, write the first entry of each file."""
        existing = [str(path) for path in (*self.files.written, self.files.restart) if path.exists()]
        if existing:
            raise DataError(f"{', '.join(existing)}: exists; continue with --resume, or choose another name")
        if not (keep_velocities and np.any(self.atoms.get_momenta())):
            draw_velocities(self.atoms, self._conditions.temperature, self._rng)
        self._dynamics = make_dynamics(self.atoms, self._conditions, self._rng)
        self.files.log.write_text("# " + " ".join(LOG_COLUMNS) + "\n", encoding="utf-8")
        self.files.trajectory.touch()
        self.files.candidates.touch()
        self._write_entries()
        self._save_restart()

    def resume(self) -> None:
        """Continue from the restart file; entries that were written after it are cut off."""
        path = self.files.restart
        try:
            with np.load(path, allow_pickle=False) as stored:
                state = {name: stored[name] for name in stored.files}
            facts = json.loads(str(state["facts"]))
        except OSError as error:
            raise DataError(f"{path}: cannot read the restart file: {error.strerror or error}") from None
        except (ValueError, KeyError) as error:
            raise DataError(f"{path}: not a restart file of lmlp md: {error}") from None
        ours = self._facts()
        changed = [name for name in ours if facts["run"].get(name) != ours[name]]
        if changed or not np.array_equal(state["numbers"], self.atoms.numbers):
            what = ", ".join(changed) or "atoms"
            raise DataError(
                f"{path}: written by a run with other settings ({what}): repeat them, or start anew"
            )
        for output in self.files.outputs:
            check_kind(output.path, output.kind)
        if "identity" in state:
            try:
                restore(self.atoms, str(state["identity"]))
            except DataError as error:
                raise DataError(
                    f"{path}: written by a run with other atoms ({error}): repeat them, or start anew"
                ) from None
        for file, size in zip(self.files.written, facts["sizes"], strict=True):
            if not file.exists() or file.stat().st_size < size:
                raise DataError(f"{file}: shorter than when {path} was written; it cannot be continued")
            os.truncate(file, size)
        self.atoms.set_cell(state["cell"])
        self.atoms.set_positions(state["positions"], apply_constraint=False)
        self.atoms.set_momenta(state["momenta"], apply_constraint=False)
        self._rng.bit_generator.state = facts["generator"]
        self.step = int(facts["step"])
        if self.watch is not None:
            self.watch.n_kept, self.watch.last_kept = facts["n_kept"], facts["last_kept"]
        self._dynamics = make_dynamics(self.atoms, self._conditions, self._rng)
        self._forget_history()

    def run(self, steps: int, progress: Callable[[Simulation], None] | None = None) -> RunEnd:
        """Run until ``steps`` steps have been made in all, or the watch stops it.

        Raises:
            GeometryError: the run has left every physical geometry; the restart file holds an earlier state.
            OutputError: trajectory, log or candidates cannot be written; they end with a whole entry.
        """
        if self._dynamics is None:
            raise InvalidArgumentError("call start or resume first")
        stopped_by = None
        while self.step < steps and stopped_by is None:
            following = self._next_event(steps)
            try:
                self._dynamics.run(following - self.step)
            except GeometryError as error:
                raise GeometryError(
                    f"between steps {self.step} and {following}: {error}; "
                    f"{self.files.restart} holds an earlier state"
                ) from None
            self.step = following
            try:
                stopped_by = self._look()
                self._write_entries()
            except OutputError as error:
                hint = f"make room; --resume continues from {self.files.restart}"
                raise OutputError(f"step {self.step}: {error}; {hint}") from error
            if self.step % self._intervals.restart == 0 or self.step == steps or stopped_by is not None:
                self._back_up()
            if progress is not None:
                progress(self)
        n_kept = 0 if self.watch is None else self.watch.n_kept
        return RunEnd(self.step, n_kept, stopped_by, self.last, self.largest)

    def _next_event(self, steps: int) -> int:
        periods = [*asdict(self._intervals).values()]
        if self.watch is not None:
            periods.append(self.watch.options.interval)
        return int(min([steps, *((self.step // period + 1) * period for period in periods)]))

    def _look(self) -> Reading | None:
        if self.watch is None or self.step % self.watch.options.interval != 0:
            return None
        reading = self.watch.look(self.atoms, self.step)
        self.last = reading
        if self.largest is None or reading.grade > self.largest.grade:
            self.largest = reading
        if reading.keep:
            append(self.files.candidates, _text(candidate(self.atoms, reading, self.atoms.calc.facts.path)))
            self.watch.note_kept(self.step)
        return reading if reading.stop else None

    def _write_entries(self) -> None:
        atoms = self.atoms
        if self.step % self._intervals.log == 0:
            append(self.files.log, self._log_line())
        if self.step % self._intervals.trajectory == 0:
            frame, more = frame_of(atoms)
            frame.info.update(step=self.step, time_ps=self._time())
            frame.info["lmlp_energy"] = float(atoms.get_potential_energy())
            if self.members is not None:
                frame.info.update(self.members.entry(atoms))
            frame.new_array("lmlp_forces", atoms.get_forces(apply_constraint=False))
            columns = ["symbols", "positions", "momenta", *more, "lmlp_forces"]
            append(self.files.trajectory, _text(frame, columns=columns))

    def _time(self) -> float:
        return self.step * self._conditions.timestep * 1e-3

    def _log_line(self) -> str:
        atoms = self.atoms
        potential, kinetic = float(atoms.get_potential_energy()), float(atoms.get_kinetic_energy())
        pressure = volume = float("nan")
        if atoms.cell.rank == 3:
            volume = float(atoms.get_volume())
            virial = -float(np.mean(atoms.get_stress()[:3]))
            pressure = (virial + 2.0 * kinetic / (3.0 * volume)) / units.bar
        return (
            f"{self.step:10d} {self._time():12.6f} {potential:16.8f} {kinetic:14.8f} "
            f"{potential + kinetic:16.8f} {atoms.get_temperature():10.3f} {pressure:12.6g} {volume:14.6f}\n"
        )

    def _facts(self) -> dict[str, Any]:
        """What must be the same for a run to be the same."""
        return {
            **asdict(self._conditions),
            **{f"{name} interval": value for name, value in asdict(self._intervals).items()},
            "seed": self._seed,
            "watch": None if self.watch is None else asdict(self.watch.options),
        }

    def _back_up(self) -> None:
        """Write the restart file; a failure is told, the next one comes."""
        try:
            self._save_restart()
        except OutputError as error:
            self.warn(f"warning: step {self.step}: {error}; the run goes on and tries again")
            self._forget_history()  # as a run does that has written it: the same bits

    def _save_restart(self) -> None:
        watch = self.watch
        facts = {
            "step": self.step,
            "generator": generator_state(self._rng),
            "run": self._facts(),
            "sizes": [file.stat().st_size for file in self.files.written],
            "n_kept": 0 if watch is None else watch.n_kept,
            "last_kept": None if watch is None else watch.last_kept,
        }
        atoms = self.atoms
        with replacing(self.files.restart, RESTART) as unfinished, unfinished.open("wb") as file:
            np.savez(
                file,
                facts=np.array(json.dumps(facts)),
                numbers=atoms.numbers,
                positions=atoms.positions,
                momenta=atoms.get_momenta(),
                cell=atoms.cell.array,
                identity=np.array(identity(atoms)),
            )
        self._forget_history()

    def _forget_history(self) -> None:
        """Rebuild the neighbor list here, as a resumed run does: both then sum in the same order."""
        self.atoms.calc.reset()
        self.atoms.calc.reset_neighbors()


def _text(atoms: Atoms, **options: Any) -> str:
    """Return a frame as extended XYZ."""
    text = io.StringIO()
    write_xyz(text, atoms, **options)
    return text.getvalue()
