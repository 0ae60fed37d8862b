"""Every unit style gives the same physics: energies, forces, virials, uncertainties, a short trajectory.

All values are taken back to eV and Å by the definitions of the unit styles. LAMMPS's own constants for
pressure and acceleration carry seven to nine digits; they are divided out: the pair style is compared.
Measured: 3e-14 relative, from positions that go through other units and back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from lammps_case import ELEMENTS, FIELDS, PRESSURES, Case
from lammps_run import LammpsResult, columns
from lmlp import _core
from reference_values import evaluate

EV = 1.602176634e-19  # J
AMU = 1.66053906660e-27  # kg
STEPS = 20
DUMPED = "id x y z vx vy vz fx fy fz c_pa c_st[*] c_cs[*] f_u[*]"
REAL_MVV2E = 48.88821291**2


@dataclass(frozen=True)
class UnitStyle:
    """What a unit style makes of Å, eV, 0.5 fs and 12 g/mol, and the constants that LAMMPS has for it."""

    length: float
    energy: float
    timestep: float
    mass: float
    nktv2p: float = 1.0
    ftm2v: float = 1.0


STYLES = {
    "metal": UnitStyle(1.0, 1.0, 5e-4, 12.0, 1.6021765e6, 1 / 1.0364269e-4),
    "real": UnitStyle(1.0, EV * 6.02214076e23 / 4184.0, 0.5, 12.0, 68568.415, 1 / REAL_MVV2E),
    "electron": UnitStyle(1 / 0.529177210903, 1 / 27.211386245988, 0.5, 12.0, 2.94210108e13, 0.937582899),
    "si": UnitStyle(1e-10, EV, 5e-16, 12 * AMU),
    "cgs": UnitStyle(1e-8, EV * 1e7, 5e-16, 12 * AMU * 1e3),
    "micro": UnitStyle(1e-4, EV * 1e15, 5e-10, 12 * AMU * 1e15),
    "nano": UnitStyle(1e-1, EV * 1e21, 5e-7, 12 * AMU * 1e21),
}
REFERENCE = STYLES["metal"]


def mass_with_the_same_acceleration(style: UnitStyle) -> float:
    """The mass at which LAMMPS's rounded constants give the displacement per step of units metal, in Å."""
    per_mass = style.timestep**2 * style.ftm2v * style.energy / style.length**2
    return REFERENCE.mass * per_mass / (REFERENCE.timestep**2 * REFERENCE.ftm2v)


def lines(case: Case, units: str) -> str:
    style = STYLES[units]
    vector = " ".join(f"$(c_e[{k}]:%.17g)" for k in range(1, 17))
    return (
        "clear\n"
        + case.header(units, style.length)
        + f"mass * {mass_with_the_same_acceleration(style):.17g}\ntimestep {style.timestep:.17g}\n"
        + f"neighbor {0.5 * style.length:.17g} bin\npair_style lmlp\n"
        + f"pair_coeff * * {case.models.many} {' '.join(ELEMENTS)}\n"
        + f"fix u all pair 1 lmlp {FIELDS}\ncompute e all pair lmlp\ncompute pa all pe/atom\n"
        + "compute st all stress/atom NULL virial\ncompute cs all centroid/stress/atom NULL virial\n"
        + f"dump d all custom {STEPS} {units}.*.dump {DUMPED}\n"
        + "dump_modify d sort id format float %.17g\nfix 1 all nve\n"
        + "thermo_style custom step pe press c_e[1]\n"
        + f'run 0\nprint "{units}: $(pe:%.17g)"\nprint "{units} pressures: {PRESSURES}"\n'
        + f'print "{units} vector: {vector}"\nrun {STEPS}\n'
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, crystal, models) -> LammpsResult:
    """All unit styles one after the other in one LAMMPS."""
    case = Case(tmp_path_factory.mktemp("units"), crystal, models)
    return case.run("".join(lines(case, units) for units in STYLES))


def in_model_units(result: LammpsResult, units: str) -> dict[str, np.ndarray]:
    """Everything that a run gave, in eV, Å and 0.5 fs."""
    style = STYLES[units]
    length, energy = style.length, style.energy
    first, last = result.dump(f"{units}.0.dump"), result.dump(f"{units}.{STEPS}.dump")
    volume = result_volume(result, units)
    vector = result.value(f"{units} vector")
    stress = style.nktv2p * energy
    return {
        "energy": result.value(units) / energy,
        "virial": result.value(f"{units} pressures") * volume / stress,
        "forces": columns(first, "fx", "fy", "fz") * length / energy,
        "atomic energies": first["c_pa"] / energy,
        "stress/atom": columns(first, *(f"c_st[{k}]" for k in range(1, 7))) / stress,
        "centroid/stress/atom": columns(first, *(f"c_cs[{k}]" for k in range(1, 10))) / stress,
        "sigma_f": first["f_u[1]"] * length / energy,
        "sigma_e": first["f_u[2]"] / energy,
        "grade": first["f_u[3]"],
        "ew": first["f_u[4]"],
        "sigma_E": vector[:1] / energy,
        "sigma_F": vector[1:3] * length / energy,
        "grade and counts": vector[3:6],
        "member energies": vector[6:11] / energy,
        "member virials": vector[11:16] * volume / stress,
        "final positions": columns(last, "x", "y", "z") / length,
        "final velocities": columns(last, "vx", "vy", "vz") * style.timestep / length,
        "final forces": columns(last, "fx", "fy", "fz") * length / energy,
    }


def result_volume(result: LammpsResult, units: str) -> float:
    """Volume of the box in the lengths of the unit style, from the head of a dump."""
    text = (result.folder / f"{units}.0.dump").read_text().splitlines()
    start = next(i for i, line in enumerate(text) if line.startswith("ITEM: BOX BOUNDS"))
    (xlo, xhi, xy), (ylo, yhi, xz), (zlo, zhi, yz) = (
        [float(word) for word in line.split()] for line in text[start + 1 : start + 4]
    )
    x = (xhi - max(0.0, xy, xz, xy + xz)) - (xlo - min(0.0, xy, xz, xy + xz))
    y = (yhi - max(0.0, yz)) - (ylo - min(0.0, yz))
    return x * y * (zhi - zlo)


@pytest.mark.parametrize("units", [name for name in STYLES if name != "metal"])
def test_same_physics_as_in_units_metal(runs: LammpsResult, units: str) -> None:
    expected, found = in_model_units(runs, "metal"), in_model_units(runs, units)
    for name, values in found.items():
        bar = 1e-10 * np.abs(expected[name]).max()
        np.testing.assert_allclose(values, expected[name], rtol=0, atol=bar, err_msg=name)


def test_units_metal_are_those_of_the_core(runs: LammpsResult, case: Case) -> None:
    """At the start, and after the trajectory."""
    values = in_model_units(runs, "metal")
    potential = _core.Potential(str(case.models.many))
    for name, positions in (("forces", case.crystal.positions), ("final forces", values["final positions"])):
        forces = evaluate(potential, case.crystal.species, positions, case.crystal.cell).forces
        np.testing.assert_allclose(values[name], forces, rtol=0, atol=1e-9)
    assert np.abs(values["final positions"] - case.crystal.positions).max() > 1e-3


@pytest.mark.parametrize("units", list(STYLES))
def test_masses_and_times_belong_to_the_energies(units: str) -> None:
    """The mass for the same trajectory is the physical one: but for the digits of LAMMPS's constants."""
    style = STYLES[units]
    # LAMMPS's constants of metal and electron carry seven digits, those of others are of another CODATA
    assert mass_with_the_same_acceleration(style) == pytest.approx(style.mass, rel=2e-7)
