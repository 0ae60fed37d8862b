"""Fixes that move atoms, change the box, add and remove atoms, or ask for energies only."""

from __future__ import annotations

import numpy as np
import pytest
from lammps_case import ELEMENTS, Case
from lammps_run import LammpsResult, columns, read_dump
from lmlp import _core
from reference_values import evaluate

SYMBOLS = " ".join(ELEMENTS)
# the state at the end: box and energy, then all atoms
FINAL = (
    "undump d\ndump d all custom 1 final.dump id type x y z fx fy fz\n"
    "dump_modify d sort id format float %.17g\nrun 0\n"
    'print "box: $(lx:%.17g) $(ly:%.17g) $(lz:%.17g) $(xy:%.17g) $(xz:%.17g) $(yz:%.17g)"\n'
    'print "energy: $(pe:%.17g)"\n'
)


def start(case: Case, settings: str = "") -> str:
    return (
        case.header()
        + f"pair_style lmlp {settings}\npair_coeff * * {case.models.many} {SYMBOLS}\n"
        + "timestep 0.0005\nvelocity all create 300 5 loop geom\nthermo 1\n"
        + "dump d all custom 1 unused.dump id\n"
    )


def check_final_state(case: Case, result: LammpsResult) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Energy and forces at the end are those of the core; returns atoms and cell."""
    lx, ly, lz, xy, xz, yz = result.value("box")
    cell = np.array([[lx, 0, 0], [xy, ly, 0], [xz, yz, lz]])
    dump = result.dump("final.dump")
    expected = evaluate(
        _core.Potential(str(case.models.many)),
        dump["type"].astype(int) - 1,
        columns(dump, "x", "y", "z"),
        cell,
    )
    np.testing.assert_allclose(columns(dump, "fx", "fy", "fz"), expected.forces, rtol=0, atol=1e-9)
    assert result.value("energy")[0] == pytest.approx(expected.energy, rel=1e-13)
    return dump, cell


def test_langevin_deposit_and_evaporate(case: Case) -> None:
    result = case.run(
        start(case)
        + "fix 1 all nve\nfix 2 all langevin 300 300 0.01 7\nregion r block 0 3 0 3 0 3\n"
        + "fix 3 all deposit 3 1 4 11 region r near 1.0 attempt 200\n"
        + "fix 4 all evaporate 5 1 r 13\n"
        + 'run 12\nprint "removed: $(f_4)"\nunfix 2\nunfix 3\nunfix 4\n'
        + FINAL,
        ranks=2,
    )
    dump, _ = check_final_state(case, result)
    removed = result.value("removed")[0]
    assert removed > 0
    assert dump["id"].max() > 24, "atoms were added"
    assert len(dump["id"]) < 24 + 3


def test_npt_of_a_triclinic_box(case: Case) -> None:
    result = case.run(
        start(case) + "fix 1 all npt temp 300 300 0.05 tri 50000 50000 0.1\nrun 10\nunfix 1\n" + FINAL,
        ranks=2,
    )
    _, cell = check_final_state(case, result)
    assert np.abs(cell - case.crystal.cell)[np.tril_indices(3)].min() > 1e-6, "all six have changed"


def test_box_relax(case: Case) -> None:
    result = case.run(
        start(case)
        + 'run 0\nprint "before: $(press:%.17g)"\nvelocity all set 0 0 0\n'
        + "fix 1 all box/relax aniso 0.0 vmax 0.01\nminimize 0 0 15 60\nunfix 1\n"
        + FINAL
        + 'print "after: $(press:%.17g)"\n'
    )
    _, cell = check_final_state(case, result)
    assert np.abs(np.diag(cell - case.crystal.cell)).max() > 1e-3
    assert abs(result.value("after")[0]) < 0.9 * abs(result.value("before")[0])


def test_rerun_gives_the_energies_of_the_run(case: Case) -> None:
    frames = "dump t all custom 2 t.dump id type x y z\ndump_modify t sort id format float %.17g\n"
    result = case.run(
        start(case)
        + "fix 1 all nve\nvariable e equal pe\n"
        + 'fix p all print 2 "frame ${e}" screen yes\n'
        + frames
        + "run 6\nundump t\nunfix p\nfix u all pair 2 lmlp sigma_f 1\n"
        + 'fix p all print 2 "again ${e}" screen yes\n'
        + "rerun t.dump dump x y z\n"
    )
    lines = [line.split() for line in result.output.splitlines()]
    first, second = (
        np.array([float(line[1]) for line in lines if line[:1] == [name]]) for name in ("frame", "again")
    )
    assert len(first) == 4
    assert np.ptp(first) > 0
    np.testing.assert_allclose(second, first[-len(second) :], rtol=1e-12)


def test_energy_only_calls_of_atom_swap(case: Case) -> None:
    """Swaps of two types at a temperature at which some are accepted; one model call per attempt."""
    result = case.run(
        start(case)
        + "fix 1 all nve\nfix 2 all atom/swap 1 3 29494 3000.0 ke no types 1 2\n"
        + 'fix u all pair 1 lmlp sigma_f 1\nrun 8\nprint "swaps: $(f_2[1]) $(f_2[2])"\nunfix 2\n'
        + FINAL,
        ranks=2,
    )
    dump, _ = check_final_state(case, result)
    attempts, accepted = result.value("swaps")
    assert 0 < accepted <= attempts
    types = dump["type"].astype(int) - 1
    assert (np.bincount(types) == np.bincount(case.crystal.species)).all()
    assert (types != case.crystal.species).any()


def test_grand_canonical_monte_carlo_of_atoms(case: Case) -> None:
    """Insertions, deletions and moves by energy-only calls of the whole box, between steps of dynamics."""
    result = case.run(
        start(case)
        + "fix 1 all nve\ngroup hydrogen type 1\n"
        # a chemical potential near that of the atoms, a temperature at which some trials are accepted
        + "fix 2 hydrogen gcmc 2 12 6 1 4321 9000.0 -23.0 0.2 full_energy overlap_cutoff 1.0 group hydrogen\n"
        + 'run 8\nprint "moves: $(f_2[1]) $(f_2[2])"\n'
        + 'print "inserted: $(f_2[3]) $(f_2[4])"\nprint "deleted: $(f_2[5]) $(f_2[6])"\nunfix 2\n'
        + FINAL,
        ranks=2,
    )
    dump, _ = check_final_state(case, result)
    for name in ("moves", "inserted", "deleted"):
        attempts, accepted = result.value(name)
        assert 0 < accepted < attempts, name
    inserted, deleted = result.value("inserted")[1], result.value("deleted")[1]
    assert len(dump["id"]) == 24 + inserted - deleted


def test_nudged_elastic_band_of_three_replicas(case: Case) -> None:
    """One LAMMPS per replica; every one ends at the core's energies and forces of its own positions."""
    crystal = case.crystal
    end = crystal.positions[4] + [0.4, 0.3, 0.0]
    (case.folder / "final.coords").write_text("1\n5 {} {} {}\n".format(*end))
    case.run(
        "variable r uloop 3\natom_modify map array\n"
        + case.header()
        + f"pair_style lmlp\npair_coeff * * {case.models.many} {SYMBOLS}\n"
        + "group moving id 5\ngroup others subtract all moving\nfix 2 others setforce 0 0 0\n"
        + "fix 1 moving neb 1.0\ntimestep 0.001\nmin_style quickmin\nneb 0.0 0.01 8 8 4 final final.coords\n"
        + "unfix 1\nunfix 2\ndump d all custom 1 replica.${r}.dump id type x y z fx fy fz\n"
        + "dump_modify d sort id format float %.17g\nrun 0\n",
        ranks=3,
        options="-partition 3x1 -plog none -pscreen none",
    )
    potential = _core.Potential(str(case.models.many))
    places = []
    for replica in (1, 2, 3):
        dump = read_dump(case.folder / f"replica.{replica}.dump")
        positions = columns(dump, "x", "y", "z")
        expected = evaluate(potential, crystal.species, positions, crystal.cell)
        np.testing.assert_allclose(columns(dump, "fx", "fy", "fz"), expected.forces, rtol=0, atol=1e-9)
        places.append(positions[4])
    middle = 0.5 * (crystal.positions[4] + end)
    assert np.linalg.norm(places[1] - middle) > 1e-4, "the band has moved"
    assert np.linalg.norm(places[2] - places[0]) > 0.1
