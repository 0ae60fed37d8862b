"""The short-range baseline in LAMMPS: against its own pair style zbl, and against every other door."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from lammps_case import CUTOFF, DUMP, ELEMENTS, ENERGY_UNIT, PRESSURES, Case, Models
from lammps_run import NKTV2P, columns, run_lammps, write_data
from lmlp import LMLPCalculator
from lmlp.elements import atomic_number
from lmlp.export.model_file import read_model_file
from lmlp.export.writing import write_model_file
from lmlp.model.baseline import COULOMB, make_zbl, parse_baseline

QQR2E_METAL = 14.399645  # LAMMPS's own rounded e²/(4πε₀) of units metal, eV·Å
PAIRS = [(a, b) for i, a in enumerate("HCNO") for b in "HCNO"[i:]] + [("W", "H"), ("Ti", "O")]


def test_same_curve_as_pair_style_zbl(tmp_path: Path) -> None:
    """Energy and force at 200 distances of each pair: bare repulsion, switching, end."""
    lines = []
    for k, (a, b) in enumerate(PAIRS):
        inner, outer = make_zbl([a, b], 6.0)["pairs"][f"{a}-{b}"]
        lines += [
            "clear",
            "units metal",
            "region r block 0 1 0 1 0 1",
            "create_box 2 r",
            "mass * 1.0",
            f"pair_style zbl {inner!r} {outer!r}",
            f"pair_coeff 1 1 {atomic_number(a)} {atomic_number(a)}",
            f"pair_coeff 2 2 {atomic_number(b)} {atomic_number(b)}",
            f"pair_write 1 2 200 r {0.1 * outer!r} {0.9999 * outer!r} zbl.{k} curve",
        ]
    run_lammps("\n".join(lines) + "\n", tmp_path)
    for k, (a, b) in enumerate(PAIRS):
        rows = np.array(
            [
                [float(word) for word in line.split()]
                for line in (tmp_path / f"zbl.{k}").read_text().splitlines()
                if len(line.split()) == 4 and line.split()[0].isdigit()
            ]
        )
        assert len(rows) == 200
        elements = [a] if a == b else [a, b]
        baseline = parse_baseline(make_zbl(elements, 6.0), elements, 6.0)
        assert baseline is not None
        zeros = np.zeros(200, int)
        energy, slope = baseline.evaluate(zeros, zeros + len(elements) - 1, rows[:, 1])
        unit = QQR2E_METAL / COULOMB
        # measured: 2e-14 of the largest value (pair_write prints 15 digits)
        np.testing.assert_allclose(energy * unit, rows[:, 2], rtol=1e-12, atol=1e-12 * rows[0, 2])
        np.testing.assert_allclose(-slope * unit, rows[:, 3], rtol=1e-12, atol=1e-12 * rows[0, 3])


@pytest.fixture(scope="module")
def crowd() -> Atoms:
    """A periodic structure with distances far below any bond."""
    rng = np.random.default_rng(14)
    cell = np.array([[5.2, 0.0, 0.0], [0.4, 4.9, 0.0], [-0.3, 0.5, 5.1]])
    positions = rng.random((30, 3)) @ cell
    return Atoms([ELEMENTS[i % 3] for i in range(30)], positions, cell=cell, pbc=True)


@pytest.fixture(scope="module")
def with_baseline(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = read_model_file(models.many)
    path = tmp_path_factory.mktemp("zbl") / "zbl.pt"
    write_model_file(replace(data, baseline=make_zbl(ELEMENTS, CUTOFF)), path, verify=False)
    return path


@pytest.mark.parametrize(("units", "ranks"), [("metal", 1), ("metal", 2), ("real", 1)])
def test_short_distances_as_in_ase(
    case: Case, with_baseline: Path, crowd: Atoms, units: str, ranks: int
) -> None:
    crowd.calc = LMLPCalculator(with_baseline, threads=1)
    forces, energies = crowd.get_forces(), crowd.get_potential_energies()
    assert np.abs(forces).max() > 1000.0  # eV/Å
    types = np.array([ELEMENTS.index(s) + 1 for s in crowd.symbols])
    write_data(case.folder / "crowd.data", types, crowd.positions, crowd.cell.array, len(ELEMENTS))
    result = case.run(
        f"units {units}\natom_style atomic\nbox tilt large\nread_data crowd.data\nmass * 12.0\n"
        f"pair_style lmlp\npair_coeff * * {with_baseline} {' '.join(ELEMENTS)}\n"
        "compute pa all pe/atom\ncompute st all stress/atom NULL virial\n"
        f"fix u all pair 1 lmlp sigma_f 1\ncompute e all pair lmlp\n"
        f"dump d all custom 1 crowd.dump id fx fy fz c_pa c_st[*] f_u\n{DUMP}\n"
        "thermo_style custom step pe press c_e[1]\nrun 0\n"
        f'print "pressure: {PRESSURES}"\nprint "energy: $(pe:%.17g)"\n',
        ranks=ranks,
    )
    unit = ENERGY_UNIT[units]
    dump = result.dump("crowd.dump")
    scale = np.abs(forces).max()
    # measured: 1e-15 of the largest force
    np.testing.assert_allclose(columns(dump, "fx", "fy", "fz") / unit, forces, rtol=0, atol=1e-12 * scale)
    np.testing.assert_allclose(dump["c_pa"] / unit, energies, rtol=0, atol=1e-9)
    assert result.value("energy")[0] / unit == pytest.approx(energies.sum(), rel=0, abs=1e-8)
    stress = crowd.get_stress(voigt=False)
    pressure = result.value("pressure") / NKTV2P[units] / unit
    expected = -np.array([stress[i] for i in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))])
    np.testing.assert_allclose(pressure, expected, rtol=0, atol=1e-9 * np.abs(expected).max())
    sigma = np.sqrt((crowd.calc.get_property("forces_std", crowd) ** 2).max())
    assert 0.0 < sigma < 10.0  # the baseline adds nothing to the uncertainty
    total = sum(columns(dump, f"c_st[{k}]").sum() for k in (1, 2, 3))
    assert total / NKTV2P[units] / unit == pytest.approx(np.trace(stress) * crowd.get_volume(), rel=1e-9)
