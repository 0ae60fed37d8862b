"""Sigma of energies without the members' forces: the values of a full evaluation, and no others."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from lammps_case import DUMP, ELEMENTS, FIELDS, Case
from lammps_run import LammpsResult

SYMBOLS = " ".join(ELEMENTS)
RANKS = [1, 2, 4]
FORCE_ENTRIES = [1, 2, 3, *range(11, 16), 17]  # of the vector of five members
ENERGY_ENTRIES = [k for k in range(18) if k not in FORCE_ENTRIES]


def pair_lines(model: Path, settings: str) -> str:
    return f"pair_style lmlp {settings}\npair_coeff * * {model} {SYMBOLS}\n"


def run_fields(case: Case, settings: str, fields: str, ranks: int) -> dict[str, np.ndarray]:
    return case.run(
        case.header()
        + pair_lines(case.models.mapped, settings)
        + f"fix u all pair 2 lmlp {fields}\nfix 1 all nve\ntimestep 0.0005\n"
        + f"dump d all custom 4 d.dump id x y z fx fy fz f_u[*]\n{DUMP}\nrun 4\n",
        ranks=ranks,
    ).dump("d.dump")


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("settings", ["", "precision mixed"])
def test_sigma_of_energies_alone_is_that_of_a_full_evaluation(case: Case, settings: str, ranks: int) -> None:
    full = run_fields(case, settings, "sigma_e 1 distance 1 sigma_f 1", ranks)
    alone = run_fields(case, settings, "sigma_e 1 distance 1", ranks)
    assert set(full) - set(alone) == {"f_u[3]"}
    assert alone["f_u[1]"].min() > 1e-4
    for name, values in alone.items():
        np.testing.assert_array_equal(values, full[name], err_msg=name)


def test_sigma_of_energies_evaluates_no_forces_of_members(case: Case) -> None:
    """A 0 does not ask for a field, but reads it where it is there anyhow."""
    there = run_fields(case, "", "grade 1 sigma_f 0", 1)
    assert there["f_u[2]"].min() > 0.0
    script = case.header() + pair_lines(case.models.mapped, "")
    result = case.run(script + "fix u all pair 1 lmlp sigma_e 1 sigma_f 0\nrun 0\n", check=False)
    assert result.returncode != 0
    assert "sigma_f" in result.output


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("name", ["many", "mapped"])
def test_vector_of_energies(case: Case, name: str, ranks: int) -> None:
    """With `sigma energies` the entries of forces are unknown, whatever else asks for forces."""
    model = getattr(case.models, name)
    full = case.run(case.full_script(model=model), ranks=ranks)
    dump, vector = full.dump("full.dump"), full.value("vector")
    assert np.isfinite(vector[:4]).all()
    for fields, expected in ((FIELDS, [1, 2, 3, 4]), ("sigma_e 1 ew 1", [2, 4])):
        script = case.full_script(settings="sigma energies", model=model, fields=fields)
        part = case.run(script, ranks=ranks)
        found = part.value("vector")
        assert np.isnan(found[FORCE_ENTRIES]).all()
        np.testing.assert_array_equal(found[ENERGY_ENTRIES], vector[ENERGY_ENTRIES])
        assert found[0] > 1e-3
        assert "sigma energies: compute pair and fix lmlp/select know no sigma of forces" in part.output
        for column, field in enumerate(expected, start=1):
            values = part.dump("full.dump")[f"f_u[{column}]"]
            np.testing.assert_array_equal(values, dump[f"f_u[{field}]"])
        for axis in ("fx", "fy", "fz"):
            np.testing.assert_array_equal(part.dump("full.dump")[axis], dump[axis])


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("name", ["many", "mapped"])
def test_structures_are_selected_by_energies_and_distances(case: Case, name: str, ranks: int) -> None:
    model = getattr(case.models, name)

    def select(settings: str, words: str, more: str = "") -> LammpsResult:
        (case.folder / "c.extxyz").unlink(missing_ok=True)
        return case.run(
            case.header()
            + pair_lines(model, settings)
            + f"fix s all lmlp/select 2 c.extxyz {words}\n{more}fix 1 all nve\ntimestep 0.0002\nrun 4\n"
            + 'print "fix: $(f_s[1]:%.17g) $(f_s[2]:%.17g) $(f_s[7]:%.17g)"\n'
            + 'print "ended: $(step)"\n',
            ranks=ranks,
        )

    full = select("", "save 1 max 1")
    expected, (energy, force, distance) = ase.io.read(case.folder / "c.extxyz"), full.value("fix")
    assert force > max(energy, np.nan_to_num(distance)) + 1, "the forces would decide"
    for more in ("", "fix u all pair 1 lmlp sigma_f 1\n"):
        part = select("sigma energies", "save 1 max 1", more)
        np.testing.assert_array_equal(part.value("fix"), [energy, np.nan, distance])
        written = ase.io.read(case.folder / "c.extxyz")
        assert set(expected.info) - set(written.info) == {"lmlp_force_grade"}
        gone = {"lmlp_forces_uncertainty"} | ({"lmlp_grades"} if name == "mapped" else set())
        assert set(expected.arrays) - set(written.arrays) == gone
        for key in written.info:
            assert written.info[key] == expected.info[key], key
    assert "(half of it for forces)" in full.output or name == "mapped"
    assert "(half of it for forces)" not in part.output
    level = max(energy, np.nan_to_num(distance))
    above = select("sigma energies", f"save {level + 0.5} stop {level + 0.5}")
    assert above.value("ended")[0] == 4
    assert (case.folder / "c.extxyz").read_text() == ""
    below = select("sigma energies", f"save {level - 0.01} stop {level - 0.01}")
    assert below.value("ended")[0] == 0
    assert ase.io.read(case.folder / "c.extxyz").info["step"] == 0
    assert "force grade" not in below.output


def test_restart_files_keep_the_setting(case: Case) -> None:
    case.run(case.header() + pair_lines(case.models.many, "sigma energies") + "run 0\nwrite_restart r\n")
    result = case.run(
        "read_restart r\ncompute e all pair lmlp\nthermo_style custom step c_e[1]\nrun 0\n"
        'print "kept: $(c_e[1]) $(c_e[2])"\n'
        "pair_style lmlp\nrun 0\n"
        'print "given: $(c_e[1]) $(c_e[2])"\n'
    )
    assert np.isnan(result.value("kept")).tolist() == [False, True]
    assert np.isnan(result.value("given")).tolist() == [False, False]


def test_a_value_that_there_is_not(case: Case) -> None:
    result = case.run(case.header() + pair_lines(case.models.many, "sigma all"), check=False)
    assert result.returncode != 0
    output = " ".join(result.output.split())
    assert "'sigma all' is unknown" in output
    assert "sigma forces|energies" in output
