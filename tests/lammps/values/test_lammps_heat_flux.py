"""compute heat/flux with centroid/stress/atom is the flux of a many-body potential, found in two other ways.

From the partial forces of the core, J = Σ_i e_i v_i − Σ_i Σ_j r_ij (dE_i/dr_ij · v_j): no virials, no plugin;
and as the time derivative of Σ_i r_i e_i of an open cluster along a trajectory of LAMMPS: no partial forces.
"""

from __future__ import annotations

import numpy as np
import pytest
from lammps_case import ELEMENTS, Case, Crystal
from lammps_run import columns, write_data
from lmlp import _core

FLUXES = (
    "compute ke all ke/atom\ncompute pa all pe/atom\n"
    "compute cs all centroid/stress/atom NULL virial\ncompute st all stress/atom NULL virial\n"
    "compute flux all heat/flux ke pa cs\ncompute halved all heat/flux ke pa st\n"
)
TERMS = " ".join(f"$(c_{name}[{k}]:%.17g)" for name in ("flux", "halved") for k in range(1, 7))
MVV2E = 1.0364269e-4  # LAMMPS's constant: eV per g/mol (Å/ps)²
MASS = 12.0


def flux_of_partial_forces(path, species, positions, velocities, cell) -> tuple[np.ndarray, np.ndarray]:
    """Flux of the potential part [3] and of what the atoms carry along [3], eV Å/ps, of a periodic box."""
    potential = _core.Potential(str(path))
    offsets, neighbors, _, vectors = _core.find_neighbors(
        positions, cell, np.ones(3, bool), potential.info()["cutoff"]
    )
    species = species.astype(np.int32)
    result = potential.evaluate(offsets, species, species[neighbors], vectors, n_threads=1)
    power = (result["pair_gradients"] * velocities[neighbors]).sum(axis=1)
    energies = result["energies"] + 0.5 * MASS * MVV2E * (velocities**2).sum(axis=1)
    return -(vectors * power[:, None]).sum(axis=0), (energies[:, None] * velocities).sum(axis=0)


@pytest.mark.parametrize("ranks", [1, 2])
def test_flux_is_that_of_the_partial_forces(case: Case, ranks: int) -> None:
    crystal = case.crystal
    result = case.run(
        case.header()
        + f"pair_style lmlp\npair_coeff * * {case.models.many} {' '.join(ELEMENTS)}\n"
        + FLUXES
        + "velocity all create 600 11 loop geom\n"
        + "dump d all custom 1 v.dump id vx vy vz\ndump_modify d sort id format float %.17g\n"
        + f'thermo_style custom step c_flux[1] c_halved[1]\nrun 0\nprint "flux: {TERMS}"\n',
        ranks=ranks,
    )
    velocities = columns(result.dump("v.dump"), "vx", "vy", "vz")
    potential, carried = flux_of_partial_forces(
        case.models.many, crystal.species, crystal.positions, velocities, crystal.cell
    )
    flux, halved = result.value("flux")[:6], result.value("flux")[6:]
    # energies of −2000 eV times velocities: measured 5e-15 of the largest
    np.testing.assert_allclose(flux[3:], carried, rtol=0, atol=1e-13 * np.abs(carried).max())
    scale = np.abs(potential).max()
    assert scale > 0.1
    # LAMMPS's constant of pressure goes in and out; measured 2e-13
    np.testing.assert_allclose(flux[:3] - flux[3:], potential, rtol=0, atol=1e-10 * scale)
    assert np.abs(halved[:3] - halved[3:] - potential).max() > 0.01 * scale, "the usual split is another"


def test_flux_is_the_change_of_the_energy_dipole(case: Case, crystal: Crystal) -> None:
    """Open cluster: J = d/dt Σ_i r_i e_i, by fourth-order differences along five steps of 0.01 fs."""
    step = 1e-5  # ps
    cell = np.diag([40.0, 40.0, 40.0])
    write_data(case.folder / "open.data", crystal.species + 1, crystal.positions + 15.0, cell, 3)
    sums = " ".join(f"$(c_dipole[{k}]:%.17g)" for k in (1, 2, 3))
    script = (
        "units metal\natom_style atomic\nboundary f f f\nread_data open.data\n"
        f"mass * {MASS}\npair_style lmlp\npair_coeff * * {case.models.many} {' '.join(ELEMENTS)}\n"
        + FLUXES
        + "velocity all create 600 11 loop geom\nfix 1 all nve\n"
        + "".join(f"variable d{a} atom {a}*(c_ke+c_pa)\n" for a in "xyz")
        + f"compute dipole all reduce sum v_dx v_dy v_dz\ntimestep {step}\n"
        + "thermo 1\nthermo_style custom step c_dipole[1] c_flux[1] c_halved[1]\nrun 0\n"
    )
    for k in range(5):
        script += f'print "dipole{k}: {sums}"\nprint "flux{k}: {TERMS}"\nrun 1\n'
    result = case.run(script, ranks=2)
    dipole = [result.value(f"dipole{k}") for k in range(5)]
    change = (dipole[0] - 8 * dipole[1] + 8 * dipole[3] - dipole[4]) / (12 * step)
    flux, halved = result.value("flux2")[:6], result.value("flux2")[6:]
    scale = np.abs(flux[:3] - flux[3:]).max()
    assert scale > 0.1
    # rounding of dipoles of 1e6 eV Å over the step: 1e-10/1e-5
    np.testing.assert_allclose(flux[:3], change, rtol=0, atol=1e-4 * scale)
    assert np.abs(halved[:3] - change).max() > 0.01 * scale
