"""Models with spread maps and distances: sigma of force vectors, grade and distance are those of ASE.

Deviations of members from their mean carry the errors of energies (2.5e4 eV) and forces. Measured: energies
2e-12 eV and their grades 2e-11, forces 1e-15 eV/Å and their grades 7e-14, distances 4e-15.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from lammps_case import DUMP, ELEMENTS, ENERGY_RMSE, ENERGY_UNIT, FIELDS, FORCE_RMSE, RUNS, Case
from lammps_run import NKTV2P, LammpsResult, columns, write_data
from lmlp import LMLPCalculator, _core
from lmlp.calculators.watch import SigmaWatch, WatchOptions, candidate
from lmlp.export.model_file import read_model_file
from lmlp.export.writing import write_model_file
from lmlp.model.spread import parse_spread_maps
from reference_values import evaluate

SYMBOLS = " ".join(ELEMENTS)
ALL_FIELDS = FIELDS + " distance 1"
BAR = 1e-10


def pair_lines(model: Path, settings: str = "") -> str:
    return f"pair_style lmlp {settings}\npair_coeff * * {model} {SYMBOLS}\n"


def crystal_atoms(case: Case) -> Atoms:
    crystal = case.crystal
    return Atoms([ELEMENTS[k] for k in crystal.species], crystal.positions, cell=crystal.cell, pbc=True)


def of_ase(case: Case, model: Path, **options: object) -> dict[str, np.ndarray]:
    atoms = crystal_atoms(case)
    atoms.calc = LMLPCalculator(model, **options)
    atoms.get_potential_energy()
    return atoms.calc.results


def close(found: np.ndarray, expected: np.ndarray, unit: float = 1.0) -> None:
    np.testing.assert_allclose(found, np.asarray(expected) * unit, rtol=0, atol=BAR * unit)


@pytest.mark.parametrize(("units", "ranks"), RUNS)
def test_fields_and_vector_are_those_of_ase(case: Case, units: str, ranks: int) -> None:
    model, unit = case.models.mapped, ENERGY_UNIT[units]
    result = case.run(case.full_script(units, model=model, fields=ALL_FIELDS), ranks=ranks)
    expected = of_ase(case, model, uncertainty=True)
    dump = result.dump("full.dump")
    close(dump["f_u[1]"], expected["sigma_forces"], unit)
    close(dump["f_u[3]"], expected["grades"])
    close(dump["f_u[5]"], expected["distances"])
    crystal = case.crystal
    members = evaluate(_core.Potential(str(model)), crystal.species, crystal.positions, crystal.cell)
    maps = parse_spread_maps(read_model_file(model).spread_maps, ELEMENTS)
    close(dump["f_u[2]"], maps.energy(members.member_energies.std(axis=0, ddof=1)), unit)
    assert expected["grades"].min() > 0.0
    assert expected["distances"].min() > 0.1

    vector = result.value("vector")
    close(vector[0], expected["energy_uncertainty"], unit)
    close(vector[1], expected["sigma_forces"].max(), unit)
    close(vector[2], np.sqrt((expected["sigma_forces"] ** 2).mean()), unit)
    close(vector[3], expected["grade"])
    assert vector[5] == 0
    close(vector[16], expected["distances"].max())
    pressure = expected["pressure_uncertainty"] * unit * NKTV2P[units]
    np.testing.assert_allclose(vector[17], pressure, rtol=1e-9, atol=0)
    # and from the members' pressures, by the map of the stress
    volume = abs(np.linalg.det(crystal.cell))
    per_atom = vector[11:16].std(ddof=1) * volume / NKTV2P[units] / unit / 24
    by_hand = maps.stress(per_atom) * 24 / volume * unit * NKTV2P[units]
    np.testing.assert_allclose(vector[17], by_hand, rtol=1e-9, atol=0)


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_forces_have_the_bits_of_the_model_without(case: Case, full_run, ranks: int) -> None:
    """Neither what the file says of its errors nor asking for it moves a force."""
    script = case.header() + pair_lines(case.models.mapped)
    script += f"fix u all pair 1 lmlp distance 1\ndump d all custom 1 d.dump id fx fy fz f_u\n{DUMP}\nrun 0\n"
    dump = case.run(script, ranks=ranks).dump("d.dump")
    plain = full_run("metal", ranks).dump("full.dump")
    np.testing.assert_array_equal(columns(dump, "fx", "fy", "fz"), columns(plain, "fx", "fy", "fz"))
    close(dump["f_u"], of_ase(case, case.models.mapped, distances=True)["distances"])


def test_the_grade_of_a_dimer_does_not_depend_on_how_it_lies(case: Case) -> None:
    """The same dimer along x, along a diagonal of the box, and anyhow."""
    found = []
    for direction in ([1.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.2, -0.5, 0.7]):
        arm = 0.55 * np.array(direction) / np.linalg.norm(direction)
        write_data(
            case.folder / "dimer.data", np.array([1, 3]), 10.0 + np.array([-arm, arm]), np.eye(3) * 20, 3
        )
        result = case.run(
            "units metal\natom_style atomic\nread_data dimer.data\nmass * 12.0\n"
            + pair_lines(case.models.mapped)
            + "compute e all pair lmlp\nfix u all pair 1 lmlp sigma_f 1 grade 1 distance 1\n"
            + f"dump d all custom 1 d.dump id f_u[*]\n{DUMP}\n"
            + 'thermo_style custom step c_e[1]\nrun 0\nprint "e: $(c_e[1]:%.17g) $(c_e[4]:%.17g)"\n'
        )
        dump = result.dump("d.dump")
        found.append(np.r_[columns(dump, "f_u[1]", "f_u[2]", "f_u[3]").ravel(), result.value("e")])
    assert found[0].min() > 1e-3
    np.testing.assert_allclose(found, np.broadcast_to(found[0], (3, 8)), rtol=1e-9, atol=0)


def test_scaled_energies_have_scaled_uncertainties(case: Case) -> None:
    """Half the potential (fix adapt) has half of each sigma, of the floors, too, and the same distances."""
    names = " ".join(f"$(c_e[{k}]:%.17g)" for k in (1, 2, 3, 4, 17, 18))
    values = {}
    for factor in (1.0, 0.5, 0.0):
        result = case.run(
            case.header()
            + pair_lines(case.models.mapped)
            + f"variable s equal {factor}\nfix a all adapt 1 pair lmlp scale * * v_s\n"
            + "compute e all pair lmlp\nthermo_style custom step c_e[1]\n"
            + f'run 0\nprint "values: {names}"\n'
        )
        values[factor] = result.value("values")
    whole = values[1.0]
    close(values[0.5] / whole, [0.5, 0.5, 0.5, 0.5, 1.0, 0.5])
    close(values[0.0] / whole, [0.0, 0.0, 0.0, 0.0, 1.0, 0.0])


def test_distances_without_an_ensemble(case: Case) -> None:
    """One member: the vector has no entries of members, and no sigma."""
    result = case.run(
        case.header()
        + pair_lines(case.models.far)
        + "compute e all pair lmlp\nfix u all pair 1 lmlp distance 1\n"
        + f"dump d all custom 1 d.dump id f_u\n{DUMP}\nthermo_style custom step c_e[1]\nrun 0\n"
        + f'print "vector: {" ".join(f"$(c_e[{k}]:%.17g)" for k in range(1, 9))}"\n',
        ranks=2,
    )
    assert "one member: no uncertainties, but distances from the training data" in result.output
    distances = of_ase(case, case.models.far, distances=True)["distances"]
    close(result.dump("d.dump")["f_u"], distances)
    vector = result.value("vector")
    close(vector[6], distances.max())
    assert vector[4] > 0, "atoms outside the training range"
    assert vector[5] == 0
    assert np.isnan(vector[[0, 1, 2, 3, 7]]).all()


def test_distance_that_the_model_lacks(case: Case) -> None:
    script = case.header() + pair_lines(case.models.many) + "fix u all pair 1 lmlp distance 1\nrun 0\n"
    result = case.run(script, check=False)
    assert result.returncode != 0
    assert "cannot give distance: the model does not store" in " ".join(result.output.split())


def of_lmlp_md(atoms: Atoms, model: Path) -> Atoms:
    atoms = atoms.copy()
    atoms.calc = LMLPCalculator(model)
    watch = SigmaWatch(atoms.calc, WatchOptions(save_grade=1.0))
    return candidate(atoms, watch.look(atoms, 0), str(model))


def select(case: Case, model: Path, words: str, *, ranks: int = 1, settings: str = "") -> LammpsResult:
    return case.run(
        case.header()
        + pair_lines(model, settings)
        + f"fix s all lmlp/select 2 c.extxyz {words}\nfix 1 all nve\ntimestep 0.0002\nrun 4\n"
        + 'print "ended: $(step)"\nprint "fix: $(f_s[1]:%.17g) $(f_s[2]:%.17g) $(f_s[7]:%.17g)"\n',
        ranks=ranks,
    )


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_candidates_are_those_of_lmlp_md(case: Case, ranks: int) -> None:
    model = case.models.mapped
    result = select(case, model, "save 1 max 1", ranks=ranks)
    written = ase.io.read(case.folder / "c.extxyz")
    expected = of_lmlp_md(crystal_atoms(case), model)
    assert set(expected.info) <= set(written.info), "every entry of lmlp md"
    assert set(expected.arrays) <= set(written.arrays), "every column of lmlp md"
    for name in ("lmlp_energy_grade", "lmlp_force_grade", "lmlp_energy_uncertainty", "lmlp_distance"):
        close(written.info[name], expected.info[name])
    for name in ("lmlp_forces_uncertainty", "lmlp_distances"):
        close(written.arrays[name], expected.arrays[name])
    sigma = written.arrays["lmlp_forces_uncertainty"]
    np.testing.assert_allclose(sigma, np.broadcast_to(sigma[:, :1], (24, 3)), rtol=1e-15)
    close(written.arrays["lmlp_grades"], np.linalg.norm(sigma, axis=1) / (np.sqrt(3.0) * FORCE_RMSE))
    close(written.arrays["lmlp_grades"].max(), written.info["lmlp_force_grade"])
    close(written.info["lmlp_energy_grade"], written.info["lmlp_energy_uncertainty"] / (24 * ENERGY_RMSE))
    assert "(half of it for forces)" not in result.output
    assert "largest grade or distance" in result.output


def farther(path: Path, case: Case, model: Path, factor: float, **more: object) -> tuple[Path, float]:
    """Another model with ``factor`` times the distances, and the largest one of the crystal."""
    data = read_model_file(model)
    scaled = replace(data, distance_scale=factor * data.distance_scale, **more)
    write_model_file(scaled, path, verify=False)
    return path, float(of_ase(case, path, distances=True)["distance"])


@pytest.mark.parametrize("name", ["far", "mapped"])
def test_the_distance_saves_and_stops(case: Case, tmp_path: Path, name: str) -> None:
    """Thresholds are those of the distance itself, of a model with one member and beside low grades."""
    more = {} if name == "far" else {"energy_rmse": 1.0, "force_rmse": 100.0}
    model, distance = farther(tmp_path / "m.pt", case, getattr(case.models, name), 10.0, **more)
    assert distance > 2.5
    result = select(case, model, f"save {distance - 0.01} stop {distance + 1} gap 1", ranks=2)
    assert result.value("ended")[0] == 4
    saved = ase.io.read(case.folder / "c.extxyz", index=":")
    assert saved[0].info["step"] == 0
    close(saved[0].info["lmlp_distance"], distance)
    assert ("lmlp_forces_uncertainty" in saved[0].arrays) == (name == "mapped")
    assert set(of_lmlp_md(crystal_atoms(case), model).info) <= set(saved[0].info)
    energy_grade, force_grade, found = result.value("fix")
    assert np.isnan([energy_grade, force_grade]).all() == (name == "far")
    assert found == pytest.approx(distance, rel=0.1)  # a few steps later

    (case.folder / "c.extxyz").unlink()
    result = select(case, model, f"save {distance + 1} stop {distance + 1}")
    assert result.value("ended")[0] == 4
    assert (case.folder / "c.extxyz").read_text() == ""

    result = select(case, model, f"save {distance - 0.01} stop {distance - 0.01}", ranks=2)
    assert result.value("ended")[0] == 0
    assert "stops the run on step 0:" in result.output
    assert f"distance from the training data {distance:.4g} (threshold" in result.output
    assert ("energy grade" in result.output) == (name == "mapped")


def test_grades_of_vectors_have_no_wider_threshold(case: Case, tmp_path: Path) -> None:
    """Above the force grade itself nothing is saved; just below it, the structure is."""
    model, distance = farther(tmp_path / "m.pt", case, case.models.mapped, 0.1)
    grade = float(of_ase(case, model, uncertainty=True)["grade"])
    assert grade > max(distance, 1.0) + 1.0
    for save, steps in ((grade + 0.01, 0), (grade - 0.01, 1)):
        case.run(case.header() + pair_lines(model) + f"fix s all lmlp/select 1 c.extxyz save {save}\nrun 0\n")
        assert (case.folder / "c.extxyz").read_text().count("lmlp_checksum=") == steps


def test_minimization_and_steps_without_anything_asked(case: Case) -> None:
    """In a minimization the column holds the distances of the iteration's last evaluation."""
    result = case.run(
        case.header()
        + pair_lines(case.models.mapped)
        + "fix u all pair 1 lmlp distance 1\n"
        + f"dump d all custom 1 d.dump id x y z f_u\n{DUMP}\nminimize 0 1e-2 3 20\n"
    )
    dump = result.dump("d.dump")
    atoms = crystal_atoms(case)
    atoms.positions = columns(dump, "x", "y", "z")
    atoms.calc = LMLPCalculator(case.models.mapped)
    assert np.abs(atoms.positions - case.crystal.positions).max() > 1e-3
    close(dump["f_u"], atoms.calc.get_property("distances", atoms))
