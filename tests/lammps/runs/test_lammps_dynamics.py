"""Hybrid styles, boundaries, atoms that come and go, dynamics and minimization."""

from __future__ import annotations

import numpy as np
import pytest
from lammps_case import ELEMENTS, ENERGY_FACTOR, FORCE_FACTOR, Case, Models
from lammps_run import columns, write_data
from lmlp import _core
from reference_values import evaluate

SYMBOLS = " ".join(ELEMENTS)


def dump_lines(name: str, every: int = 1) -> str:
    return (
        f"dump d all custom {every} {name} id type x y z fx fy fz\ndump_modify d sort id format float %.17g\n"
    )


def compare_with_core(dump: dict[str, np.ndarray], potential, cell: np.ndarray, pbc=True) -> float:
    """Forces of a dump against the core at the dump's own positions; returns the core's energy."""
    expected = evaluate(potential, dump["type"].astype(int) - 1, columns(dump, "x", "y", "z"), cell, pbc)
    np.testing.assert_allclose(columns(dump, "fx", "fy", "fz"), expected.forces, rtol=0, atol=1e-9)
    return expected.energy


@pytest.fixture(scope="module")
def potential(models: Models):
    return _core.Potential(str(models.many))


def lennard_jones(
    positions: np.ndarray, cell: np.ndarray, mask: np.ndarray, cutoff: float = 3.0
) -> tuple[float, np.ndarray]:
    """Energy and forces of lj/cut (ε = 0.01, σ = 2) between pairs of which `mask[type_i, type_j]` holds."""
    offsets, neighbors, _, vectors = _core.find_neighbors(positions, cell, np.ones(3, bool), cutoff)
    centers = np.repeat(np.arange(len(positions)), np.diff(offsets))
    kept = mask[centers, neighbors]
    centers, vectors = centers[kept], vectors[kept]
    r = np.linalg.norm(vectors, axis=1)
    s6 = (2.0 / r) ** 6
    energy = 0.5 * (0.04 * (s6**2 - s6)).sum()
    slope = 0.04 * (-12 * s6**2 + 6 * s6) / r  # dE/dr
    forces = np.zeros_like(positions)
    np.add.at(forces, centers, slope[:, None] * vectors / r[:, None])
    return energy, forces


@pytest.mark.parametrize("ranks", [1, 2])
def test_hybrid_styles_with_null_types_in_any_order(case: Case, potential, ranks: int) -> None:
    """Type 4 belongs to lj/cut alone, which also acts between types 1 and 4; lmlp is given NULL for it."""
    crystal = case.crystal
    argon = np.array([3, 10, 17])
    types = crystal.species + 1
    types[argon] = 4
    write_data(case.folder / "hybrid.data", types, crystal.positions, crystal.cell, 4)
    script = ""
    styles = {
        "a": "hybrid/overlay lmlp lj/cut 3.0",
        "b": "hybrid/overlay lj/cut 3.0 lmlp",
        "c": "hybrid lmlp lj/cut 3.0",
        "d": "hybrid lj/cut 3.0 lmlp",
    }
    for name, style in styles.items():
        script += (
            "clear\nunits metal\natom_style atomic\nbox tilt large\nread_data hybrid.data\nmass * 12.0\n"
            f"pair_style {style}\n"
            f"pair_coeff * * lmlp {case.models.many} {SYMBOLS} NULL\n"
            "pair_coeff 1*4 4 lj/cut 0.01 2.0\n"
            "compute e all pair lmlp\nfix u all pair 1 lmlp sigma_f 1\n"
            + dump_lines(f"{name}.dump")
            + f'run 0\nprint "{name}: $(pe:%.17g) $(c_e:%.17g) $(c_e[1]:%.17g)"\n'
        )
    result = case.run(script, ranks=ranks)
    ours = np.setdiff1d(np.arange(len(types)), argon)
    expected = evaluate(potential, crystal.species[ours], crystal.positions[ours], crystal.cell)
    is_argon = types == 4
    energy, forces = lennard_jones(crystal.positions, crystal.cell, is_argon[:, None] | is_argon[None, :])
    forces[ours] += expected.forces
    for name in styles:
        total, lmlp_energy, sigma = result.value(name)
        assert lmlp_energy == pytest.approx(expected.energy, rel=1e-14)
        assert total == pytest.approx(expected.energy + energy, rel=1e-14)
        assert sigma == pytest.approx(ENERGY_FACTOR * expected.member_energies.sum(1).std(ddof=1), abs=1e-9)
        dump = result.dump(f"{name}.dump")
        np.testing.assert_allclose(columns(dump, "fx", "fy", "fz"), forces, rtol=0, atol=1e-9)


def test_two_models_at_once(case: Case, potential) -> None:
    crystal = case.crystal
    result = case.run(
        case.header()
        + "pair_style hybrid/overlay lmlp lmlp\n"
        + f"pair_coeff * * lmlp 1 {case.models.many} {SYMBOLS}\n"
        + f"pair_coeff * * lmlp 2 {case.models.other} {SYMBOLS}\n"
        + "compute a all pair lmlp 1\ncompute b all pair lmlp 2\n"
        + "fix u all pair 1 lmlp:1 sigma_f 1\nfix v all pair 1 lmlp:2 sigma_f 1\n"
        + "compute w all reduce max f_u f_v\nthermo_style custom step pe c_w[1] c_w[2]\n"
        + dump_lines("two.dump")
        + 'run 0\nprint "energies: $(c_a:%.17g) $(c_b:%.17g) $(c_a[1]:%.17g) $(c_b[1]:%.17g)"\n'
        + 'print "largest: $(c_w[1]:%.17g) $(c_w[2]:%.17g)"\n'
    )
    first, second = (
        evaluate(p, crystal.species, crystal.positions, crystal.cell)
        for p in (potential, _core.Potential(str(case.models.other)))
    )
    energies = result.value("energies")
    np.testing.assert_allclose(energies[:2], [first.energy, second.energy], rtol=1e-14)
    sigmas = [ENERGY_FACTOR * one.member_energies.sum(1).std(ddof=1) for one in (first, second)]
    np.testing.assert_allclose(energies[2:], sigmas, rtol=0, atol=1e-9)
    largest = [FORCE_FACTOR * one.member_forces.std(axis=0, ddof=1).max() for one in (first, second)]
    np.testing.assert_allclose(result.value("largest"), largest, rtol=0, atol=1e-9)
    dump = result.dump("two.dump")
    np.testing.assert_allclose(
        columns(dump, "fx", "fy", "fz"), first.forces + second.forces, rtol=0, atol=1e-9
    )


def test_mixed_boundaries_and_a_rank_without_atoms(case: Case, potential) -> None:
    """A cluster in one half of a long open box: the other rank has neither atoms nor ghosts."""
    crystal = case.crystal
    cell = np.diag([40.0, 12.0, 9.0])
    chosen = slice(0, 12)
    positions = crystal.positions[chosen] + [4.0, 2.0, 1.0]
    write_data(case.folder / "cluster.data", crystal.species[chosen] + 1, positions, cell, 3)
    result = case.run(
        "units metal\natom_style atomic\nboundary f f p\nprocessors 2 1 1\nread_data cluster.data\n"
        f"mass * 12.0\npair_style lmlp\npair_coeff * * {case.models.many} {SYMBOLS}\n"
        "compute e all pair lmlp\nfix u all pair 1 lmlp sigma_f 1 ew 1\n"
        + dump_lines("cluster.dump")
        + 'run 0\nprint "energy: $(pe:%.17g) $(c_e[1]:%.17g)"\n',
        ranks=2,
    )
    energy = compare_with_core(result.dump("cluster.dump"), potential, cell, [False, False, True])
    assert result.value("energy")[0] == pytest.approx(energy, rel=1e-14)


@pytest.mark.parametrize("ranks", [1, 2])
def test_dynamics_runs_after_runs_with_atoms_added_and_lost(case: Case, potential, ranks: int) -> None:
    crystal = case.crystal
    result = case.run(
        case.header()
        + f"pair_style lmlp\npair_coeff * * {case.models.many} {SYMBOLS}\n"
        + "velocity all create 300 11 loop geom\nfix 1 all nve\ntimestep 0.0005\nthermo 5\n"
        + "fix u all pair 5 lmlp sigma_f 1\n"
        + "run 15\nrun 5\n"
        + dump_lines("moved.dump", 1)
        + 'run 0\nundump d\nprint "moved: $(pe:%.17g)"\n'
        + "group gone id 2 9\ndelete_atoms group gone compress no\n"
        + "create_atoms 1 single 0.3 0.2 0.1 units box\nrun 0\n"
        + dump_lines("changed.dump", 1)
        + "run 0\n",
        ranks=ranks,
    )
    moved = result.dump("moved.dump")
    assert np.abs(columns(moved, "x", "y", "z") - crystal.positions).max() > 0.01
    energy = compare_with_core(moved, potential, crystal.cell)
    assert result.value("moved")[0] == pytest.approx(energy, rel=1e-13)
    changed = result.dump("changed.dump")
    assert len(changed["id"]) == 24 - 2 + 1
    compare_with_core(changed, potential, crystal.cell)


def test_energy_is_conserved(case: Case) -> None:
    result = case.run(
        case.header()
        + f"pair_style lmlp\npair_coeff * * {case.models.many} {SYMBOLS}\n"
        + "velocity all create 300 11 loop geom\nfix 1 all nve\ntimestep 0.0002\n"
        + "variable e equal etotal\nvariable k equal ke\n"
        + 'fix p all print 10 "etotal ${e} ${k}" screen yes\nthermo_modify format float %.12g\nrun 100\n'
    )
    rows = [line.split()[1:] for line in result.output.splitlines() if line.startswith("etotal")]
    energies = np.array(rows, dtype=float)
    assert len(energies) == 11
    # kinetic energy comes and goes by some 0.01–1 eV, their sum stays within the error of velocity Verlet
    assert np.ptp(energies[:, 1]) > 1e-3
    assert np.ptp(energies[:, 0]) < 0.01 * np.ptp(energies[:, 1])


def test_minimize_ends_at_zero_force(case: Case, potential) -> None:
    result = case.run(
        case.header()
        + f"pair_style lmlp\npair_coeff * * {case.models.many} {SYMBOLS}\n"
        + 'run 0\nprint "before: $(pe:%.17g)"\nfix u all pair 1 lmlp sigma_f 1\n'
        + 'minimize 0 1e-2 30 100\nprint "after: $(pe:%.17g)"\n'
        + dump_lines("minimum.dump")
        + "run 0\n"
    )
    assert result.value("after")[0] < result.value("before")[0] - 0.01
    compare_with_core(result.dump("minimum.dump"), potential, case.crystal.cell)


def test_fix_adapt_scales_the_model(case: Case, potential) -> None:
    crystal = case.crystal
    result = case.run(
        case.header()
        + f"pair_style lmlp\npair_coeff * * {case.models.many} {SYMBOLS}\n"
        + "variable half equal 0.5\nfix a all adapt 1 pair lmlp scale * * v_half\n"
        + dump_lines("half.dump")
        + 'run 0\nprint "energy: $(pe:%.17g)"\n'
    )
    expected = evaluate(potential, crystal.species, crystal.positions, crystal.cell)
    assert result.value("energy")[0] == pytest.approx(0.5 * expected.energy, rel=1e-14)
    forces = columns(result.dump("half.dump"), "fx", "fy", "fz")
    np.testing.assert_allclose(forces, 0.5 * expected.forces, rtol=0, atol=1e-9)
