"""The ASE calculator: properties, errors, reuse, and the ASE tools that people combine it with."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import molecule
from ase.calculators.calculator import PropertyNotImplementedError
from ase.md.langevin import Langevin
from lmlp import LMLPCalculator
from lmlp.errors import (
    GeometryError,
    InvalidArgumentError,
    LMLPError,
    ModelFileError,
    UncertaintyError,
    UnknownElementError,
)
from lmlp.export.model_file import read_model_file
from lmlp.export.writing import write_model_file

from tests.models import random_crystal, random_molecule

SYMBOLS = ["H", "C", "O"]


def test_properties(crystal: Atoms) -> None:
    energy = crystal.get_potential_energy()
    assert isinstance(energy, float)
    assert crystal.get_potential_energy(force_consistent=True) == energy
    assert crystal.get_forces().shape == (len(crystal), 3)
    assert crystal.get_stress().shape == (6,)
    assert crystal.get_potential_energies().sum() == pytest.approx(energy)


def test_property_without_naming_the_atoms(crystal: Atoms) -> None:
    energy = crystal.get_potential_energy()
    uncertainty = crystal.calc.get_property("energy_uncertainty")
    assert uncertainty == crystal.calc.get_property("energy_uncertainty", crystal)
    assert crystal.calc.get_property("energy") == energy
    with pytest.raises(InvalidArgumentError, match="no atoms given"):
        LMLPCalculator(crystal.calc.facts.path).get_property("energy")


def test_uncertainty_when_asked_for(crystal: Atoms, model_path: Path) -> None:
    crystal.get_forces()
    assert "grade" not in crystal.calc.results
    delta = crystal.calc.get_property("forces_uncertainty", crystal)
    assert delta.shape == (len(crystal), 3)
    results = crystal.calc.results
    facts = crystal.calc.facts
    n = len(crystal)
    expected_energy = max(n * facts.energy_rmse, facts.energy_factor * results["energy_std"])
    assert results["energy_uncertainty"] == pytest.approx(expected_energy, rel=1e-14)
    np.testing.assert_allclose(
        delta, np.maximum(facts.force_rmse, facts.force_factor * results["forces_std"])
    )
    grade = max(expected_energy / (n * facts.energy_rmse), delta.max() / facts.force_rmse)
    assert results["grade"] == pytest.approx(grade, rel=1e-14)
    assert results["grade"] >= 1.0
    always = LMLPCalculator(model_path, uncertainty=True)
    crystal.calc = always
    crystal.get_potential_energy()
    assert always.results["grade"] == pytest.approx(grade, rel=1e-14)


def test_factors_of_the_model_are_used(model_path: Path, tmp_path: Path) -> None:
    data = read_model_file(model_path)
    wide = replace(data, energy_uncertainty_factor=40.0, force_uncertainty_factor=30.0)
    write_model_file(wide, tmp_path / "wide.pt", verify=False)
    atoms = random_crystal(SYMBOLS)
    results = {}
    for name, path in (("usual", model_path), ("wide", tmp_path / "wide.pt")):
        calculator = LMLPCalculator(path, uncertainty=True)
        calculator.calculate(atoms, ["energy"])
        results[name] = calculator.results
    wide_results = results["wide"]
    assert wide_results["energy_std"] == results["usual"]["energy_std"]
    assert wide_results["energy_uncertainty"] == pytest.approx(40.0 * wide_results["energy_std"])
    largest = wide_results["forces_uncertainty"].max()
    assert largest == pytest.approx(30.0 * wide_results["forces_std"].max())


def test_model_without_test_errors_has_no_grade(model_path: Path, tmp_path: Path) -> None:
    data = replace(read_model_file(model_path), energy_rmse=None, force_rmse=None)
    write_model_file(data, tmp_path / "m.pt", verify=False)
    atoms = random_crystal(SYMBOLS)
    calculator = LMLPCalculator(tmp_path / "m.pt", uncertainty=True)
    energy_uncertainty = calculator.get_property("energy_uncertainty", atoms)
    assert energy_uncertainty == pytest.approx(2.0 * calculator.results["energy_std"])
    assert "grade" not in calculator.results
    with pytest.raises(UncertaintyError, match="stores no test errors"):
        calculator.get_property("grade", atoms)


def test_one_member_has_no_uncertainty(one_member_path: Path) -> None:
    atoms = random_crystal(SYMBOLS)
    calculator = LMLPCalculator(one_member_path)
    assert np.isfinite(calculator.get_property("energy", atoms))
    for name in ("energy_uncertainty", "forces_uncertainty", "grade", "energy_std"):
        with pytest.raises(UncertaintyError, match="has one member"):
            calculator.get_property(name, atoms)
    with pytest.raises(UncertaintyError, match="has one member"):
        LMLPCalculator(one_member_path, uncertainty=True)
    # and it still works afterwards
    assert np.isfinite(calculator.get_property("forces", atoms)).all()


def test_stress_needs_a_volume(calculator: LMLPCalculator) -> None:
    atoms = random_molecule(SYMBOLS)
    atoms.calc = calculator
    atoms.get_forces()
    with pytest.raises(PropertyNotImplementedError, match="three cell vectors; this cell has 0"):
        atoms.get_stress()
    assert np.isfinite(atoms.get_forces()).all()


def test_unknown_element(calculator: LMLPCalculator) -> None:
    atoms = molecule("CH3CONH2")
    atoms.calc = calculator
    with pytest.raises(UnknownElementError, match=r"N: not an element of .*model\.pt, which has H, C, O"):
        atoms.get_potential_energy()
    ghost = Atoms("XH", [[0, 0, 0], [0, 0, 1]])
    with pytest.raises(UnknownElementError, match="atomic number 0"):
        calculator.get_property("energy", ghost)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_positions_that_are_no_numbers(crystal: Atoms, value: float) -> None:
    energy = crystal.get_potential_energy()
    kept = crystal.positions.copy()
    crystal.positions[3, 1] = value
    with pytest.raises(GeometryError, match="3"):
        crystal.get_potential_energy()
    crystal.positions[:] = kept
    assert crystal.get_potential_energy() == pytest.approx(energy, abs=1e-12)


def test_coincident_atoms_are_named(crystal: Atoms) -> None:
    crystal.positions[7] = crystal.positions[2]
    with pytest.raises(GeometryError, match="atoms 2 and 7"):
        crystal.get_potential_energy()
    # also through a periodic boundary, and only nearly
    crystal.positions[7] = crystal.positions[2] + crystal.cell.array[1] + [1e-8, 0.0, 0.0]
    with pytest.raises(GeometryError, match="atoms 2 and 7"):
        crystal.get_potential_energy()


def test_singular_cell(calculator: LMLPCalculator) -> None:
    atoms = Atoms("H2", [[0, 0, 0], [0, 0, 1]], cell=[[3, 0, 0], [6, 0, 0], [0, 0, 3]], pbc=True)
    with pytest.raises(GeometryError):
        calculator.get_property("energy", atoms)


def test_no_atoms(calculator: LMLPCalculator) -> None:
    empty = Atoms(cell=[3, 3, 3], pbc=True)
    assert calculator.get_property("energy", empty) == 0.0
    assert calculator.get_property("forces", empty).shape == (0, 3)


def test_one_atom(calculator: LMLPCalculator, model_path: Path) -> None:
    atom = Atoms("O")
    np.testing.assert_array_equal(calculator.get_property("forces", atom), 0.0)
    assert np.isfinite(calculator.get_property("energy", atom))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "gpu"}, "'gpu' is not one of core, torchscript"),
        ({"device": "cuda"}, "use backend='torchscript'"),
        ({"backend": "torchscript", "device": "nonsense"}, "torch device 'nonsense'"),
        ({"skin": -1.0}, "skin = -1.0"),
        ({"threads": -2}, "threads = -2"),
    ],
)
def test_options_are_checked(model_path: Path, options: dict, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        LMLPCalculator(model_path, **options)


def test_files_that_are_no_model(tmp_path: Path, model_path: Path) -> None:
    content = model_path.read_bytes()
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 1
    for number, wrong in enumerate((b"", b"hello", content[:-100], bytes(damaged))):
        path = tmp_path / f"{number}.pt"
        path.write_bytes(wrong)
        for backend in ("core", "torchscript"):
            with pytest.raises(ModelFileError, match=path.name):
                LMLPCalculator(path, backend=backend)
    with pytest.raises((LMLPError, OSError), match=r"nowhere\.pt"):
        LMLPCalculator(tmp_path / "nowhere.pt")


def test_core_does_not_import_torch(model_path: Path) -> None:
    code = (
        "import sys; from ase import Atoms; from lmlp import LMLPCalculator\n"
        f"c = LMLPCalculator({str(model_path)!r}, uncertainty=True)\n"
        "a = Atoms('OH2', [[0, 0, 0], [0, 0, 1], [0, 1, 0]]); a.calc = c; a.get_forces()\n"
        "assert c.results['grade'] >= 1\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_changes_are_noticed(crystal: Atoms, model_path: Path) -> None:
    def fresh() -> float:
        return LMLPCalculator(model_path).get_property("energy", crystal)

    energies = [crystal.get_potential_energy()]
    crystal.positions[0] += 0.3
    energies.append(crystal.get_potential_energy())
    crystal.symbols[1] = "H"
    energies.append(crystal.get_potential_energy())
    crystal.set_cell(crystal.cell.array * 1.03, scale_atoms=True)
    energies.append(crystal.get_potential_energy())
    crystal.pbc = (True, False, True)
    energies.append(crystal.get_potential_energy())
    del crystal[4]
    energies.append(crystal.get_potential_energy())
    assert len({round(energy, 9) for energy in energies}) == len(energies)
    assert energies[-1] == pytest.approx(fresh(), abs=1e-11)


def test_nothing_is_computed_twice(crystal: Atoms, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    predict = crystal.calc._predict
    monkeypatch.setattr(crystal.calc, "_predict", lambda *a, **k: calls.append(1) or predict(*a, **k))
    crystal.get_forces(), crystal.get_potential_energy(), crystal.get_stress(), crystal.get_forces()
    assert len(calls) == 1
    crystal.calc.get_property("grade", crystal)
    crystal.calc.get_property("energy_uncertainty", crystal)
    crystal.set_initial_charges(np.ones(len(crystal)))
    crystal.set_momenta(np.ones((len(crystal), 3)))
    crystal.get_forces()
    assert len(calls) == 2


def test_results_are_not_shared_with_the_caller(crystal: Atoms) -> None:
    forces = crystal.get_forces()
    forces[:] = 0.0
    assert np.abs(crystal.get_forces()).max() > 0.0


def test_one_calculator_for_several_structures(calculator: LMLPCalculator, model_path: Path) -> None:
    structures = [random_crystal(SYMBOLS, seed=seed) for seed in range(3)]
    for atoms in [*structures, *structures]:
        expected = LMLPCalculator(model_path).get_property("energy", atoms)
        assert calculator.get_property("energy", atoms) == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))])
def test_copies_are_independent(crystal: Atoms, duplicate) -> None:
    energy = crystal.get_potential_energy()
    other = crystal.copy()
    other.calc = duplicate(crystal.calc)
    assert other.calc.results["energy"] == energy
    other.positions[0] += 0.2
    assert other.get_potential_energy() != energy
    assert crystal.get_potential_energy() == energy


def test_neighbor_list_is_reused(model_path: Path) -> None:
    atoms = random_crystal(SYMBOLS, n_atoms=8)
    atoms.calc = LMLPCalculator(model_path, skin=1.0)
    Langevin(
        atoms, 0.5 * units.fs, temperature_K=300, friction=0.1, fixcm=False, rng=np.random.default_rng(1)
    ).run(30)
    assert atoms.calc.n_neighbor_builds == 1
    atoms.positions[0] += 0.6
    atoms.get_forces()
    assert atoms.calc.n_neighbor_builds == 2


def test_strides_and_types_of_the_input_do_not_matter(crystal: Atoms, model_path: Path) -> None:
    energy = crystal.get_potential_energy()
    odd = crystal.copy()
    odd.arrays["positions"] = np.asfortranarray(crystal.positions)
    odd.arrays["numbers"] = crystal.numbers.astype(np.int16)
    assert LMLPCalculator(model_path).get_property("energy", odd) == energy
