"""Reads, runs and writes the YAML references in reference/, made like those of the unit tests of LAMMPS.

Each file names an input, a pair style with its coefficients, and what came out: energy, virial and forces of
``run 0`` (init_...) and after four steps at constant energy (run_...).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from lammps_run import NKTV2P, LammpsResult, columns, run_lammps

FOLDER = Path(__file__).with_name("reference")
STEPS = 4
QUANTITIES = ("vdwl", "coul", "stress", "forces")
ORDER = ("natoms", *(f"{when}_{name}" for when in ("init", "run") for name in QUANTITIES))


@dataclass(frozen=True)
class State:
    """What LAMMPS unit tests compare: sums of the pair style [1], virial xx yy zz xy xz yz, forces by ID."""

    vdwl: np.ndarray
    coul: np.ndarray
    stress: np.ndarray
    forces: np.ndarray


def read_reference(path: Path) -> dict[str, Any]:
    """Read a file; numbers in blocks become arrays."""
    reference = yaml.safe_load(path.read_text())
    for when in ("init", "run"):
        for name in ("vdwl", "coul"):
            key = f"{when}_{name}"
            if key in reference:
                reference[key] = np.array([float(reference[key])])
        if f"{when}_stress" in reference:
            reference[f"{when}_stress"] = np.array(reference[f"{when}_stress"].split(), dtype=float)
            rows = [line.split() for line in reference[f"{when}_forces"].strip().splitlines()]
            assert [int(row[0]) for row in rows] == list(range(1, len(rows) + 1))
            reference[f"{when}_forces"] = np.array([row[1:] for row in rows], dtype=float)
    return reference


def run_reference(reference: dict[str, Any], folder: Path, ranks: int = 1) -> dict[str, State]:
    """Run the input of a file as it says; returns the states ``init`` and ``run``."""
    lines = [
        f'variable folder string "{FOLDER}"',
        *reference["pre_commands"].splitlines(),
        *(FOLDER / reference["input_file"]).read_text().splitlines(),
        f"pair_style {reference['pair_style']}",
        *(f"pair_coeff {line}" for line in reference["pair_coeff"].splitlines()),
        *reference["post_commands"].splitlines(),
        "compute virial all pressure NULL pair",
        f"dump forces all custom {STEPS} forces.*.dump id fx fy fz",
        "dump_modify forces sort id format float %.17g",
        "thermo_style custom step pe evdwl ecoul c_virial[1]",
        "fix nve all nve",
    ]
    numbers = ("evdwl", "ecoul", "vol", *(f"c_virial[{k}]" for k in range(1, 7)))
    for when, steps in (("init", 0), ("run", STEPS)):
        words = " ".join(f"$({name}:%.17g)" for name in numbers)
        lines += [f"run {steps} post no", f'print "{when}: {words}"']
    result = run_lammps("\n".join(lines) + "\n", folder, ranks=ranks)
    units = next(line.split()[1] for line in lines if line.startswith("units"))
    return {when: _state(result, when, step, units) for when, step in (("init", 0), ("run", STEPS))}


def _state(result: LammpsResult, when: str, step: int, units: str) -> State:
    values = result.value(when)
    forces = columns(result.dump(f"forces.{step}.dump"), "fx", "fy", "fz")
    return State(values[:1], values[1:2], values[3:] * values[2] / NKTV2P[units], forces)


def write_reference(reference: dict[str, Any], path: Path) -> None:
    """Write a file in the form of LAMMPS's own."""
    lines = ["---"]
    for key, value in reference.items():
        name = key.split("_")[-1]
        if isinstance(value, np.ndarray) and name == "forces":
            rows = [f"{i} " + " ".join(f"{x:.16e}" for x in row) for i, row in enumerate(value, start=1)]
            lines += [f"{key}: |2", *(f"  {row}" for row in rows)]
        elif isinstance(value, np.ndarray) and name == "stress":
            lines += [f"{key}: |2-", "  " + " ".join(f"{x:.16e}" for x in value)]
        elif isinstance(value, np.ndarray):
            lines.append(f"{key}: {float(value[0])!r}")
        elif isinstance(value, str) and (key.endswith("commands") or key in ("pair_coeff", "prerequisites")):
            lines += [f"{key}: |", *(f"  {line}" for line in value.splitlines())]
        else:
            lines.append(f"{key}: {value}")
    path.write_text("\n".join(lines) + "\n...\n")
