"""Energies, forces and virials of pair_style lmlp against the core.

Both sum the same terms in other orders. Measured: 4e-12 eV of −2.5e4 eV, 1e-14 eV/Å; the bar is 1e-9.
With `units real` values are multiplied by the kcal/mol of CODATA 2018 (exact); the bar stays relative to the
unit.
"""

from __future__ import annotations

import numpy as np
import pytest
from lammps_case import ELEMENTS, ENERGY_UNIT, RUNS, Case, Crystal, Models
from lammps_run import NKTV2P, columns, write_data
from lmlp import _core
from reference_values import evaluate

SIX = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]  # LAMMPS: xx yy zz xy xz yz
NINE = [*SIX, (1, 0), (2, 0), (2, 1)]


@pytest.fixture(scope="module")
def expected(models: Models, crystal: Crystal):
    return evaluate(_core.Potential(str(models.many)), crystal.species, crystal.positions, crystal.cell)


def forces_of(dump: dict[str, np.ndarray]) -> np.ndarray:
    return columns(dump, "fx", "fy", "fz")


@pytest.mark.parametrize(("units", "ranks"), RUNS)
def test_energies_and_forces(full_run, expected, units: str, ranks: int) -> None:
    result = full_run(units, ranks)
    unit = ENERGY_UNIT[units]
    dump = result.dump("full.dump")
    assert np.abs(expected.forces).max() > 0.05  # the comparison says something
    assert result.value("energy")[0] == pytest.approx(unit * expected.energy, rel=1e-14, abs=1e-9 * unit)
    np.testing.assert_allclose(forces_of(dump), unit * expected.forces, rtol=0, atol=1e-9 * unit)
    np.testing.assert_allclose(dump["c_pa"], unit * expected.energies, rtol=0, atol=1e-9 * unit)


@pytest.mark.parametrize(("units", "ranks"), RUNS)
def test_pressure_and_atomic_virials(full_run, expected, crystal: Crystal, units: str, ranks: int) -> None:
    result = full_run(units, ranks)
    unit = ENERGY_UNIT[units]
    volume = abs(np.linalg.det(crystal.cell))
    virial = result.value("pressure") * volume / NKTV2P[units]
    np.testing.assert_allclose(virial, [unit * expected.virial[ab] for ab in SIX], rtol=0, atol=1e-8 * unit)
    dump = result.dump("full.dump")
    six = -columns(dump, *(f"c_st[{k}]" for k in range(1, 7))) / NKTV2P[units]
    nine = -columns(dump, *(f"c_cs[{k}]" for k in range(1, 10))) / NKTV2P[units]
    halved, centroid = expected.halved_virials(), expected.centroid_virials()
    np.testing.assert_allclose(six, unit * np.array([halved[:, a, b] for a, b in SIX]).T, atol=1e-9 * unit)
    np.testing.assert_allclose(
        nine, unit * np.array([centroid[:, a, b] for a, b in NINE]).T, atol=1e-9 * unit
    )
    # atoms add up to the whole
    np.testing.assert_allclose(six.sum(0), [unit * expected.virial[ab] for ab in SIX], atol=1e-8 * unit)
    np.testing.assert_allclose(nine.sum(0), [unit * expected.virial[ab] for ab in NINE], atol=1e-8 * unit)


def test_pressure_is_the_strain_derivative(full_run, crystal: Crystal, models: Models) -> None:
    potential = _core.Potential(str(models.many))
    volume = abs(np.linalg.det(crystal.cell))
    pressure = full_run("metal", 1).value("pressure") / NKTV2P["metal"]
    step = 1e-4
    derivative = []
    for a, b in SIX:
        energies = []
        for factor in (-2, -1, 1, 2):
            strain = np.eye(3)
            strain[a, b] += 0.5 * factor * step
            strain[b, a] += 0.5 * factor * step
            energies.append(
                evaluate(potential, crystal.species, crystal.positions @ strain, crystal.cell @ strain).energy
            )
        derivative.append((energies[0] - 8 * energies[1] + 8 * energies[2] - energies[3]) / (12 * step))
    # fourth order in the step: limited by rounding of the energy, 1e-12·2.5e4 eV/step, i.e. about 1e-7 of the
    # virial's few eV
    scale = np.abs(derivative).max()
    np.testing.assert_allclose(-pressure * volume, derivative, rtol=0, atol=1e-6 * scale)


@pytest.mark.parametrize("units", ["metal", "real"])
def test_same_as_the_ase_calculator(full_run, crystal: Crystal, models: Models, units: str) -> None:
    ase = pytest.importorskip("ase")
    from lmlp import LMLPCalculator

    atoms = ase.Atoms([ELEMENTS[k] for k in crystal.species], crystal.positions, cell=crystal.cell, pbc=True)
    atoms.calc = LMLPCalculator(models.many, uncertainty=True)
    result, unit = full_run(units, 2), ENERGY_UNIT[units]
    assert result.value("energy")[0] == pytest.approx(
        unit * atoms.get_potential_energy(), rel=1e-14, abs=1e-9 * unit
    )
    np.testing.assert_allclose(
        forces_of(result.dump("full.dump")), unit * atoms.get_forces(), rtol=0, atol=1e-9 * unit
    )
    stress = atoms.get_stress(voigt=False)
    pressure = result.value("pressure") / NKTV2P[units]
    np.testing.assert_allclose(pressure, [-unit * stress[ab] for ab in SIX], rtol=0, atol=1e-11 * unit)
    assert result.value("vector")[3] == pytest.approx(atoms.calc.results["grade"], rel=1e-9)


def test_asking_for_uncertainties_never_changes_a_force_bit(case: Case, full_run) -> None:
    plain = case.run(
        case.header()
        + f"pair_style lmlp\npair_coeff * * {case.models.many} {' '.join(ELEMENTS)}\n"
        + "dump d all custom 1 plain.dump id fx fy fz\ndump_modify d sort id format float %.17g\nrun 0\n",
        ranks=2,
    )
    asked = full_run("metal", 2)
    np.testing.assert_array_equal(forces_of(plain.dump("plain.dump")), forces_of(asked.dump("full.dump")))


def test_threads_give_the_same_bits(case: Case) -> None:
    """So many atoms that every thread has work: below 16 per thread fewer are used."""
    script = ""
    for threads in (1, 2, 3):
        script += (
            "clear\n"
            + case.header()
            + f"replicate 2 2 2\npair_style lmlp threads {threads}\n"
            + f"pair_coeff * * {case.models.many} {' '.join(ELEMENTS)}\n"
            + "velocity all create 300 5 loop geom\nfix u all pair 1 lmlp sigma_f 1 sigma_e 1\n"
            + "fix 1 all nve\n"
            + f"dump d all custom 2 {threads}.dump id fx fy fz f_u[1] f_u[2]\n"
            + "dump_modify d sort id format float %.17g\nrun 2\n"
        )
    result = case.run(script)
    assert "3 threads per MPI rank" in result.output
    first = result.dump("1.dump")
    for threads in (2, 3):
        for name, values in result.dump(f"{threads}.dump").items():
            np.testing.assert_array_equal(values, first[name])


def test_atoms_without_neighbors(case: Case) -> None:
    write_data(
        case.folder / "apart.data", np.array([1, 3]), np.array([[1.0] * 3, [15.0] * 3]), np.eye(3) * 30, 3
    )
    result = case.run(
        "units metal\natom_style atomic\nread_data apart.data\nmass * 12.0\n"
        f"pair_style lmlp\npair_coeff * * {case.models.many} {' '.join(ELEMENTS)}\n"
        "compute e all pair lmlp\nfix u all pair 1 lmlp sigma_f 1\n"
        "dump d all custom 1 apart.dump id fx fy fz f_u\nthermo_style custom pe c_e[1]\n"
        'run 0\nprint "energy: $(pe:%.17g)"\n'
    )
    alone = evaluate(
        _core.Potential(str(case.models.many)),
        np.array([0, 2]),
        np.array([[0.0] * 3, [20.0] * 3]),
        np.eye(3),
        False,
    )
    assert result.value("energy")[0] == pytest.approx(alone.energy, rel=1e-14)
    dump = result.dump("apart.dump")
    assert np.abs(forces_of(dump)).max() == 0
    assert np.abs(dump["f_u"]).max() == 0  # the members agree: there is no force
