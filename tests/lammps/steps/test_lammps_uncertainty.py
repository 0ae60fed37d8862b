"""Fields of fix pair and the vector of compute pair against the members' own energies and forces."""

from __future__ import annotations

import numpy as np
import pytest
from lammps_case import (
    ELEMENTS,
    ENERGY_FACTOR,
    ENERGY_RMSE,
    ENERGY_UNIT,
    FIELDS,
    FORCE_FACTOR,
    FORCE_RMSE,
    RUNS,
    Case,
    Crystal,
    Models,
)
from lammps_run import NKTV2P
from lmlp import _core
from reference_values import Reference, evaluate


@pytest.fixture(scope="module")
def expected(models: Models, crystal: Crystal) -> Reference:
    return evaluate(_core.Potential(str(models.many)), crystal.species, crystal.positions, crystal.cell)


def sigma_forces(expected: Reference) -> np.ndarray:
    return FORCE_FACTOR * expected.member_forces.std(axis=0, ddof=1)


@pytest.mark.parametrize(("units", "ranks"), RUNS)
def test_fields_of_fix_pair(full_run, expected: Reference, units: str, ranks: int) -> None:
    dump = full_run(units, ranks).dump("full.dump")
    unit = ENERGY_UNIT[units]
    sigma_f = sigma_forces(expected).max(axis=1)
    sigma_e = ENERGY_FACTOR * expected.member_energies.std(axis=0, ddof=1)
    grade = np.maximum(1.0, sigma_f / FORCE_RMSE)
    assert sigma_f.min() > 1e-4
    assert grade.max() > 1.0
    assert expected.extrapolating.max() > 0
    # deviations of members from their mean: the errors are those of forces and energies
    np.testing.assert_allclose(dump["f_u[1]"], unit * sigma_f, rtol=0, atol=1e-9 * unit)
    np.testing.assert_allclose(dump["f_u[2]"], unit * sigma_e, rtol=0, atol=1e-9 * unit)
    np.testing.assert_allclose(dump["f_u[3]"], grade, rtol=0, atol=1e-7)  # divided by the test error
    np.testing.assert_array_equal(dump["f_u[4]"], expected.extrapolating)


@pytest.mark.parametrize(("units", "ranks"), RUNS)
def test_vector_of_compute_pair(full_run, expected: Reference, units: str, ranks: int) -> None:
    vector = full_run(units, ranks).value("vector")
    unit = ENERGY_UNIT[units]
    n_atoms = len(expected.energies)
    members = expected.member_energies.sum(axis=1)
    sigma_e = ENERGY_FACTOR * members.std(ddof=1)
    sigma_f = sigma_forces(expected)
    grade = max(1.0, sigma_e / (n_atoms * ENERGY_RMSE), sigma_f.max() / FORCE_RMSE)
    assert sigma_e > 1e-3
    np.testing.assert_allclose(vector[0], unit * sigma_e, rtol=0, atol=1e-9 * unit)
    np.testing.assert_allclose(vector[1], unit * sigma_f.max(), rtol=0, atol=1e-9 * unit)
    np.testing.assert_allclose(vector[2], unit * np.sqrt((sigma_f**2).mean()), rtol=0, atol=1e-9 * unit)
    np.testing.assert_allclose(vector[3], grade, rtol=0, atol=1e-7)
    assert vector[4] == (expected.extrapolating > 0).sum()
    assert vector[5] == 0
    np.testing.assert_allclose(vector[6:11], unit * members, rtol=1e-14, atol=1e-9 * unit)
    assert len(vector) == 18
    assert np.isnan(vector[16:]).all(), "the model knows neither distances nor a sigma of the pressure"


@pytest.mark.parametrize(("units", "ranks"), [("metal", 1), ("metal", 4), ("real", 2)])
def test_member_pressures(
    full_run, expected: Reference, models: Models, crystal: Crystal, units: str, ranks: int
) -> None:
    result = full_run(units, ranks)
    volume = abs(np.linalg.det(crystal.cell))
    found = result.value("vector")[11:16] * 3 * volume / NKTV2P[units] / ENERGY_UNIT[units]
    assert np.std(found) > 0.1  # eV
    traces = np.trace(expected.member_virials, axis1=1, axis2=2)
    np.testing.assert_allclose(found, traces, rtol=0, atol=1e-8)
    # without kinetic energy the pressure is that of the mean, i.e. the mean of the pressures
    assert result.value("vector")[11:16].mean() == pytest.approx(
        result.value("pressure")[:3].mean(), rel=1e-12
    )
    # trace of the virial = -3V dE/dV = -dE/ds with all lengths times (1 + s)
    potential, step = _core.Potential(str(models.many)), 1e-4

    def energies(factor: int) -> np.ndarray:
        stretch = 1 + factor * step
        return evaluate(
            potential, crystal.species, stretch * crystal.positions, stretch * crystal.cell
        ).member_energies.sum(axis=1)

    slope = (energies(-2) - 8 * energies(-1) + 8 * energies(1) - energies(2)) / (12 * step)
    # rounding of the energy: 1e-12 of 2.5e4 eV, over the step
    np.testing.assert_allclose(found, -slope, rtol=0, atol=1e-6 * np.abs(slope).max())


def test_the_vector_carries_the_step_of_its_evaluation(case: Case) -> None:
    result = case.run(
        case.header()
        + f"pair_style lmlp\npair_coeff * * {case.models.many} {' '.join(ELEMENTS)}\n"
        + "compute e all pair lmlp\n"
        + f"fix u all pair 4 lmlp {FIELDS}\nfix 1 all nve\nvelocity all create 300 3\ntimestep 0.0005\n"
        + "compute g all reduce max f_u[3]\nvariable s equal c_e[6]\n"
        # on steps that are multiples of 4 for the fix; every 3 for the printed variable
        + 'fix p all print 3 "vector step $(step) evaluated ${s}" screen yes\n'
        + "thermo_style custom step pe c_g\nthermo 4\nrun 6\n"
        + 'print "last: $(c_e[6])"\n'
    )
    lines = [line.split() for line in result.output.splitlines() if line.startswith("vector step")]
    assert {(line[2], line[4]) for line in lines} == {("0", "0"), ("3", "3"), ("6", "6")}
    assert result.value("last")[0] == 6


def test_fix_halt_ends_a_run_by_the_grade(case: Case) -> None:
    result = case.run(
        case.header()
        + f"pair_style lmlp\npair_coeff * * {case.models.many} {' '.join(ELEMENTS)}\n"
        + "fix u all pair 2 lmlp grade 1\ncompute g all reduce max f_u\nvariable g equal c_g\n"
        + "fix stop all halt 2 v_g > 1.0 error soft\nfix 1 all nve\nrun 20\n"
        + 'print "ended: $(step)"\n'
    )
    assert result.value("ended")[0] == 2


def test_what_the_model_lacks_is_not_a_number(case: Case) -> None:
    result = case.run(
        case.header()
        + f"pair_style lmlp\npair_coeff * * {case.models.bare} {' '.join(ELEMENTS)}\n"
        # defined after an evaluation that it did not ask for
        + "run 0\ncompute e all pair lmlp\nrun 0\n"
        + 'print "vector: $(c_e[1]) $(c_e[4]) $(c_e[5]) $(c_e[6])"\n'
    )
    sigma, grade, extrapolating, step = result.value("vector")
    assert sigma > 0
    assert np.isnan(grade), "a model without test errors has no grade"
    assert np.isnan(extrapolating), "a model without ranges cannot tell extrapolation"
    assert step == 0


def test_a_vector_of_another_length_is_not_filled(case: Case) -> None:
    """compute pair keeps the length of the model that it was defined with: no values of another one in it."""
    names = [f"$(c_e[{k}]:%.17g)" for k in range(1, 17)]
    coeff = "pair_coeff * * {} " + " ".join(ELEMENTS) + "\n"
    script = (
        case.header() + "pair_style lmlp\n" + coeff.format(case.models.many) + "compute e all pair lmlp\n"
    )
    script += "thermo_style custom step pe c_e[1]\nrun 0\n" + f'print "many: {" ".join(names)}"\n'
    script += coeff.format(case.models.other) + f'run 0\nprint "other: {" ".join(names)}"\n'
    for ranks in (1, 2):
        result = case.run(script, ranks=ranks)
        assert np.isfinite(result.value("many")).all()
        other = result.value("other")
        assert other[5] == -1.0, "no step"
        assert np.isnan(np.delete(other, 5)).all()


def test_error_bars_of_an_average_pressure(case: Case) -> None:
    """As docs/lammps/compute_pair_lmlp.md tells: the average as each member would have it, along one run."""
    members = range(5)
    names = " ".join(f"v_p{m}" for m in members)
    result = case.run(
        case.header()
        + f"pair_style lmlp\npair_coeff * * {case.models.many} {' '.join(ELEMENTS)}\n"
        + "compute e all pair lmlp\nvelocity all create 300 3 loop geom\nfix 1 all nve\ntimestep 0.0005\n"
        + "variable p equal press\n"
        + f"variable k equal press-({'+'.join(f'c_e[{12 + m}]' for m in members)})/5\n"
        + "".join(f"variable p{m} equal v_k+c_e[{12 + m}]\n" for m in members)
        + f'fix a all ave/time 2 5 10 {names} v_p format " %.17g" file pressures.txt\n'
        + f'fix b all ave/time 2 1 2 {names} v_p format " %.17g" file all.txt\n'
        + "thermo_style custom step temp press c_e[12]\nrun 10\n",
        ranks=2,
    )
    averages = np.loadtxt(result.folder / "pressures.txt", ndmin=2)[-1, 1:]
    each = np.loadtxt(result.folder / "all.txt")[:, 1:]
    np.testing.assert_allclose(averages, each[1:].mean(axis=0), rtol=1e-12)
    # the members' mean is the pressure itself, kinetic part included
    np.testing.assert_allclose(averages[:-1].mean(), averages[-1], rtol=1e-12)
    error_bar = FORCE_FACTOR * averages[:-1].std(ddof=1)
    assert 0 < error_bar <= FORCE_FACTOR * each[1:, :-1].std(axis=1, ddof=1).mean()
