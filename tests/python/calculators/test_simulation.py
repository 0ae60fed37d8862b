"""Runs of ``lmlp md``: resumed to the bit, watched, never overwriting."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from lmlp import LMLPCalculator
from lmlp.calculators.dynamics import Thermodynamics
from lmlp.calculators.simulation import Intervals, RunFiles, Simulation
from lmlp.calculators.watch import SigmaWatch, WatchOptions
from lmlp.errors import DataError, InvalidArgumentError, UncertaintyError
from lmlp.export.model_file import read_model_file
from lmlp.export.writing import write_model_file

from tests.models import random_crystal

SYMBOLS = ["H", "C", "O"]


def simulation(model: Path, folder: Path, ensemble: str = "nvt", **options) -> Simulation:
    folder.mkdir(exist_ok=True)
    atoms = options.pop("atoms", None) or random_crystal(SYMBOLS, n_atoms=6, spacing=2.6)
    atoms.calc = LMLPCalculator(model, threads=1)
    conditions = Thermodynamics(ensemble, temperature=200.0, timestep=0.25, **options.pop("conditions", {}))
    watch = SigmaWatch(atoms.calc, WatchOptions(**options.pop("watch", {"interval": 4})))
    intervals = Intervals(3, 5, 8)
    return Simulation(atoms, conditions, RunFiles.beside(folder / "t.xyz"), intervals, watch, **options)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix != ".npz"}


@pytest.mark.parametrize("ensemble", ["nve", "nvt", "npt"])
def test_resumed_run_is_the_same_run(model_path: Path, tmp_path: Path, ensemble: str) -> None:
    whole = simulation(model_path, tmp_path / "whole", ensemble)
    whole.start()
    whole.run(30)
    first = simulation(model_path, tmp_path / "parts", ensemble)
    first.start()
    first.run(19)
    # the files are ahead of the restart file (step 16), as after a kill; something was half written
    restart = first.files.restart.read_bytes()
    other = simulation(model_path, tmp_path / "other", ensemble)
    other.start()
    other.run(16)
    first.files.restart.write_bytes(other.files.restart.read_bytes())
    assert first.files.restart.read_bytes() != restart
    with first.files.trajectory.open("a") as file:
        file.write("6\nhalf a fra")
    second = simulation(model_path, tmp_path / "parts", ensemble)
    second.resume()
    assert second.step == 16
    second.run(30)
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    np.testing.assert_array_equal(second.atoms.positions, whole.atoms.positions)
    np.testing.assert_array_equal(second.atoms.get_momenta(), whole.atoms.get_momenta())
    np.testing.assert_array_equal(second.atoms.cell.array, whole.atoms.cell.array)


def test_files(model_path: Path, tmp_path: Path) -> None:
    run = simulation(model_path, tmp_path / "a", "nve")
    run.start()
    run.run(20)
    frames = ase.io.read(run.files.trajectory, ":")
    assert [frame.info["step"] for frame in frames] == [0, 3, 6, 9, 12, 15, 18]
    assert frames[-1].info["time_ps"] == pytest.approx(18 * 0.25e-3)
    log = np.loadtxt(run.files.log)
    assert log[:, 0].tolist() == [0, 5, 10, 15, 20]
    np.testing.assert_allclose(log[:, 2] + log[:, 3], log[:, 4], atol=2e-8)
    assert np.ptp(log[:, 4]) < 1e-4
    assert log[-1, 2] == pytest.approx(run.atoms.get_potential_energy(), abs=1e-8)
    assert log[-1, 7] == pytest.approx(run.atoms.get_volume(), abs=1e-5)


def test_equal_seeds_give_equal_runs(model_path: Path, tmp_path: Path) -> None:
    positions = []
    for number, seed in enumerate((1, 1, 2)):
        run = simulation(model_path, tmp_path / str(number), seed=seed)
        run.start()
        run.run(10)
        positions.append(run.atoms.positions)
    np.testing.assert_array_equal(positions[0], positions[1])
    assert np.abs(positions[0] - positions[2]).max() > 1e-4


def test_velocities_of_the_start_are_kept(model_path: Path, tmp_path: Path) -> None:
    atoms = random_crystal(SYMBOLS, n_atoms=6, spacing=2.6)
    momenta = np.random.default_rng(0).normal(size=(6, 3))
    for keep in (True, False):
        moving = atoms.copy()
        moving.set_momenta(momenta)
        run = simulation(model_path, tmp_path / str(keep), atoms=moving)
        run.start(keep_velocities=keep)
        assert np.array_equal(run.atoms.get_momenta(), momenta) is keep


def test_nothing_is_overwritten(model_path: Path, tmp_path: Path) -> None:
    run = simulation(model_path, tmp_path / "a")
    run.start()
    run.run(4)
    before = contents(tmp_path / "a")
    with pytest.raises(DataError, match=r"t\.xyz.*--resume"):
        simulation(model_path, tmp_path / "a").start()
    assert contents(tmp_path / "a") == before


def test_resume_refuses_other_settings(model_path: Path, tmp_path: Path) -> None:
    run = simulation(model_path, tmp_path / "a")
    run.start()
    run.run(8)
    with pytest.raises(DataError, match=r"other settings.*seed"):
        simulation(model_path, tmp_path / "a", seed=5).resume()
    with pytest.raises(DataError, match="ensemble"):
        simulation(model_path, tmp_path / "a", "nve").resume()
    with pytest.raises(DataError, match="atoms"):
        simulation(model_path, tmp_path / "a", atoms=random_crystal(["O"], 6, spacing=2.6)).resume()
    run.files.log.write_text("")
    with pytest.raises(DataError, match="shorter than"):
        simulation(model_path, tmp_path / "a").resume()
    run.files.restart.write_bytes(b"PK broken")
    with pytest.raises(DataError, match="restart"):
        simulation(model_path, tmp_path / "a").resume()
    with pytest.raises(DataError, match="cannot read the restart file"):
        simulation(model_path, tmp_path / "b").resume()


@pytest.fixture(scope="module")
def uncertain_path(tmp_path_factory: pytest.TempPathFactory, model_path: Path) -> Path:
    """The same model with stated test errors so small that every structure has a grade of hundreds."""
    data = replace(read_model_file(model_path), energy_rmse=1e-6, force_rmse=1e-5)
    path = tmp_path_factory.mktemp("models") / "uncertain.pt"
    write_model_file(data, path, verify=False)
    return path


def test_watch_keeps_and_stops(uncertain_path: Path, tmp_path: Path) -> None:
    options = {"interval": 4, "save_grade": 3.0, "stop_grade": 1e9, "gap": 10}
    run = simulation(uncertain_path, tmp_path / "a", watch=options)
    run.start()
    outcome = run.run(40)
    assert outcome.stopped_by is None
    kept = ase.io.read(run.files.candidates, ":")
    # looked at every 4 steps, at least 10 apart
    assert [frame.info["step"] for frame in kept] == [4, 16, 28, 40]
    assert outcome.n_kept == 4
    # nothing in it can be mistaken for a label
    assert kept[0].calc is None
    assert kept[0].info["lmlp_force_grade"] > 6.0 or kept[0].info["lmlp_energy_grade"] > 3.0
    uncertainty = kept[-1].arrays["lmlp_forces_uncertainty"]
    assert uncertainty.max() == pytest.approx(outcome.last.largest_force_uncertainty, abs=1e-7)
    stopping = simulation(uncertain_path, tmp_path / "b", watch={"interval": 4, "stop_grade": 30.0})
    stopping.start()
    outcome = stopping.run(40)
    assert outcome.step == 4
    assert outcome.stopped_by is not None
    assert outcome.stopped_by.grade == pytest.approx(
        stopping.atoms.calc.get_property("grade", stopping.atoms)
    )


def test_watch_limits(uncertain_path: Path, tmp_path: Path) -> None:
    run = simulation(uncertain_path, tmp_path / "a", watch={"interval": 4, "stop_grade": 1e9, "limit": 2})
    run.start()
    assert run.run(20).n_kept == 2
    close = Atoms("H2O", [[0, 0, 0], [0, 0, 0.6], [2.0, 0, 0]])
    close.calc = LMLPCalculator(uncertain_path)
    watch = SigmaWatch(close.calc, WatchOptions())
    assert not watch.look(close, 0).keep
    close.positions[1, 2] = 0.7
    assert watch.look(close, 10).keep


def test_watching_changes_no_bit(model_path: Path, tmp_path: Path) -> None:
    watched = simulation(model_path, tmp_path / "a")
    plain = simulation(model_path, tmp_path / "b")
    plain.watch = None
    for run in (watched, plain):
        run.start()
        run.run(20)
    np.testing.assert_array_equal(watched.atoms.positions, plain.atoms.positions)


def test_errors(model_path: Path, one_member_path: Path, tmp_path: Path) -> None:
    with pytest.raises(UncertaintyError, match="one member"):
        simulation(one_member_path, tmp_path / "a")
    with pytest.raises(InvalidArgumentError, match=r"\.xyz"):
        RunFiles.beside(tmp_path / "t.traj")
    with pytest.raises(InvalidArgumentError, match="does not exist"):
        RunFiles.beside(tmp_path / "nowhere" / "t.xyz")
    with pytest.raises(InvalidArgumentError, match="thresholds start at 1"):
        WatchOptions(save_grade=0.5)
    with pytest.raises(InvalidArgumentError, match="start or resume"):
        simulation(model_path, tmp_path / "a").run(1)


def test_watch_by_the_larger_of_grade_and_distance(
    mapped_path: Path, one_member_with_distance: Path, tmp_path: Path
) -> None:
    atoms = random_crystal(SYMBOLS, n_atoms=6, spacing=2.6)
    both, alone = (LMLPCalculator(path) for path in (mapped_path, one_member_with_distance))
    options = WatchOptions(save_grade=1.0)
    atoms.calc = both
    seen = SigmaWatch(both, options).look(atoms, 3)
    assert max(seen.energy, seen.forces) == pytest.approx(both.get_property("grade", atoms), rel=1e-14)
    distances = both.get_property("distances", atoms)
    assert (seen.distance, seen.farthest) == (distances.max(), distances.argmax())
    assert seen.grade == max(seen.energy, seen.forces, seen.distance)
    grades = both.get_property("grades", atoms)
    assert (seen.forces, seen.atom) == (grades.max(), grades.argmax())
    # no factor of two between forces and energies; a distance above the threshold is enough
    data = read_model_file(mapped_path)
    near = replace(data, energy_rmse=1e3, force_rmse=0.01, distance_scale=1e-3 * data.distance_scale)
    sure = replace(data, energy_rmse=1e3, force_rmse=1e3, distance_scale=10.0 * data.distance_scale)
    for number, (variant, quantity) in enumerate(((near, "forces"), (sure, "distance"))):
        write_model_file(variant, tmp_path / f"{number}.pt", verify=False)
        atoms.calc = LMLPCalculator(tmp_path / f"{number}.pt")
        value = getattr(SigmaWatch(atoms.calc, options).look(atoms, 3), quantity)
        assert value > 1.1
        for limit, kept in ((0.99 * value, True), (1.01 * value, False)):
            watch = SigmaWatch(atoms.calc, WatchOptions(save_grade=limit, stop_grade=limit))
            reading = watch.look(atoms, 3)
            assert (reading.keep, reading.stop) == (kept, kept)
    atoms.calc = alone
    seen = SigmaWatch(alone, options).look(atoms, 3)
    assert (seen.energy, seen.forces, seen.atom, seen.energy_uncertainty) == (None, None, None, None)
    assert seen.grade == seen.distance == alone.get_property("distance", atoms)


def test_a_run_of_one_member_is_watched(one_member_with_distance: Path, tmp_path: Path) -> None:
    dense = random_crystal(SYMBOLS, n_atoms=6, spacing=1.7)
    options = {"interval": 2, "save_grade": 1.0, "stop_grade": 1.0, "min_distance": 0.3}
    run = simulation(one_member_with_distance, tmp_path / "a", watch=options, atoms=dense)
    run.start()
    outcome = run.run(10)
    assert outcome.step == 2
    assert outcome.stopped_by.distance > 1.0
    (kept,) = ase.io.read(run.files.candidates, ":")
    assert kept.info["lmlp_distance"] == pytest.approx(outcome.stopped_by.distance, abs=1e-7)
    assert kept.arrays["lmlp_distances"].max() == pytest.approx(kept.info["lmlp_distance"], abs=1e-7)
    assert "lmlp_forces_uncertainty" not in kept.arrays
