"""Isotopes, constraints and tags of a run: in its files, after resuming, and in what is said of it."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.constraints import FixAtoms, FixBondLength, FixCartesian
from lmlp.cli.app import app
from lmlp.errors import DataError, InvalidArgumentError
from lmlp.io import read_structures
from typer.testing import CliRunner

from tests.models import random_crystal
from tests.python.calculators.test_simulation import contents, simulation

DEUTERIUM, SYMBOLS = 2.014101778, ["H", "C", "O"]


def deuterated() -> Atoms:
    atoms = molecule("CH3CH2OH")
    atoms.set_masses(np.where(atoms.numbers == 1, DEUTERIUM, atoms.get_masses()))
    return atoms


def fixed() -> Atoms:
    atoms = random_crystal(SYMBOLS, n_atoms=6, spacing=2.6)
    atoms.set_constraint([FixAtoms([0, 3]), FixCartesian([1], [True, False, False])])
    return atoms


def tagged() -> Atoms:
    atoms = random_crystal(SYMBOLS, n_atoms=6, spacing=2.6)
    atoms.set_tags(np.arange(6))
    atoms.set_initial_charges(np.linspace(-1, 1, 6))
    atoms.set_initial_magnetic_moments(np.linspace(-1, 1, 6))
    atoms.info.update(charge=1, name="sample")
    return atoms


def bonded() -> Atoms:
    atoms = molecule("CH3CH2OH")
    atoms.set_constraint(FixBondLength(0, 1))
    return atoms


KINDS = {"isotopes": deuterated, "fixed atoms": fixed, "tags and charges": tagged, "a rigid bond": bonded}


@pytest.mark.parametrize("ensemble", ["nve", "nvt"])
@pytest.mark.parametrize("kind", KINDS)
def test_resumed_from_less_it_is_the_same_run(
    model_path: Path, tmp_path: Path, kind: str, ensemble: str
) -> None:
    """The start may have lost what the run knows of its atoms, as a plain XYZ file has."""
    whole = simulation(model_path, tmp_path / "whole", ensemble, atoms=KINDS[kind]())
    whole.start()
    whole.run(24)
    first = simulation(model_path, tmp_path / "parts", ensemble, atoms=KINDS[kind]())
    first.start()
    first.run(16)
    plain = Atoms(first.atoms.numbers, KINDS[kind]().positions, cell=first.atoms.cell, pbc=first.atoms.pbc)
    second = simulation(model_path, tmp_path / "parts", ensemble, atoms=plain)
    second.resume()
    second.run(24)
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    np.testing.assert_array_equal(second.atoms.get_momenta(), whole.atoms.get_momenta())
    np.testing.assert_array_equal(second.atoms.get_masses(), whole.atoms.get_masses())
    third = simulation(model_path, tmp_path / "parts", ensemble, atoms=KINDS[kind]())  # as it began
    third.resume()


def test_rigid_bonds_keep_the_lengths_that_they_began_with(model_path: Path, tmp_path: Path) -> None:
    """Each restart would add the rounding of a measured length."""
    whole = simulation(model_path, tmp_path / "whole", atoms=bonded())
    whole.start()
    whole.run(24)
    for step in range(3, 25, 3):
        part = simulation(model_path, tmp_path / "parts", atoms=bonded())
        if step == 3:
            part.start()
        else:
            part.resume()
        part.run(step)
    assert part.atoms.constraints[0].bondlengths == pytest.approx(
        whole.atoms.constraints[0].bondlengths, abs=0
    )
    np.testing.assert_array_equal(part.atoms.positions, whole.atoms.positions)
    np.testing.assert_array_equal(part.atoms.get_momenta(), whole.atoms.get_momenta())


@pytest.mark.parametrize("kind", ["isotopes", "fixed atoms", "tags and charges"])
def test_the_trajectory_reads_back_as_it_ran(model_path: Path, tmp_path: Path, kind: str) -> None:
    run = simulation(model_path, tmp_path / "a", atoms=KINDS[kind]())
    run.start()
    run.run(15)
    frames = ase.io.read(run.files.trajectory, ":")
    log = {int(row[0]): row for row in np.loadtxt(run.files.log)}
    for frame in frames:
        np.testing.assert_allclose(frame.get_masses(), run.atoms.get_masses(), atol=1e-8)
        assert bool(frame.constraints) == bool(run.atoms.constraints)
        for name in ("tags", "initial_charges", "initial_magmoms"):
            assert frame.has(name) == run.atoms.has(name)
        if frame.info["step"] in log:  # positions and momenta are written with eight digits
            expected = log[frame.info["step"]][5]
            assert frame.get_temperature() == pytest.approx(expected, rel=1e-5, abs=2e-3)
    if kind == "fixed atoms":
        forces = run.atoms.get_forces(apply_constraint=False)  # the model's, not those that move
        assert np.abs(frames[-1].arrays["lmlp_forces"] - forces).max() < 1e-7
        np.testing.assert_array_equal(frames[-1].positions[[0, 3]], frames[0].positions[[0, 3]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.set_masses([3.016, *a.get_masses()[1:]]), r"other atoms \(masses\)"),
        (lambda a: a.set_constraint(FixAtoms([2])), r"other atoms \(constraints\)"),
        (lambda a: a.set_pbc(not a.pbc[0]), r"other atoms \(pbc\)"),
    ],
)
@pytest.mark.parametrize("kind", ["isotopes", "fixed atoms"])
def test_other_atoms_are_refused(model_path: Path, tmp_path: Path, kind: str, change, message: str) -> None:
    run = simulation(model_path, tmp_path / "a", atoms=KINDS[kind]())
    run.start()
    run.run(8)
    before = contents(tmp_path / "a")
    other = KINDS[kind]()
    change(other)
    with pytest.raises(DataError, match=message):
        simulation(model_path, tmp_path / "a", atoms=other).resume()
    assert contents(tmp_path / "a") == before


def test_labels_of_the_start_are_not_those_of_its_frames(model_path: Path, tmp_path: Path) -> None:
    atoms = random_crystal(SYMBOLS, n_atoms=6, spacing=2.6)
    atoms.info.update(REF_energy=-1.0, dft_free_energy=-2.0, virial=np.eye(3), config_type="hot")
    atoms.new_array("REF_forces", np.ones((6, 3)))
    run = simulation(model_path, tmp_path / "a", atoms=atoms)
    run.start()
    run.run(3)
    for s in read_structures(run.files.trajectory):
        assert (s.energy, s.forces, s.stress) == (None, None, None)
        assert s.info["config_type"] == "hot"


@pytest.mark.parametrize("mass", [0.0, -1.0, np.nan, np.inf])
def test_impossible_masses(model_path: Path, tmp_path: Path, mass: float) -> None:
    atoms = random_crystal(SYMBOLS, n_atoms=6, spacing=2.6)
    atoms.set_masses([1.0, 1.0, mass, 1.0, 1.0, 1.0])
    with pytest.raises(InvalidArgumentError, match=r"atom 2 \(\w+\) has the mass"):
        simulation(model_path, tmp_path / "a", atoms=atoms)


@pytest.mark.parametrize("name", ["start.xyz", "start.traj", "mass.xyz"])
def test_command(model_path: Path, tmp_path: Path, name: str, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    atoms = deuterated()
    if name.startswith("mass"):
        atoms.new_array("mass", atoms.get_masses())
        del atoms.arrays["masses"]
    ase.io.write(name, atoms)
    arguments = ["md", str(model_path), name, "--interval", "5", "--no-watch", "--threads", "1"]
    for more in (["--steps", "10"], ["--steps", "20", "--resume"]):
        result = CliRunner().invoke(app, [*arguments, *more])
        assert result.exit_code == 0, result.output
    last = ase.io.read("traj.xyz", "-1")
    assert set(np.round(last.get_masses()[last.numbers == 1], 4)) == {2.0141}
    assert last.get_temperature() == pytest.approx(np.loadtxt("traj.log")[-1, 5], rel=1e-5)
