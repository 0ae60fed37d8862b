"""σ, grade and distance of models with spread maps, against members evaluated one by one."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from lmlp import LMLPCalculator
from lmlp.calculators import prediction
from lmlp.calculators.backends import open_backend
from lmlp.calculators.many import predict_structures
from lmlp.descriptor.compute import Descriptor
from lmlp.errors import InvalidArgumentError, UncertaintyError
from lmlp.export.model_file import read_model_file
from lmlp.export.writing import write_model_file
from lmlp.model.spread import parse_spread_maps

from tests.models import random_crystal, random_molecule, single_members, some_spread_maps

SYMBOLS = ["H", "C", "O"]
VOIGT = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]


@pytest.fixture(scope="module")
def members(mapped_path: Path, tmp_path_factory: pytest.TempPathFactory) -> list[LMLPCalculator]:
    """Each member as a calculator of its own."""
    folder = tmp_path_factory.mktemp("members")
    calculators = []
    for m, data in enumerate(single_members(read_model_file(mapped_path))):
        write_model_file(data, folder / f"{m}.pt", verify=False)
        calculators.append(LMLPCalculator(folder / f"{m}.pt", threads=1))
    return calculators


def rotation(seed: int) -> np.ndarray:
    turned, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return turned * np.linalg.det(turned)


def test_energies_and_forces(mapped_path: Path, members: list[LMLPCalculator]) -> None:
    atoms = random_crystal(SYMBOLS)
    n = len(atoms)
    calculator = LMLPCalculator(mapped_path, uncertainty=True)
    energies = np.array([c.get_property("energy", atoms) for c in members])
    forces = np.array([c.get_property("forces", atoms) for c in members])
    maps, facts = some_spread_maps(SYMBOLS), calculator.facts
    spread = np.linalg.norm(np.std(forces, axis=0, ddof=1), axis=1)
    sigma = []
    for symbol, s in zip(atoms.symbols, spread, strict=True):
        entry = maps["forces"][symbol]
        sigma.append(math.sqrt(entry["floor"] ** 2 + (entry["factor"] * s) ** 2))
    per_atom = np.std(energies, ddof=1) / n
    sigma_energy = n * math.sqrt(0.002**2 + (1.25 * per_atom) ** 2)
    found = {name: calculator.get_property(name, atoms) for name in calculator.implemented_properties}
    np.testing.assert_allclose(found["sigma_forces"], sigma, rtol=1e-10)
    np.testing.assert_allclose(found["forces_uncertainty"], np.outer(sigma, [3**-0.5] * 3), rtol=1e-10)
    assert found["energy_uncertainty"] == pytest.approx(sigma_energy, rel=1e-10)
    np.testing.assert_allclose(found["member_energies"], energies, rtol=1e-12)
    grades = np.array(sigma) / (math.sqrt(3.0) * facts.force_rmse)
    np.testing.assert_allclose(found["grades"], grades, rtol=1e-10)
    of_energy = sigma_energy / (n * facts.energy_rmse)
    assert found["grade"] == pytest.approx(max(of_energy, grades.max()), rel=1e-10)


def stress_by_differences(calculator: LMLPCalculator, atoms: Atoms) -> np.ndarray:
    """Differentiate the energy by each of nine strains."""
    stress, h = np.empty((3, 3)), 1e-4
    for i in range(3):
        for j in range(3):
            energies = {}
            for step in (-2, -1, 1, 2):
                strain = np.eye(3)
                strain[i, j] += step * h
                strained = atoms.copy()
                strained.set_cell(atoms.cell.array @ strain, scale_atoms=True)
                energies[step] = calculator.get_property("energy", strained)
            slope = 8.0 * (energies[1] - energies[-1]) - (energies[2] - energies[-2])
            stress[i, j] = slope / (12.0 * h) / atoms.get_volume()
    return stress


def test_stress_and_pressure(mapped_path: Path, members: list[LMLPCalculator]) -> None:
    atoms = random_crystal(SYMBOLS)
    n, volume = len(atoms), atoms.get_volume()
    stresses = np.array([stress_by_differences(calculator, atoms) for calculator in members])
    std = np.std(stresses, axis=0, ddof=1)
    pressures = -np.trace(stresses, axis1=1, axis2=2) / 3.0
    entry = some_spread_maps(SYMBOLS)["stress"]

    def sigma(spread: float) -> float:
        return math.hypot(entry["floor"], entry["factor"] * spread * volume / n) * n / volume

    calculator = LMLPCalculator(mapped_path)
    # measured: 1e-9 relative
    np.testing.assert_allclose(
        calculator.get_property("stress_std", atoms), [std[k] for k in VOIGT], rtol=1e-6
    )
    assert calculator.results["pressure_std"] == pytest.approx(np.std(pressures, ddof=1), rel=1e-6)
    expected = sigma(math.sqrt(float((std**2).mean())))
    assert expected > 1.05 * entry["floor"] * n / volume
    np.testing.assert_allclose(calculator.results["stress_uncertainty"], [expected] * 6, rtol=1e-6)
    expected = sigma(float(np.std(pressures, ddof=1)))
    assert calculator.results["pressure_uncertainty"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("symbols", ["OH", "H2", "CO"])
def test_grade_of_a_turned_dimer(mapped_path: Path, tmp_path: Path, symbols: str) -> None:
    # test errors by which the forces decide the grade
    data = replace(read_model_file(mapped_path), energy_rmse=1e3, force_rmse=1e-6)
    write_model_file(data, tmp_path / "new.pt", verify=False)
    write_model_file(replace(data, spread_maps=None), tmp_path / "old.pt", verify=False)
    new, old = (LMLPCalculator(tmp_path / f"{name}.pt") for name in ("new", "old"))
    atoms = Atoms(symbols, [[0.0, 0.0, 0.0], [0.0, 0.0, 1.05]])
    grade, distance = new.get_property("grade", atoms), new.get_property("distance", atoms)
    changes = []
    for seed in range(4):
        turned = Atoms(atoms.symbols, atoms.positions @ rotation(seed))
        assert new.get_property("grade", turned) == pytest.approx(grade, rel=1e-10)
        assert new.get_property("distance", turned) == pytest.approx(distance, rel=1e-10)
        changes.append(old.get_property("grade", turned) / old.get_property("grade", atoms))
    # that of the largest component, for comparison
    assert min(changes) < 0.9


def test_backends_agree(mapped_path: Path) -> None:
    core = LMLPCalculator(mapped_path, uncertainty=True)
    script = LMLPCalculator(mapped_path, uncertainty=True, backend="torchscript")
    for atoms in (random_crystal(SYMBOLS), random_crystal(SYMBOLS, seed=4)):
        for name in core.implemented_properties:
            a, b = core.get_property(name, atoms), script.get_property(name, atoms)
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10, err_msg=name)
    assert core.facts == replace(script.facts, path=core.facts.path)


def test_distances_are_those_of_the_features(mapped_path: Path) -> None:
    data = read_model_file(mapped_path)
    descriptor = Descriptor(data.descriptor, data.elements)
    for atoms in (random_crystal(SYMBOLS), random_molecule(SYMBOLS)):
        species = np.array([SYMBOLS.index(s) for s in atoms.symbols])
        features = descriptor.features(atoms)
        expected = []
        for g, e in zip(features, species, strict=True):
            y = data.distance_scale[e] * (g - data.distance_shift[e])
            expected.append(math.sqrt(y @ y - sum((axis @ y) ** 2 for axis in data.distance_axes[e])))
        calculator = LMLPCalculator(mapped_path)
        found = calculator.get_property("distances", atoms)
        np.testing.assert_allclose(found, expected, rtol=1e-10)
        assert calculator.results["distance"] == found.max()
        assert "grade" not in calculator.results


@pytest.mark.parametrize("pairs", [1, 100])
def test_blocks_and_many_structures(mapped_path: Path, monkeypatch: pytest.MonkeyPatch, pairs: int) -> None:
    structures = [random_crystal(SYMBOLS, seed=seed) for seed in range(3)]
    backend = open_backend(mapped_path, threads=1)
    names = [str(k) for k in range(3)]
    batches = predict_structures(backend, structures, names, uncertainty=True)
    several = [one for batch in batches for one in batch]
    monkeypatch.setattr(prediction, "BLOCK_PAIRS", pairs)
    for atoms, many in zip(structures, several, strict=True):
        calculator = LMLPCalculator(mapped_path, uncertainty=True, skin=0.0)
        atoms.calc = calculator
        atoms.get_stress()
        results = calculator.results
        for name in ("sigma_forces", "grades", "forces_uncertainty"):
            np.testing.assert_array_equal(
                results[name], getattr(many.uncertainty, name.replace("forces_uncertainty", "forces"))
            )
        np.testing.assert_array_equal(results["distances"], many.distances)
        assert results["grade"] == many.uncertainty.grade
        sigma = many.uncertainty.virial / atoms.get_volume()
        np.testing.assert_allclose(results["stress_uncertainty"], sigma, rtol=1e-12)


def test_weights_give_the_same_forces(mapped_path: Path, model_path: Path) -> None:
    atoms = random_crystal(SYMBOLS)
    plain = LMLPCalculator(model_path).get_property("forces", atoms)
    for options in ({}, {"uncertainty": True}, {"distances": True}):
        calculator = LMLPCalculator(mapped_path, **options)
        np.testing.assert_array_equal(calculator.get_property("forces", atoms), plain)


def test_one_member_has_distances(one_member_with_distance: Path, mapped_path: Path) -> None:
    atoms = random_crystal(SYMBOLS)
    calculator = LMLPCalculator(one_member_with_distance, distances=True)
    calculator.get_property("energy", atoms)
    # the same symmetry functions and moments
    expected = LMLPCalculator(mapped_path).get_property("distances", atoms)
    np.testing.assert_array_equal(calculator.results["distances"], expected)
    with pytest.raises(UncertaintyError, match=r"one member.*distances=True"):
        calculator.get_property("grade", atoms)
    with pytest.raises(UncertaintyError, match="one member"):
        LMLPCalculator(one_member_with_distance, uncertainty=True)


def test_models_without(model_path: Path, mapped_path: Path, tmp_path: Path) -> None:
    atoms = random_crystal(SYMBOLS)
    old = LMLPCalculator(model_path)
    for name in ("distance", "distances"):
        with pytest.raises(UncertaintyError, match="stores no distances"):
            old.get_property(name, atoms)
    with pytest.raises(UncertaintyError, match="stores no distances"):
        LMLPCalculator(model_path, distances=True)
    for name in ("stress_uncertainty", "pressure_uncertainty"):
        with pytest.raises(UncertaintyError, match=r"no spread maps.*stress_std and pressure_std"):
            old.get_property(name, atoms)
    assert old.get_property("stress_std", atoms).shape == (6,)
    with pytest.raises(InvalidArgumentError, match="distances = 3: give True or False"):
        LMLPCalculator(mapped_path, distances=3)
    with pytest.raises(PropertyNotImplementedError, match="stress_uncertainty needs a volume"):
        LMLPCalculator(mapped_path).get_property("stress_uncertainty", random_molecule(SYMBOLS))
    # σ, but nothing to measure it by
    data = replace(read_model_file(mapped_path), energy_rmse=None, force_rmse=None)
    write_model_file(data, tmp_path / "m.pt", verify=False)
    calculator = LMLPCalculator(tmp_path / "m.pt", uncertainty=True)
    sigma = calculator.get_property("sigma_forces", atoms)
    np.testing.assert_array_equal(sigma, LMLPCalculator(mapped_path).get_property("sigma_forces", atoms))
    assert "grade" not in calculator.results
    with pytest.raises(UncertaintyError, match="no test errors"):
        calculator.get_property("grades", atoms)


def test_a_floor_alone(mapped_path: Path, tmp_path: Path) -> None:
    """Without a spread, e.g. of an atom without neighbors, σ is the floor of the element."""
    calculator = LMLPCalculator(mapped_path)
    maps = parse_spread_maps(some_spread_maps(SYMBOLS), SYMBOLS)
    assert maps is not None
    for e, symbol in enumerate(SYMBOLS):
        (sigma,) = calculator.get_property("sigma_forces", Atoms(symbol))
        assert sigma == maps.forces[e].floor
    empty = Atoms(cell=[3, 3, 3], pbc=True)
    assert calculator.get_property("grade", empty) == 0.0
    assert calculator.get_property("distance", empty) == 0.0
    assert calculator.get_property("stress_uncertainty", empty).tolist() == [0.0] * 6
