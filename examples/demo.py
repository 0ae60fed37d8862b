"""From quantum-chemical data to molecular dynamics with error bars, in one command: ``make demo``.

Trains an ensemble on GFN2-xTB data of a drug molecule (examples/data, made by make_reference_data.py), tests
it at the temperature of the training data and at twice that, runs the same microcanonical start in ASE and in
LAMMPS on one and two ranks, and writes demo/report.html. Every number that it prints comes from this run.

    python examples/demo.py              # time limit of the training: LMLP_DEMO_TIME, 6m by default
    python examples/demo.py --quick      # about a minute, to see that everything works; its errors are large

Interrupted? The same command goes on where it was. ``--fresh`` starts anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "3000")  # see docs/training.md

from demo_dynamics import (
    TIME_STEP_FS,
    Difference,
    Trajectory,
    compare,
    run_ase,
    run_lammps,
    start,
    write_lammps_input,
)
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

HERE = Path(__file__).resolve().parent
DATA = HERE / "data" / "phenacetin"
TEMPERATURE = 300.0
EARLY_PS = 0.25  # rounding differences grow exponentially: also compare before they have grown

console = Console(highlight=False)


@dataclass(frozen=True)
class Options:
    """What the demo does: data, size of the training, length of the dynamics."""

    folder: Path
    train: str
    tests: dict[str, str]
    members: int
    time_limit: str
    steps: int
    seed: int = 1

    @property
    def model(self) -> Path:
        """The model file of the demo."""
        return self.folder / "model.pt"


@dataclass(frozen=True)
class Results:
    """Everything that the report shows: errors by test set, runs by engine, differences by name."""

    errors: dict[str, dict[str, Any]]
    runs: dict[str, Trajectory]
    differences: dict[str, tuple[Difference, Difference]]
    train_seconds: float | None


def read_options() -> tuple[Options, bool]:
    """Read the command line; return the options and whether to start anew."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small data, short training, short dynamics")
    parser.add_argument("--fresh", action="store_true", help="forget an earlier run")
    parser.add_argument("-o", "--output", type=Path, default=Path("demo"), help="folder for all files")
    given = parser.parse_args()
    cut = ("@0:80", "@0:20") if given.quick else ("", "")
    options = Options(
        folder=given.output.resolve(),
        train=f"{DATA / 'train_300K.xyz.xz'}{cut[0]}",
        tests={t: f"{DATA / f'test_{t}.xyz.xz'}{cut[1]}" for t in ("300K", "600K")},
        members=2 if given.quick else 4,
        time_limit=os.environ.get("LMLP_DEMO_TIME", "15s" if given.quick else "6m"),
        steps=200 if given.quick else 4000,
    )
    return options, given.fresh


def print_plan(options: Options) -> None:
    """Say what comes and what it costs."""
    table = Table(title="lmlp demo", title_justify="left", box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    picoseconds = 1e-3 * TIME_STEP_FS * options.steps
    table.add_row(
        "1 train", f"{options.members} networks at once on {shown(options.train)}: {options.time_limit}"
    )
    table.add_row("2 test", f"on {' and '.join(shown(t) for t in options.tests.values())}: seconds")
    table.add_row(
        "3 simulate", f"{picoseconds:g} ps NVE in ASE, in LAMMPS, in LAMMPS on 2 ranks: a minute or two"
    )
    table.add_row("4 report", f"{shown(options.folder / 'report.html')}: seconds, below 3 MB")
    console.print(table, "")


def shown(path: str | Path) -> str:
    """Return a path as short as it can be written from here."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") else str(path)


def lmlp(*arguments: str, capture: bool = False) -> str:
    """Run an ``lmlp`` command, shown as a user would type it; return what it printed if captured."""
    words = [shown(a) if a.startswith("/") else a for a in arguments]
    console.print(f"$ lmlp {shlex.join(words)}", style="bold cyan")
    script = Path(sys.executable).parent / "lmlp"
    command = (
        [str(script)] if script.exists() else [sys.executable, "-c", "from lmlp.cli.app import main; main()"]
    )
    process = subprocess.Popen([*command, *words], stdout=subprocess.PIPE if capture else None, text=True)
    try:
        output, _ = process.communicate()
    except KeyboardInterrupt:
        process.wait()  # Ctrl-C reached it as well: it saves what it has
        raise
    if process.returncode:
        raise SystemExit(f"demo: lmlp {words[0]} ended with {process.returncode}; what is done is kept")
    return output or ""


def train(options: Options) -> float | None:
    """Train, resume, or use the finished model of an equal run; return the seconds that it took now."""
    settings = {
        "data": hashlib.sha256((DATA / "train_300K.xyz.xz").read_bytes()).hexdigest(),
        "options": [options.train, options.members, options.time_limit, options.seed],
    }
    record = options.folder / "settings.json"
    same = record.exists() and json.loads(record.read_text()) == settings
    checkpoint = options.model.with_suffix(".checkpoint")
    if same and options.model.exists():
        console.print(
            f"{shown(options.model)} is there, from the same settings: used again (--fresh trains anew)\n"
        )
        return None
    record.write_text(json.dumps(settings))
    options.model.unlink(missing_ok=True)
    resume = ["--resume"] if same and checkpoint.exists() else []
    begin = time.perf_counter()
    lmlp(
        *("train", "--data", options.train, "--members", str(options.members)),
        *("--time-limit", options.time_limit, "--seed", str(options.seed), "-o", str(options.model), *resume),
    )
    seconds = time.perf_counter() - begin
    console.print(f"training took {seconds / 60:.1f} minutes\n")
    return seconds


def test(options: Options) -> dict[str, dict[str, Any]]:
    """Evaluate the model on each test set with the command line and print the errors."""
    errors = {
        name: json.loads(lmlp("eval", str(options.model), data, "--json", capture=True))
        for name, data in options.tests.items()
    }
    table = Table(box=None, pad_edge=False)
    headings = ("test set", "structures", "E RMSE", "E MAE", "F RMSE", "F MAE")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "test set" else "right")
    for name, e in errors.items():
        values = [f"{1e3 * e[k]:.2f}" for k in ("energy_rmse", "energy_mae", "force_rmse", "force_mae")]
        table.add_row(name, str(e["n_structures"]), *values)
    console.print(table, "E in meV/atom, F in meV/Å\n")
    return errors


def simulate(options: Options) -> tuple[dict[str, Trajectory], dict[str, tuple[Difference, Difference]]]:
    """Run the same start in ASE and in LAMMPS; return the runs and their differences from ASE."""
    import ase.io
    from lmlp.io.open import open_stream

    with open_stream(DATA / "test_300K.xyz.xz", "rt") as stream:
        first = next(ase.io.iread(stream, index="0:1", format="extxyz"))
    moving = start(first, TEMPERATURE, options.seed)
    runs: dict[str, Trajectory] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("ASE", total=options.steps)
        runs["ASE"] = run_ase(
            moving, options.model, options.steps, lambda n: progress.update(task, completed=10 * n)
        )
    for ranks in (1, 2):
        name = f"LAMMPS, {ranks} rank{'s' if ranks > 1 else ''}"
        script = write_lammps_input(moving, options.model, options.steps, options.folder / f"lammps-{ranks}")
        with console.status(f"{name}: {shown(script)}"):
            runs[name] = run_lammps(script, ranks)
    end = float(runs["ASE"].time[-1])
    differences = {
        name: (compare(runs["ASE"], run, min(EARLY_PS, end)), compare(runs["ASE"], run, end))
        for name, run in runs.items()
        if name != "ASE"
    }
    print_dynamics(runs, differences, len(moving))
    return runs, differences


def print_dynamics(
    runs: dict[str, Trajectory], differences: dict[str, tuple[Difference, Difference]], n_atoms: int
) -> None:
    """Print drift, speed and differences from ASE: largest ones of positions and total energies."""
    from lmlp.plots.nve_energy import energy_drift

    first, last = next(iter(differences.values()))
    table = Table(box=None, pad_edge=False)
    headings = ["engine", "eV/atom/ps", "ms/step", f"until {first.until_ps:g} ps"]
    headings += [f"until {last.until_ps:g} ps"] if last.until_ps > first.until_ps else []
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "engine" else "right")
    for name, run in runs.items():
        drift = energy_drift(run.time, run.total / n_atoms)
        per_step = 1e3 * run.seconds * 1e-3 * TIME_STEP_FS / run.time[-1]
        both = differences.get(name, ())[: len(headings) - 3]
        cells = [f"{d.positions:.0e} Å, {d.energy:.0e} eV" for d in both]
        table.add_row(name, f"{drift:+.1e}", f"{per_step:.2f}", *cells)
    console.print(
        "drift, speed, and largest differences from ASE in positions and total energy:", style="dim"
    )
    console.print(table, "")


def main() -> None:
    """Run the demo."""
    options, fresh = read_options()
    if not DATA.is_dir():
        raise SystemExit(
            f"demo: {DATA} is missing; python examples/make_reference_data.py makes it (20 minutes)"
        )
    options.folder.mkdir(parents=True, exist_ok=True)
    if fresh:
        for pattern in ("model.*", "settings.json"):
            for file in options.folder.glob(pattern):
                file.unlink()
    print_plan(options)
    seconds = train(options)
    errors = test(options)
    runs, differences = simulate(options)
    from demo_report import write

    report = write(options, Results(errors, runs, differences, seconds))
    console.print(f"[bold]report:[/bold] {shown(report)}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("\ndemo: interrupted; the same command goes on from here") from None
