"""Two models of real data, trained with the command line, are the same potential in ASE and in LAMMPS.

Measured: 1.1e-12 eV and eV/Å at most, on every number of ranks; the bar is 1e-9.
"""

from __future__ import annotations

from pathlib import Path

import ase
import numpy as np
import pytest
from lammps_case import DUMP, PRESSURES
from lammps_run import NKTV2P, columns, run_lammps, write_data
from lmlp import LMLPCalculator
from lmlp.export.model_file import read_model_file
from lmlp.io import read_structures
from trained_models import TrainedModels

SIX = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]

pytestmark = [pytest.mark.slow, pytest.mark.data]


def read_frames(path: Path, n_frames: int) -> list[ase.Atoms]:
    """Some frames of a file, turned so that LAMMPS can have the cell."""
    structures = read_structures(path)
    frames = []
    for structure in structures[:: len(structures) // n_frames][:n_frames]:
        lower, turn = _lower_triangular(structure.cell)
        positions = structure.positions @ turn
        if structure.pbc.any():
            positions = np.linalg.solve(lower.T, positions.T).T % 1.0 @ lower
        else:  # an open box with nothing beyond it
            positions = positions - positions.min(axis=0) + 2.0
            lower = np.diag(positions.max(axis=0) + 2.0)
        frames.append(ase.Atoms(structure.numbers, positions, cell=lower, pbc=structure.pbc))
    return frames


def _lower_triangular(cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """L and Q with cell·Q = L, the diagonal of L positive; Q may mirror."""
    q, r = np.linalg.qr(cell.T)
    signs = np.sign(np.diag(r))
    return (r * signs[:, None]).T, q * signs


def compare(model: Path, atoms: ase.Atoms, folder: Path, ranks: int) -> None:
    elements = read_model_file(model).elements
    types = np.array([elements.index(symbol) + 1 for symbol in atoms.get_chemical_symbols()])
    write_data(folder / "atoms.data", types, atoms.positions, atoms.cell.array, len(elements))
    boundary = "p p p" if atoms.pbc.all() else "f f f"
    result = run_lammps(
        f"units metal\natom_style atomic\nboundary {boundary}\nread_data atoms.data\nmass * 12.0\n"
        f"pair_style lmlp\npair_coeff * * {model} {' '.join(elements)}\n"
        "compute e all pair lmlp\ncompute pa all pe/atom\nfix u all pair 1 lmlp sigma_f 1 grade 1\n"
        f"dump d all custom 1 forces.dump id fx fy fz c_pa f_u[*]\n{DUMP}\n"
        "thermo_style custom step pe press c_e[1]\nrun 0\n"
        'print "energy: $(pe:%.17g) $(c_e[1]:%.17g) $(c_e[2]:%.17g) $(c_e[4]:%.17g)"\n'
        f'print "pressure: {PRESSURES}"\nprint "volume: $(vol:%.17g)"\n',
        folder,
        ranks=ranks,
    )
    stored = read_model_file(model)
    atoms = atoms.copy()
    atoms.calc = LMLPCalculator(model, uncertainty=True)
    forces, results = atoms.get_forces(), atoms.calc.results
    assert np.abs(forces).max() > 0.3
    dump = result.dump("forces.dump")
    np.testing.assert_allclose(columns(dump, "fx", "fy", "fz"), forces, rtol=0, atol=1e-9)
    np.testing.assert_allclose(dump["c_pa"], results["energies"], rtol=0, atol=1e-9)
    if stored.spread_maps is None:
        sigma = (stored.force_uncertainty_factor * results["forces_std"]).max(axis=1)
        of_energy = stored.energy_uncertainty_factor * results["energy_std"]
    else:
        sigma, of_energy = results["sigma_forces"], results["energy_uncertainty"]
    np.testing.assert_allclose(dump["f_u[1]"], sigma, rtol=0, atol=1e-9)
    energy, sigma_energy, sigma_force, grade = result.value("energy")
    assert energy == pytest.approx(results["energy"], rel=0, abs=1e-9)
    assert sigma_energy == pytest.approx(of_energy, rel=0, abs=1e-9)
    assert sigma_force == pytest.approx(sigma.max(), rel=0, abs=1e-9)
    assert grade == pytest.approx(results["grade"], rel=1e-9)
    if atoms.pbc.all():
        virial = result.value("pressure") * result.value("volume") / NKTV2P["metal"]
        stress = atoms.get_stress(voigt=False) * atoms.get_volume()
        np.testing.assert_allclose(virial, [-stress[ab] for ab in SIX], rtol=0, atol=1e-9)


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_molecule_in_ase_and_lammps(trained: TrainedModels, tmp_path: Path, ranks: int) -> None:
    for frame in read_frames(trained.molecule_frames, 2):
        compare(trained.molecule, frame, tmp_path, ranks)


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_alloy_in_ase_and_lammps(trained: TrainedModels, tmp_path: Path, ranks: int) -> None:
    """Tantalum and tungsten are beyond xenon: the table of all elements."""
    assert read_model_file(trained.alloy).descriptor["table"] == "h-og"
    for frame in read_frames(trained.alloy_frames, 1):
        assert set(frame.get_chemical_symbols()) == {"Nb", "Mo", "Ta", "W"}
        compare(trained.alloy, frame, tmp_path, ranks)
