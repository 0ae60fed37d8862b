"""One model, one periodic triclinic structure of three elements: every way to evaluate it agrees.

Reference (plain torch), TorchScript, core, ASE and LAMMPS (two ranks, both unit styles) sum the same terms in
other orders. Measured: 1e-14 eV/Å; energies of −2.5e4 eV to 4e-12 eV. The bar is 1e-9 eV and 1e-9 eV/Å.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from lammps_case import DUMP, ELEMENTS, ENERGY_UNIT, Case, Crystal, Models
from lammps_run import columns
from lmlp import LMLPCalculator
from lmlp.descriptor.presets import make_preset
from lmlp.export.model_file import read_model_file
from lmlp.export.random_model import RandomModelOptions, random_model
from lmlp.export.reference_potential import reference_results
from lmlp.export.writing import write_model_file
from lmlp.neighbors import find_neighbors


@pytest.fixture(scope="module")
def reference(models: Models, crystal: Crystal) -> tuple[float, np.ndarray]:
    """Energy and forces of the slow reference."""
    return evaluate_reference(models.many, crystal)


def evaluate_reference(model: Path, crystal: Crystal) -> tuple[float, np.ndarray]:
    data = read_model_file(model)
    pairs = find_neighbors(crystal.positions, crystal.cell, [True] * 3, data.descriptor["cutoff"])
    results = reference_results(data, pairs, crystal.species)
    gradients = results.pair_gradients.mean(0)
    forces = np.zeros_like(crystal.positions)
    np.add.at(forces, pairs.centers, gradients)
    np.add.at(forces, pairs.neighbors, -gradients)
    assert np.abs(forces).max() > 0.05  # the comparison says something
    return float(results.energies.mean(0).sum()), forces


@pytest.mark.parametrize("backend", ["core", "torchscript"])
def test_ase(reference, models: Models, crystal: Crystal, backend: str) -> None:
    atoms = Atoms([ELEMENTS[k] for k in crystal.species], crystal.positions, cell=crystal.cell, pbc=True)
    atoms.calc = LMLPCalculator(models.many, backend=backend)
    energy, forces = reference
    assert atoms.get_potential_energy() == pytest.approx(energy, rel=0, abs=1e-9)
    np.testing.assert_allclose(atoms.get_forces(), forces, rtol=0, atol=1e-9)


@pytest.mark.parametrize("units", ["metal", "real"])
def test_lammps_on_two_ranks(reference, full_run, units: str) -> None:
    energy, forces = reference
    unit = ENERGY_UNIT[units]
    result = full_run(units, 2)
    assert result.value("energy")[0] / unit == pytest.approx(energy, rel=0, abs=1e-9)
    dumped = columns(result.dump("full.dump"), "fx", "fy", "fz") / unit
    np.testing.assert_allclose(dumped, forces, rtol=0, atol=1e-9)


def test_correlation_functions(tmp_path: Path, models: Models, crystal: Crystal) -> None:
    """Functions of two, three and four factors beside radial ones, in LAMMPS on two ranks and in ASE."""
    spec = make_preset("eeacsf-correlation", ELEMENTS, 4.0, angular_cutoff=3.6, l_max_quadruples=2)
    spec["functions"] = spec["functions"][::7]
    assert {len(row.get("factors", ())) for row in spec["functions"]} == {0, 2, 3, 4}
    model = tmp_path / "correlation.pt"
    options = RandomModelOptions(n_members=2, hidden_layers=(12, 8), seed=5, n_atoms=24)
    write_model_file(random_model(spec, ELEMENTS, options), model, verify=False)
    energy, forces = evaluate_reference(model, crystal)
    atoms = Atoms([ELEMENTS[k] for k in crystal.species], crystal.positions, cell=crystal.cell, pbc=True)
    atoms.calc = LMLPCalculator(model)
    assert atoms.get_potential_energy() == pytest.approx(energy, rel=0, abs=1e-9)
    np.testing.assert_allclose(atoms.get_forces(), forces, rtol=0, atol=1e-9)
    case = Case(tmp_path, crystal, models)
    script = case.header() + (
        f"pair_style lmlp\npair_coeff * * {model} {' '.join(ELEMENTS)}\n"
        f"dump d all custom 1 all.dump id type x y z fx fy fz\n{DUMP}\n"
        'run 0\nprint "energy: $(pe:%.17g)"\n'
    )
    result = case.run(script, ranks=2)
    assert result.value("energy")[0] == pytest.approx(energy, rel=0, abs=1e-9)
    dumped = columns(result.dump("all.dump"), "fx", "fy", "fz")
    np.testing.assert_allclose(dumped, forces, rtol=0, atol=1e-9)
