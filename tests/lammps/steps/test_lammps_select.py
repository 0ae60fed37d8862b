"""fix lmlp/select: what it writes, when, and that nothing is lost; forces are never touched."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from lammps_case import ELEMENTS, Case, Models
from lammps_run import LMP, columns, write_data
from lmlp import LMLPCalculator, _core
from lmlp.calculators.watch import SigmaWatch, WatchOptions, candidate
from lmlp.export.model_file import read_model_file
from lmlp.export.writing import write_model_file
from lmlp.io import read_structures

SYMBOLS = " ".join(ELEMENTS)
BOHR = 0.529177210903


def pair_lines(model: Path) -> str:
    return f"pair_style lmlp\npair_coeff * * {model} {SYMBOLS}\n"


def read(case: Case, name: str = "c.extxyz") -> list[Atoms]:
    return ase.io.read(case.folder / name, index=":")


def steps(case: Case, name: str = "c.extxyz") -> list[int]:
    return [frame.info["step"] for frame in read(case, name)]


def of_lmlp_md(model: Path, atoms: Atoms) -> Atoms:
    """The same structure as `lmlp md` writes it."""
    atoms = atoms.copy()
    atoms.calc = LMLPCalculator(model)
    watch = SigmaWatch(atoms.calc, WatchOptions(save_grade=1.0))
    return candidate(atoms, watch.look(atoms, 0), str(model))


@pytest.fixture(scope="module")
def modest(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first model, with a test error that is above the uncertainty of some force components."""
    path = tmp_path_factory.mktemp("modest") / "modest.pt"
    write_model_file(replace(read_model_file(models.many), force_rmse=0.06), path, verify=False)
    return path


@pytest.mark.parametrize(("units", "length", "ranks"), [("metal", 1.0, 2), ("electron", 1 / BOHR, 4)])
def test_structures_are_those_of_lmlp_md(
    case: Case, full_run, modest: Path, units: str, length: float, ranks: int
) -> None:
    crystal = case.crystal
    model = case.models.many if units == "metal" else modest
    result = case.run(
        case.header(units, length)
        + pair_lines(model)
        + "fix s all lmlp/select 1 c.extxyz save 1\n"
        + "dump d all custom 1 s.dump id fx fy fz\ndump_modify d sort id format float %.17g\n"
        + 'run 0\nprint "vector: $(f_s[1]) $(f_s[2]) $(f_s[3]) $(f_s[4]) $(f_s[5]) $(f_s[6])"\n',
        ranks=ranks,
    )
    (written,) = read(case)
    assert written.get_chemical_symbols() == [ELEMENTS[k] for k in crystal.species]
    np.testing.assert_array_equal(written.arrays["id"], np.arange(1, 25))
    np.testing.assert_array_equal(written.pbc, [True] * 3)
    # other length units go through LAMMPS's data file and back
    np.testing.assert_allclose(written.cell.array, crystal.cell, rtol=0, atol=1e-14)
    shift = np.linalg.solve(crystal.cell.T, (written.positions - crystal.positions).T)
    np.testing.assert_allclose(shift, np.round(shift), rtol=0, atol=1e-14)

    start = Atoms(written.numbers, crystal.positions, cell=crystal.cell, pbc=True)
    expected = of_lmlp_md(model, start)
    assert set(expected.info) <= set(written.info), "every entry of lmlp md"
    assert expected.info["lmlp_force_grade"] > 2.0
    for name in ("lmlp_energy_grade", "lmlp_force_grade", "lmlp_energy_uncertainty"):
        assert written.info[name] == pytest.approx(expected.info[name], rel=1e-7), name
    assert written.info["step"] == 0
    assert written.info["lmlp_model"] == str(model)
    assert written.info["lmlp_checksum"] == _core.Potential(str(model)).info()["checksum"]
    sigma = written.arrays["lmlp_forces_uncertainty"]
    # deviations of members from their mean carry the errors of forces
    np.testing.assert_allclose(sigma, expected.arrays["lmlp_forces_uncertainty"], rtol=0, atol=1e-9)
    assert np.ptp(sigma) > 0.1
    if model == modest:
        assert 0.1 < (sigma == 0.06).mean() < 0.9, "the test error is the floor, as in ASE"

    energy, forces, distance, saved, refused, step = result.value("vector")
    assert energy == pytest.approx(written.info["lmlp_energy_grade"], rel=1e-5)  # six digits are printed
    assert forces == pytest.approx(written.info["lmlp_force_grade"], rel=1e-5)
    shortest = written.get_all_distances(mic=True)[np.triu_indices(24, 1)].min()
    assert distance == pytest.approx(shortest * length, rel=1e-5)
    assert (saved, refused, step) == (1, 0, 0)
    if units == "metal":
        dumps = [r.dump(name) for r, name in ((result, "s.dump"), (full_run(units, ranks), "full.dump"))]
        np.testing.assert_array_equal(*(columns(dump, "fx", "fy", "fz") for dump in dumps))
    (structure,) = read_structures(case.folder / "c.extxyz")
    assert structure.energy is None, "nothing in it is taken for a label"


def test_gap_max_and_a_file_that_is_continued(case: Case) -> None:
    start = case.header() + pair_lines(case.models.many) + "fix 1 all nve\ntimestep 0.0005\n"
    result = case.run(start + "fix s all lmlp/select 2 c.extxyz save 1 gap 5 max 4\nrun 10\nrun 30\n")
    assert steps(case) == [0, 6, 12, 18]
    # 6 and 16 looks: the second run begins with the step at which the first one ended
    assert "22 evaluations, 4 structures saved (4 in c.extxyz)" in result.output
    # a killed run has left half a structure; the next one continues the file
    whole = (case.folder / "c.extxyz").read_bytes()
    (case.folder / "c.extxyz").write_bytes(whole + whole[: len(whole) // 9])
    result = case.run(start + "fix s all lmlp/select 1 c.extxyz save 1 gap 1 max 6\nrun 10\n", ranks=2)
    assert f"{len(whole) // 9} bytes behind structure 4 were cut off" in " ".join(result.output.split())
    assert "c.extxyz has 4 structures, more are appended" in result.output
    assert steps(case) == [0, 6, 12, 18, 0, 1]
    assert (case.folder / "c.extxyz").read_bytes().startswith(whole)


def test_nothing_is_saved_below_the_threshold(case: Case) -> None:
    result = case.run(
        case.header()
        + pair_lines(case.models.many)
        + "fix s all lmlp/select 1 c.extxyz save 1e6 stop 1e6\n"
        + "fix t all lmlp/select 1 d.extxyz save 1.0 stop off\nfix 1 all nve\nrun 2\n"
    )
    assert "stops the run" not in result.output
    assert (case.folder / "c.extxyz").read_text() == ""
    assert steps(case, "d.extxyz") == [0]


def test_stop_ends_the_run_and_skips_later_ones(case: Case) -> None:
    result = case.run(
        case.header()
        + "reset_timestep 1\n"  # the first look is in the middle of the run
        + pair_lines(case.models.many)
        + "fix s all lmlp/select 4 c.extxyz save 1 stop 1\nfix 1 all nve\nrun 20\n"
        + 'print "ended: $(step)"\nrun 20\nprint "later: $(step)"\n',
        ranks=2,
    )
    assert "Fix lmlp/select s stops the run on step 4: energy grade" in result.output
    assert result.value("ended")[0] == 4
    assert result.value("later")[0] == 4
    assert steps(case) == [4]


def test_structures_with_atoms_too_close_are_refused(case: Case) -> None:
    x, y, z = case.crystal.positions[0] + [0.6, 0.0, 0.0]
    result = case.run(
        case.header()
        + f"create_atoms 1 single {x:.17g} {y:.17g} {z:.17g} units box\n"
        + pair_lines(case.models.many)
        + "fix s all lmlp/select 1 c.extxyz save 1\n"
        + "fix t all lmlp/select 1 d.extxyz save 1 mindist 0.55\n"
        + 'run 0\nprint "s: $(f_s[3]) $(f_s[4]) $(f_s[5])"\nprint "t: $(f_t[4]) $(f_t[5])"\n',
        ranks=2,
    )
    assert "step 0 is not saved, two atoms are 0.6 Angstrom apart" in " ".join(result.output.split())
    np.testing.assert_allclose(result.value("s"), [0.6, 0, 1], rtol=1e-5)
    np.testing.assert_array_equal(result.value("t"), [1, 0])
    assert (case.folder / "c.extxyz").read_text() == ""
    assert len(read(case, "d.extxyz")[0]) == 25


def test_open_boundaries_a_rank_without_atoms_and_minimization(case: Case) -> None:
    positions = case.crystal.positions[:12] + np.array([4.0, 2.0, 1.0])
    species = case.crystal.species[:12]
    write_data(case.folder / "cluster.data", species + 1, positions, np.diag([40.0, 12.0, 9.0]), 3)
    case.run(
        "units metal\natom_style atomic\nboundary f s p\nprocessors 2 1 1\nread_data cluster.data\n"
        + "mass * 12.0\n"
        + pair_lines(case.models.many)
        + "fix s all lmlp/select 1 c.extxyz save 1 gap 1\n"
        + "minimize 0 0 3 20\n",
        ranks=2,
    )
    frames = read(case)
    assert [frame.info["step"] for frame in frames] == [0, 1, 2, 3]
    first = frames[0]
    np.testing.assert_array_equal(first.pbc, [False, False, True])
    np.testing.assert_allclose(first.cell.lengths()[[0, 2]], [40.0, 9.0])
    shift = first.positions - positions  # the box of an `s` boundary begins at the lowest atom
    np.testing.assert_allclose(shift, np.broadcast_to([0, shift[0, 1], 0], (12, 3)), rtol=0, atol=1e-12)
    expected = of_lmlp_md(case.models.many, first)
    for name in ("lmlp_energy_grade", "lmlp_force_grade"):
        assert first.info[name] == pytest.approx(expected.info[name], rel=1e-7)
    assert np.abs(frames[-1].positions - first.positions).max() > 1e-3


def test_one_of_two_models_and_the_atoms_of_a_group(case: Case) -> None:
    crystal = case.crystal
    types = crystal.species + 1
    types[[3, 10]] = 4
    write_data(case.folder / "hybrid.data", types, crystal.positions, crystal.cell, 4)
    script = (
        "units metal\natom_style atomic\nbox tilt large\nread_data hybrid.data\nmass * 12.0\n"
        "pair_style hybrid/overlay lmlp lmlp lj/cut 3.0\n"
        f"pair_coeff * * lmlp 1 {case.models.other} {SYMBOLS} NULL\n"
        f"pair_coeff * * lmlp 2 {case.models.many} {SYMBOLS} NULL\npair_coeff 1*4 4 lj/cut 0.01 2.0\n"
        "group ours type 1:3\n"
    )
    case.run(script + "fix s ours lmlp/select 1 c.extxyz save 1 instance 2\nrun 0\n", ranks=2)
    (frame,) = read(case)
    assert len(frame) == 22
    assert frame.info["lmlp_model"] == str(case.models.many)
    expected = of_lmlp_md(case.models.many, frame)
    assert frame.info["lmlp_energy_grade"] == pytest.approx(expected.info["lmlp_energy_grade"], rel=1e-7)
    for line, words in (
        ("fix s ours lmlp/select 1 d.extxyz", "say which by 'instance 1'"),
        ("fix s all lmlp/select 1 d.extxyz instance 2", "atoms of type 4, for which pair_coeff gives NULL"),
    ):
        result = case.run(script + line + "\nrun 0\n", check=False)
        assert result.returncode != 0
        assert words in " ".join(result.output.split())


def test_a_killed_run_loses_nothing(case: Case) -> None:
    script = case.header() + pair_lines(case.models.many) + "fix 1 all nve\ntimestep 0.0001\n"
    (case.folder / "in.lammps").write_text(
        script + "fix s all lmlp/select 1 c.extxyz save 1 gap 1 max 1000000\nthermo 1\nrun 100000000\n"
    )
    command = [*LMP, "-in", "in.lammps", "-log", "none", "-screen", "none"]
    file = case.folder / "c.extxyz"
    # a session of its own: the `lmp` script starts LAMMPS as a child, and the kill must reach that one
    with subprocess.Popen(command, cwd=case.folder, start_new_session=True) as process:
        try:
            end = time.monotonic() + 120
            while time.monotonic() < end and (not file.exists() or file.stat().st_size < 20000):
                assert process.poll() is None, "LAMMPS ended by itself"
                time.sleep(0.01)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    frames = read(case)  # ASE would stumble over half a structure
    assert len(frames) >= 5
    assert [frame.info["step"] for frame in frames] == list(range(len(frames)))


ERRORS = [
    ("many", "1", "'file' is missing its value"),
    ("many", "0 c.extxyz", "N is '0'; it must be 1 or more"),
    ("many", "1 c.extxyz save", "'save' is missing its value"),
    ("many", "1 c.extxyz save 0.5", "'save 0.5' must be 1 or more: thresholds start at 1"),
    ("many", "1 c.extxyz save 5 stop 4", "'stop 4' must not be below 'save 5'"),
    ("many", "1 c.extxyz treshold 4", "unknown keyword 'treshold'; usage: fix ID group lmlp/select N file"),
    ("many", "1 absent/c.extxyz", "cannot write absent/c.extxyz: No such file or directory"),
    ("many", "1 crystal.xyz", "crystal.xyz exists and was not written by fix lmlp/select: line 2 has no"),
    ("many", "1 metal.data", "line 1 is not the number of atoms"),
    ("single", "1 c.extxyz", "grades that fix lmlp/select needs: the model has one ensemble member"),
    ("bare", "1 c.extxyz", "grades that fix lmlp/select needs: the model stores no test errors"),
]


@pytest.mark.parametrize(("model", "arguments", "words"), ERRORS, ids=[f"{m} {a}" for m, a, _ in ERRORS])
def test_errors(case: Case, model: str, arguments: str, words: str) -> None:
    foreign = case.folder / "crystal.xyz"
    foreign.write_text("1\nnot a candidate\nH 0 0 0\n")
    script = case.header() + pair_lines(getattr(case.models, model)) + f"fix s all lmlp/select {arguments}\n"
    data = (case.folder / "metal.data").read_bytes()
    result = case.run(script, ranks=2 if "absent" in arguments else 1, check=False)
    assert result.returncode != 0
    assert words in " ".join(result.output.split()), result.output[-2000:]
    assert foreign.read_text() == "1\nnot a candidate\nH 0 0 0\n", "files of others are left alone"
    assert (case.folder / "metal.data").read_bytes() == data


def test_a_file_that_another_run_writes(case: Case) -> None:
    lines = "fix s all lmlp/select 1 c.extxyz\nfix t all lmlp/select 1 c.extxyz\n"
    result = case.run(case.header() + pair_lines(case.models.many) + lines, check=False)
    assert "c.extxyz is being written by another run or another fix" in " ".join(result.output.split())


@pytest.mark.parametrize(("units", "length"), [("metal", 1.0), ("real", 1.0), ("electron", 1 / BOHR)])
def test_frames_of_a_rerun_are_those_of_the_run(case: Case, modest: Path, units: str, length: float) -> None:
    """A trajectory is searched afterwards: same steps, positions and uncertainties as while it was made."""
    head = case.header(units, length) + pair_lines(modest) + "neigh_modify every 1 delay 0 check yes\n"
    timestep = {"metal": 1e-3, "real": 1.0, "electron": 1.0}[units]
    case.run(
        head
        + "velocity all create 300 7\nfix 1 all nve\nfix s all lmlp/select 2 run.extxyz save 1 gap 2\n"
        + f"timestep {timestep}\ndump d all custom 2 traj.dump id type x y z\n"
        + "dump_modify d sort id format float %.17g\nrun 6\n",
        ranks=2,
    )
    case.run(
        head + "fix s all lmlp/select 2 rerun.extxyz save 1 gap 2\nrerun traj.dump dump x y z\n", ranks=1
    )
    assert steps(case, "run.extxyz") == steps(case, "rerun.extxyz") == [0, 2, 4, 6]
    for a, b in zip(read(case, "run.extxyz"), read(case, "rerun.extxyz"), strict=True):
        shift = np.linalg.solve(case.crystal.cell.T, (a.positions - b.positions).T)
        np.testing.assert_allclose(shift, np.round(shift), rtol=0, atol=1e-13)
        np.testing.assert_allclose(b.cell.array, case.crystal.cell, rtol=0, atol=1e-13)
        for name in ("lmlp_energy_grade", "lmlp_force_grade", "lmlp_energy_uncertainty"):
            assert b.info[name] == pytest.approx(a.info[name], rel=1e-7), name
        np.testing.assert_allclose(
            b.arrays["lmlp_forces_uncertainty"], a.arrays["lmlp_forces_uncertainty"], rtol=0, atol=1e-9
        )
