"""The tools of ASE that people combine the calculator with: optimizers, filters, dynamics, files."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms, units
from ase.filters import FrechetCellFilter, UnitCellFilter
from ase.io.trajectory import Trajectory
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS, FIRE
from lmlp import LMLPCalculator

from tests.models import random_crystal, random_molecule

SYMBOLS = ["H", "C", "O"]


@pytest.mark.parametrize("optimizer", [BFGS, FIRE])
def test_optimizers(calculator: LMLPCalculator, optimizer) -> None:
    atoms = random_molecule(SYMBOLS, n_atoms=4)
    atoms.calc = calculator
    energy = atoms.get_potential_energy()
    optimizer(atoms, logfile=None).run(fmax=1e-3, steps=20)
    assert atoms.get_potential_energy() < energy - 1e-4


@pytest.mark.parametrize("cell_filter", [FrechetCellFilter, UnitCellFilter])
def test_cell_filters(calculator: LMLPCalculator, cell_filter) -> None:
    atoms = random_crystal(SYMBOLS, n_atoms=4)
    atoms.calc = calculator
    energy, cell = atoms.get_potential_energy(), atoms.cell.array.copy()
    FIRE(cell_filter(atoms), logfile=None).run(fmax=1e-3, steps=15)
    assert atoms.get_potential_energy() < energy
    assert np.abs(atoms.cell.array - cell).max() > 1e-5


def test_dynamics_and_trajectory_with_uncertainties(model_path: Path, tmp_path: Path) -> None:
    atoms = random_crystal(SYMBOLS, n_atoms=8)
    atoms.calc = LMLPCalculator(model_path, uncertainty=True)
    path = tmp_path / "md.traj"
    dynamics = VelocityVerlet(atoms, 0.5 * units.fs)
    with Trajectory(str(path), "w", atoms) as trajectory:
        dynamics.attach(trajectory.write, interval=2)
        dynamics.run(6)
    with Trajectory(str(path)) as frames:
        assert len(frames) == 4
        assert frames[-1].get_potential_energy() == pytest.approx(atoms.get_potential_energy(), abs=1e-12)
        np.testing.assert_allclose(frames[-1].get_forces(), atoms.get_forces(), atol=1e-12)
        np.testing.assert_allclose(frames[-1].get_stress(), atoms.get_stress(), atol=1e-12)
    assert atoms.calc.results["grade"] >= 1.0


def test_extended_xyz_with_uncertainties(model_path: Path, tmp_path: Path) -> None:
    atoms = random_crystal(SYMBOLS, n_atoms=8)
    atoms.calc = LMLPCalculator(model_path, uncertainty=True)
    forces = atoms.get_forces()
    ase.io.write(tmp_path / "a.xyz", atoms)
    back = ase.io.read(tmp_path / "a.xyz")
    np.testing.assert_allclose(back.get_forces(), forces, atol=1e-7)
    assert set(atoms.calc.export_properties()) >= {"energy", "forces", "stress"}


def test_constraints_do_not_alter_the_calculators_forces(crystal: Atoms) -> None:
    from ase.constraints import FixAtoms

    crystal.set_constraint(FixAtoms([0, 1]))
    np.testing.assert_array_equal(crystal.get_forces()[:2], 0.0)
    assert np.abs(crystal.get_forces(apply_constraint=False)[:2]).max() > 0.0
