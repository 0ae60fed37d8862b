"""Training data of the scans, made or read: one folder with train.xyz per system, labeled with GFN2-xTB."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.calculators.calculator import CalculationFailed, Calculator
from ase.calculators.singlepoint import SinglePointCalculator
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.optimize import BFGS
from tblite.ase import TBLite

EXAMPLE = Path(__file__).parents[3] / "examples" / "data" / "phenacetin"
_LABEL_ACCURACY = 0.01
_MOLECULES = 6
_EDGE = 3.57
_RATTLED = 0.03
_SPACING_STEPS = 20
_EQUILIBRATION_STEPS = 400


def calculator(accuracy: float = 1.0) -> Calculator:
    """GFN2-xTB, silent."""
    return TBLite(method="GFN2-xTB", accuracy=accuracy, verbosity=0)


def label(atoms: Atoms) -> tuple[float, np.ndarray] | None:
    """Energy in eV and forces in eV/Å of a fresh calculation; None where it does not converge."""
    fresh = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    fresh.calc = calculator(_LABEL_ACCURACY)
    try:
        return float(fresh.get_potential_energy()), fresh.get_forces()
    except (CalculationFailed, RuntimeError):
        return None


def labeled(structures: list[Atoms]) -> list[Atoms]:
    """Copies with energy and forces; those whose calculation does not converge are left out."""
    result = []
    for atoms in structures:
        found = label(atoms)
        if found is not None:
            copy = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
            copy.calc = SinglePointCalculator(copy, energy=found[0], forces=found[1])
            result.append(copy)
    return result


def water_cluster(seed: int) -> Atoms:
    """Relaxed cluster of six molecules, placed and turned at random."""
    rng = np.random.default_rng(seed)
    cluster = Atoms()
    for corner in rng.permutation(np.array(list(np.ndindex(2, 2, 2))))[:_MOLECULES]:
        one = molecule("H2O")
        one.rotate(rng.uniform(0, 360), rng.standard_normal(3), center="COM")
        one.translate(2.9 * corner - one.get_center_of_mass())
        cluster += one
    cluster.calc = calculator()
    BFGS(cluster, logfile=None).run(fmax=0.05, steps=200)
    return Atoms(cluster.numbers, cluster.positions - cluster.get_center_of_mass())


def water_data(trajectories: int = 6, frames: int = 40) -> list[Atoms]:
    """Structures of clusters at 300 K, every 20 fs of trajectories of Langevin dynamics."""
    found = []
    for seed in range(trajectories):
        rng = np.random.default_rng(1000 + seed)
        atoms = water_cluster(seed)
        atoms.calc = calculator()
        MaxwellBoltzmannDistribution(atoms, temperature_K=600, rng=rng)
        dynamics = Langevin(atoms, 1.0 * units.fs, temperature_K=300, friction=0.01 / units.fs, rng=rng)
        dynamics.run(_EQUILIBRATION_STEPS)
        for _ in range(frames):
            dynamics.run(_SPACING_STEPS)
            found.append(atoms.copy())
    return labeled(found)


def diamond() -> Atoms:
    """The crystal, in a cell of eight atoms that GFN2-xTB computes at the point Γ."""
    return bulk("C", "diamond", _EDGE, cubic=True)


def diamond_data(number: int = 200, seed: int = 0) -> list[Atoms]:
    """Cells of eight atoms, strained by a percent, atoms moved by 0.01 to 0.06 Å in each direction."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(number):
        atoms = diamond()
        strain = rng.normal(0.0, 0.01, (3, 3))
        atoms.set_cell(atoms.cell @ (np.eye(3) + 0.5 * (strain + strain.T)), scale_atoms=True)
        atoms.positions += rng.normal(0.0, rng.uniform(0.01, 0.06), (len(atoms), 3))
        found.append(atoms)
    return labeled(found)


def public_data() -> Path:
    """Return the folder of acetylacetone, or stop with what to do."""
    default = Path(__file__).resolve().parents[4] / "shared" / "data"
    folder = Path(os.environ.get("LMLP_DATA", default)) / "acac"
    if not folder.is_dir():
        sys.exit(f"no data in {folder}: set LMLP_DATA to a folder that holds them, or leave out acac")
    return folder


def make_data(system: str, folder: Path) -> Path:
    """Return the training file of a system, made where it is not there yet."""
    if system == "molecule":
        return EXAMPLE / "train_300K.xyz.xz"
    if system == "acac":
        return public_data() / "train_300K.xyz.xz"
    file = folder / "train.xyz"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        structures = {"water": water_data, "diamond": diamond_data}[system]()
        unfinished = file.with_suffix(".tmp")
        ase.io.write(unfinished, structures, format="extxyz")
        unfinished.replace(file)
    return file


def start(system: str) -> Atoms:
    """Return where the paths of a system start: relaxed; diamond with atoms moved a little."""
    if system == "diamond":
        crystal = diamond()
        crystal.rattle(_RATTLED, seed=0)  # in the perfect crystal all forces vanish
        return crystal
    if system == "molecule":
        found = ase.io.read(EXAMPLE / "start.xyz", format="extxyz")
        return Atoms(found.numbers, found.positions)
    return water_cluster(0)
