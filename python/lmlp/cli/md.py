"""``lmlp md``: molecular dynamics with ASE that watches its own uncertainty."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lmlp.cli.shared.options import file_name

if TYPE_CHECKING:
    from ase import Atoms

    from lmlp.calculators.simulation import RunEnd, RunFiles, Simulation
    from lmlp.calculators.watch import Reading


def command(
    model: Annotated[Path, typer.Argument(help="Model file.")],
    start: Annotated[
        str, typer.Argument(help="Structure to start from, anything ASE reads; FILE@3 takes frame 3.")
    ],
    ensemble: Annotated[
        str, typer.Option(help="nve, nvt (Langevin) or npt (Langevin, isotropic barostat).")
    ] = "nvt",
    temperature: Annotated[float, typer.Option(help="K; also of the first velocities.")] = 300.0,
    pressure: Annotated[float, typer.Option(help="bar, with npt.")] = 1.0,
    timestep: Annotated[float, typer.Option(help="fs.")] = 0.5,
    steps: Annotated[int, typer.Option(min=0, help="Steps in all, those before --resume included.")] = 1000,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", help="Trajectory, extended XYZ.", parser=file_name, metavar="PATH"),
    ] = Path("traj.xyz"),
    log: Annotated[
        Path | None,
        typer.Option(help="Log; beside the trajectory by default.", parser=file_name, metavar="PATH"),
    ] = None,
    interval: Annotated[int, typer.Option(min=1, help="Steps between entries of trajectory and log.")] = 10,
    check: Annotated[int, typer.Option(min=1, help="Steps between looks at the uncertainty.")] = 10,
    save_grade: Annotated[
        float, typer.Option(help="Keep a structure for labeling above this grade or distance.")
    ] = 3.0,
    stop_grade: Annotated[float, typer.Option(help="Stop above this grade or distance.")] = 30.0,
    candidates: Annotated[
        Path | None,
        typer.Option(
            help="Kept structures; beside the trajectory by default.", parser=file_name, metavar="PATH"
        ),
    ] = None,
    min_gap: Annotated[int, typer.Option(min=1, help="Least steps between kept structures.")] = 5,
    max_candidates: Annotated[int, typer.Option(min=0, help="Most structures to keep.")] = 250,
    watch: Annotated[
        bool,
        typer.Option(help="Look at uncertainty and distance; needs a model with test errors or distances."),
    ] = True,
    thermostat_time: Annotated[float, typer.Option(help="1/friction in fs, with nvt and npt.")] = 100.0,
    barostat_time: Annotated[float, typer.Option(help="fs, with npt.")] = 1000.0,
    compressibility: Annotated[float, typer.Option(help="1/GPa, with npt; only its order matters.")] = 0.05,
    new_velocities: Annotated[bool, typer.Option(help="Draw velocities even if the start has some.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal runs.")] = 1,
    restart_interval: Annotated[int, typer.Option(min=1, help="Steps between restart files.")] = 500,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the restart file.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Start anew where there is a run of that name.")
    ] = False,
    threads: Annotated[
        int, typer.Option(min=0, max=1024, help="OpenMP threads; 0 takes OpenMP's default.")
    ] = 0,
    precision: Annotated[
        str, typer.Option(help="double, or mixed: networks in single precision, faster.")
    ] = "double",
) -> None:
    """Run molecular dynamics and watch how far the model can be trusted.

    Every few steps the ensemble's uncertainty is compared with the model's test errors: the grade is 1 where
    the model is as good as on its test data. The distance, which one member can tell, is 1 for an atom as
    unusual as the 1/1000 most unusual training atoms. Where the larger of both is above --save-grade, the
    structure is kept for labeling; above --stop-grade the run stops (exit code 3). Files are named after the
    trajectory: TRAJ.log, TRAJ.candidates.xyz, TRAJ.restart.npz.

    A killed run is continued with --resume and the same options, to the same bits.

    Example: lmlp md model.pt start.xyz --ensemble nvt --temperature 300 --steps 20000 -o traj.xyz
    """
    from lmlp.calculators.ase import LMLPCalculator
    from lmlp.calculators.dynamics import Thermodynamics
    from lmlp.calculators.simulation import Intervals, RunFiles, Simulation
    from lmlp.calculators.watch import SigmaWatch, WatchOptions
    from lmlp.errors import InvalidArgumentError, UncertaintyError

    if resume and force:
        raise InvalidArgumentError("--resume continues a run, --force drops it: give one of them")
    conditions = Thermodynamics(
        ensemble, temperature, pressure, timestep, thermostat_time, barostat_time, compressibility
    )
    files = RunFiles.beside(output, log, candidates)
    options = WatchOptions(check, save_grade, stop_grade, gap=min_gap, limit=max_candidates)
    intervals = Intervals(interval, interval, restart_interval)
    with _claimed(files, [model, start], anew=force, goes_on=resume):
        calculator = LMLPCalculator(model, threads=threads, precision=precision)
        if watch and calculator.facts.n_members < 2 and not calculator.facts.has_distance:
            raise UncertaintyError(
                f"{model} has one member and no distances, nothing to watch: --no-watch runs without"
            )
        atoms = _read_start(start)
        atoms.calc = calculator
        observer = SigmaWatch(calculator, options) if watch else None
        simulation = Simulation(atoms, conditions, files, intervals, observer, seed)
        if resume:
            simulation.resume()
        else:
            for path in (*files.written, files.restart) if force else ():
                path.unlink(missing_ok=True)
            simulation.start(keep_velocities=not new_velocities)
        outcome = _run(simulation, steps)
    _report(outcome, simulation, files)


@contextmanager
def _claimed(files: RunFiles, inputs: list[str | Path], *, anew: bool, goes_on: bool) -> Iterator[None]:
    """Hold the locks of all files of a run that may be written.

    Raises:
        InvalidArgumentError: a file that must not be written.
        OutputError: another run writes one of them.
    """
    from lmlp.files.lock import locked
    from lmlp.files.rule import check_existing, check_names

    check_names(files.outputs, inputs)
    with ExitStack() as stack:
        for path in files.written:
            stack.enter_context(locked(path, lambda text: typer.echo(text, err=True)))
        check_existing(files.outputs, force=anew or goes_on)
        yield


def _read_start(name: str) -> Atoms:
    """Read as data are read; ASE adds velocities, masses and constraints of the formats that have them."""
    from ase import Atoms

    from lmlp.errors import DataError
    from lmlp.io import DataKeys, read_structures
    from lmlp.io.detect import reader_of
    from lmlp.io.formats.dumps import KINDS as DUMPS
    from lmlp.io.formats.foreign import ase_format
    from lmlp.io.open import check_exists, split_index

    path = split_index(name)[0]
    check_exists(path)
    kind = reader_of(path)
    if kind == "ase" and ase_format(path) not in DUMPS:
        return _read_by_ase(name)
    no_labels = DataKeys(energy="none", forces="none", stress="none", virial="none")
    found = read_structures(name if "@" in name else f"{name}@-1", no_labels)
    if len(found) != 1:
        raise DataError(f"{name}: {len(found)} frames; a run starts from one")
    start = found[0]
    if kind == "extxyz":
        atoms = _read_by_ase(name, kind)
    else:
        atoms = Atoms(numbers=start.numbers, positions=start.positions)
    atoms.set_cell(start.cell)
    atoms.set_pbc(start.pbc)
    return atoms


def _read_by_ase(name: str, kind: str | None = None) -> Atoms:
    import ase.io

    from lmlp.errors import DataError

    try:
        atoms = ase.io.read(name, index=None if "@" in name else -1, format=kind)
    except Exception as error:
        text = str(error).splitlines() or [type(error).__name__]
        raise DataError(f"{name}: ASE cannot read a structure from it: {text[0]}") from None
    if isinstance(atoms, list):
        if len(atoms) != 1:
            raise DataError(f"{name}: {len(atoms)} frames; a run starts from one")
        atoms = atoms[0]
    if len(atoms) == 0:
        raise DataError(f"{name}: a structure without atoms")
    if atoms.has("mass") and not atoms.has("masses"):  # the name of LAMMPS and OVITO
        atoms.set_masses(atoms.get_array("mass"))
    return atoms


def _run(simulation: Simulation, steps: int) -> RunEnd:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        simulation.warn = lambda text: progress.console.print(text, highlight=False, markup=False)
        task = progress.add_task("starting", total=steps, completed=simulation.step)
        kept = 0 if simulation.watch is None else simulation.watch.n_kept

        def update(run: Simulation) -> None:
            nonlocal kept
            text = f"T {run.atoms.get_temperature():.0f} K"
            if run.watch is not None and run.last is not None:
                text += f", {_quantity(run.last)} {run.last.grade:.3g}, kept {run.watch.n_kept}"
                if run.watch.n_kept > kept:
                    kept = run.watch.n_kept
                    progress.console.print(
                        f"step {run.step}: kept for labeling ({_describe(run)})", highlight=False
                    )
            progress.update(task, completed=run.step, description=text)

        return simulation.run(steps, update)


def _quantity(reading: Reading) -> str:
    """Name what the combined grade is of."""
    if reading.distance is None:
        return "grade"
    return "distance" if reading.energy is None else "grade or distance"


def _describe(run: Simulation) -> str:
    reading = run.last
    if reading is None:
        return ""
    sigma = "Δ" if run.atoms.calc.facts.spread_maps is None else "σ_"
    parts = []
    if reading.energy_uncertainty is not None:
        energy = 1e3 * reading.energy_uncertainty / len(run.atoms)
        parts.append(f"{sigma}E {energy:.3g} meV/atom, grade {reading.energy:.3g}")
    if reading.largest_force_uncertainty is not None:
        force = 1e3 * reading.largest_force_uncertainty
        where = _name(run, reading.atom)
        parts.append(f"max {sigma}F {force:.3g} meV/Å on {where}, grade {reading.forces:.3g}")
    if reading.distance is not None:
        parts.append(f"distance {reading.distance:.3g} of {_name(run, reading.farthest)}")
    return "; ".join(parts)


def _name(run: Simulation, atom: int | None) -> str:
    return "no atom" if atom is None else f"atom {atom} ({run.atoms.symbols[atom]})"


def _report(outcome: RunEnd, simulation: Simulation, files: RunFiles) -> None:
    typer.echo(f"{outcome.step} steps; trajectory {files.trajectory}, log {files.log}")
    if outcome.largest is not None:
        typer.echo(
            f"largest {_quantity(outcome.largest)} {outcome.largest.grade:.3g} at step {outcome.largest.step}"
        )
    if outcome.n_kept:
        typer.echo(f"{outcome.n_kept} structures kept for labeling: {files.candidates}")
    if outcome.stopped_by is not None:
        typer.echo(
            f"stopped at step {outcome.step}: {_describe(simulation)}. The model does not know this region:"
        )
        typer.echo(f"label structures of {files.candidates} and train on them, or raise --stop-grade.")
        raise typer.Exit(3)
