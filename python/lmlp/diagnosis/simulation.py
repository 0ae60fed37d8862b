"""The proof that LAMMPS works with lmlp: five steps of a tiny model, compared with the core."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import numpy as np

from lmlp.diagnosis.check import Check, first_line
from lmlp.diagnosis.programs import error_of, run_lammps

ELEMENTS = ["H", "O"]
EDGE = 8.0  # Å, the edge of the box
STEPS = 5
_TOLERANCE = 1e-8  # eV; measured: 1e-14
# two water molecules, Å
POSITIONS = np.array(
    [[1.0, 1.0, 1.0], [1.96, 1.0, 1.0], [0.76, 1.93, 1.0], [4.0, 4.0, 4.2], [4.9, 4.3, 4.1], [3.8, 4.6, 4.9]]
)
TYPES = [2, 1, 1, 2, 1, 1]

DOCS = "see docs/lammps.md"


def check_simulation(lmp: str, launcher: str | None, load: str) -> Check:
    """Run a tiny model for five steps on one rank, and on two where there is a launcher.

    Args:
        lmp: the program.
        launcher: ``mpiexec`` that works with it, or None.
        load: lines that load the plugin, "" where it is found by itself.
    """
    commands = [[lmp], [launcher, "-n", "2", lmp]] if launcher else [[lmp]]
    try:
        expected, problem = run_tiny_model(commands, load)
    except Exception as error:
        return Check("simulation", "error", f"no tiny model could be made: {first_line(error)}", DOCS)
    if problem:
        return Check("simulation", "error", f"{STEPS} steps of a tiny model {problem}", DOCS)
    found = [1, 2][: len(commands)]
    ranks = " and ".join(f"{n} rank{'s' if n > 1 else ''}" for n in found)
    text = f"{STEPS} steps of a tiny model on {ranks}; energies as in the core"
    return Check("simulation", "ok", text, values={"ranks": found, "energy": expected})


def run_tiny_model(commands: list[list[str]], load: str, settings: str = "") -> tuple[float, str]:
    """Run a tiny model for five steps with each of the commands, and compare its energy with the core's.

    Args:
        commands: the program and its arguments, on one rank or on two.
        load: lines that load the plugin, "" where it is found by itself.
        settings: of ``pair_style lmlp``.

    Returns:
        The core's energy in eV, and what went wrong first, beginning with the ranks ("" for nothing).
    """
    with tempfile.TemporaryDirectory(prefix="lmlp-doctor-") as folder:
        model = Path(folder) / "tiny.pt"
        _write_tiny_model(model)
        expected = _core_energy(model)
        for command in commands:
            code, output = run_lammps(command, load + _script(model, settings))
            problem = _compare(output, expected) if code == 0 else error_of(output)
            if problem:
                return expected, f"{'on two ranks' if len(command) > 1 else 'on one rank'}: {problem}"
    return expected, ""


def _write_tiny_model(path: Path) -> None:
    from lmlp.descriptor.presets import make_preset
    from lmlp.export.random_model import RandomModelOptions, random_model
    from lmlp.export.writing import write_model_file

    descriptor = make_preset("eeacsf-153", ELEMENTS, cutoff=3.5)
    descriptor["functions"] = descriptor["functions"][::10]
    options = RandomModelOptions(n_members=2, hidden_layers=(6,), n_atoms=16)
    write_model_file(random_model(descriptor, ELEMENTS, options), path, verify=False)


def _core_energy(model: Path) -> float:
    from lmlp.calculators.backends import CoreBackend
    from lmlp.calculators.prediction import predict
    from lmlp.neighbors import find_neighbors

    backend = CoreBackend(model, n_threads=1)
    pairs = find_neighbors(POSITIONS, EDGE * np.eye(3), True, backend.facts.cutoff)
    return predict(backend, pairs, np.array(TYPES, dtype=np.int32) - 1).energy


def _script(model: Path, settings: str) -> str:
    atoms = "\n".join(
        f"create_atoms {kind} single {x} {y} {z}" for kind, (x, y, z) in zip(TYPES, POSITIONS, strict=True)
    )
    return (
        f"units metal\natom_style atomic\nregion box block 0 {EDGE} 0 {EDGE} 0 {EDGE}\ncreate_box 2 box\n"
        f"{atoms}\nmass 1 1.008\nmass 2 15.999\npair_style lmlp {settings}\n"
        f"pair_coeff * * {model} {' '.join(ELEMENTS)}\n"
        "fix move all nve\nfix sigma all pair 5 lmlp sigma_f 1\ntimestep 0.0005\n"
        'thermo_modify norm no\nrun 0\nprint "doctor: start $(pe:%.17g)"\n'
        f'run {STEPS}\nprint "doctor: end $(etotal:%.17g) $(step)"\n'
    )


def _compare(output: str, expected: float) -> str:
    """Say what is wrong with the numbers; "" for nothing."""
    start = re.search(r"^doctor: start (\S+)", output, re.MULTILINE)
    end = re.search(r"^doctor: end (\S+) (\d+)", output, re.MULTILINE)
    if start is None or end is None or int(end[2]) != STEPS:
        return f"it did not come to step {STEPS}"
    if not abs(float(start[1]) - expected) <= _TOLERANCE:
        return f"energy {start[1]} eV instead of {expected!r} eV"
    # five half femtoseconds conserve the energy to 1e-6 eV; a wrong force shows
    if not abs(float(end[1]) - expected) <= 1e-3:
        return f"the total energy went from {expected!r} to {end[1]} eV within {STEPS} steps"
    return ""
