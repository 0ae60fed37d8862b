"""Free atoms in LAMMPS: a gas of fragments and single atoms, and a molecule that falls apart, as in ASE."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from lammps_case import CUTOFF, DUMP, ELEMENTS, ENERGY_UNIT, PRESSURES, Case, Models
from lammps_run import NKTV2P, columns, write_data
from lmlp import LMLPCalculator
from lmlp.export.model_file import read_model_file
from lmlp.export.writing import write_model_file
from lmlp.model.free_atoms import neighbor_density
from lmlp.neighbors import find_neighbors

# O has no free atom
FREE = {"H": {"energy": -13.25, "density": 1.5}, "C": {"energy": -1030.0, "density": 0.05}}


@pytest.fixture(scope="module")
def with_free_atoms(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = read_model_file(models.many)
    path = tmp_path_factory.mktemp("free") / "free.pt"
    write_model_file(replace(data, free_atoms=FREE), path)
    return path


@pytest.fixture(scope="module")
def gas() -> Atoms:
    """A thin gas: clusters, pairs that lose each other, atoms alone, on both sides of the box."""
    rng = np.random.default_rng(8)
    cell = np.array([[24.0, 0.0, 0.0], [1.0, 22.0, 0.0], [-2.0, 3.0, 26.0]])
    positions = rng.random((40, 3)) @ cell
    for i in range(0, 20, 2):  # pairs at 1.2 to 4.2 Å
        away = rng.normal(size=3)
        positions[i + 1] = positions[i] + away / np.linalg.norm(away) * (1.2 + 0.16 * i)
    atoms = Atoms(
        [ELEMENTS[i * i % 3 if i % 2 else i % 3] for i in range(40)], positions, cell=cell, pbc=True
    )
    pairs = find_neighbors(atoms.positions, atoms.cell.array, True, CUTOFF)
    density = neighbor_density(pairs, CUTOFF)
    full = np.array([FREE.get(s, {"density": 0.0})["density"] for s in atoms.symbols])
    known = full > 0
    assert (density[known] == 0.0).sum() > 2
    assert ((density > 0.0) & (density < full)).sum() > 5
    assert (density > full)[known].any()
    return atoms


@pytest.mark.parametrize(
    ("units", "ranks", "settings"),
    [("metal", 1, ""), ("metal", 2, ""), ("real", 2, ""), ("metal", 1, "precision mixed")],
)
def test_a_gas_as_in_ase(
    case: Case, with_free_atoms: Path, gas: Atoms, units: str, ranks: int, settings: str
) -> None:
    precision = "mixed" if settings else "double"
    gas.calc = LMLPCalculator(with_free_atoms, threads=1, precision=precision, uncertainty=True)
    forces, energies = gas.get_forces(), gas.get_potential_energies()
    types = np.array([ELEMENTS.index(s) + 1 for s in gas.symbols])
    write_data(case.folder / "gas.data", types, gas.positions, gas.cell.array, len(ELEMENTS))
    result = case.run(
        f"units {units}\natom_style atomic\nbox tilt large\nread_data gas.data\nmass * 12.0\n"
        f"pair_style lmlp {settings}\npair_coeff * * {with_free_atoms} {' '.join(ELEMENTS)}\n"
        "compute pa all pe/atom\nfix u all pair 1 lmlp sigma_f 1 sigma_e 1\ncompute e all pair lmlp\n"
        f"dump d all custom 1 gas.dump id fx fy fz c_pa f_u[*]\n{DUMP}\n"
        "thermo_style custom step pe press c_e[1]\nrun 0\n"
        f'print "pressure: {PRESSURES}"\nprint "energy: $(pe:%.17g)"\n',
        ranks=ranks,
    )
    unit = ENERGY_UNIT[units]
    dump = result.dump("gas.dump")
    scale = np.abs(forces).max()
    assert scale > 0.1
    np.testing.assert_allclose(columns(dump, "fx", "fy", "fz") / unit, forces, rtol=0, atol=1e-12 * scale)
    # energies of 1e3 eV
    np.testing.assert_allclose(dump["c_pa"] / unit, energies, rtol=0, atol=1e-10)
    assert result.value("energy")[0] / unit == pytest.approx(energies.sum(), rel=0, abs=1e-9)
    stress = gas.get_stress(voigt=False)
    pressure = result.value("pressure") / NKTV2P[units] / unit
    expected = -np.array([stress[i] for i in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))])
    np.testing.assert_allclose(pressure, expected, rtol=0, atol=1e-9 * np.abs(expected).max())
    pairs = find_neighbors(gas.positions, gas.cell.array, True, CUTOFF)
    alone = np.flatnonzero(np.diff(pairs.offsets) == 0)
    for i in alone:
        if gas.symbols[i] in FREE:
            assert dump["c_pa"][i] / unit == pytest.approx(FREE[gas.symbols[i]]["energy"], rel=1e-14)


def test_a_molecule_falls_apart(case: Case, with_free_atoms: Path) -> None:
    """From a bond to two free atoms, not periodic: energies of all steps as in ASE, and their sum stays."""
    write_data(
        case.folder / "two.data",
        np.array([1, 2]),
        np.array([[19.0, 20, 20], [20.6, 20, 20]]),
        40 * np.eye(3),
        3,
    )
    result = case.run(
        "units metal\natom_style atomic\nboundary f f f\nread_data two.data\nmass * 12.0\n"
        f"pair_style lmlp\npair_coeff * * {with_free_atoms} {' '.join(ELEMENTS)}\n"
        "velocity all set 0 0 0\ngroup left id 1\ngroup right id 2\n"
        "velocity left set -150 0 0\nvelocity right set 150 0 0\nfix m all nve\ntimestep 0.0001\n"
        "dump d all custom 10 two.dump id x y z\n"
        "dump_modify d sort id format float %.17g\nthermo 10\n"
        "thermo_style custom step pe etotal\nthermo_modify format float %.17g\nrun 400\n"
    )
    lines = [line.split() for line in result.output.splitlines()]
    rows = np.array([[float(w) for w in words] for words in lines if len(words) == 3 and words[0].isdigit()])
    rows = rows[:41]
    text = (case.folder / "two.dump").read_text().split("ITEM: TIMESTEP\n")[1:]
    calculator = LMLPCalculator(with_free_atoms, threads=1)
    distances = []
    for frame, (_, pe, _) in zip(text, rows, strict=True):
        positions = np.array([[float(w) for w in line.split()[1:4]] for line in frame.splitlines()[-2:]])
        distances.append(np.linalg.norm(positions[1] - positions[0]))
        expected = calculator.get_property("energy", Atoms("HC", positions))
        assert pe == pytest.approx(expected, rel=0, abs=1e-9)
    assert distances[0] < 1.7
    assert distances[-1] > CUTOFF
    assert rows[-1, 1] == pytest.approx(FREE["H"]["energy"] + FREE["C"]["energy"], abs=1e-11)
    assert np.ptp(rows[:, 1]) > 0.1
    assert np.ptp(rows[:, 2]) < 0.02 * np.ptp(rows[:, 1])
