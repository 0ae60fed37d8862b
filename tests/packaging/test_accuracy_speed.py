"""The accuracy benchmark: which system is timed in LAMMPS, and that it is the model's own."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from lmlp.calculators.ase import LMLPCalculator
from lmlp.descriptor.presets import make_preset
from lmlp.export.random_model import RandomModelOptions, random_model
from lmlp.export.writing import write_model_file
from lmlp.io import write_structures
from lmlp.structure import Structure

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "accuracy"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the benchmarks are not part of this copy")

SKEWED = np.array([[4.1, 0.0, 0.0], [1.9, 3.6, 0.0], [0.4, -1.1, 4.6]])


@pytest.fixture
def speed(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    known = set(sys.modules)
    yield importlib.import_module("lammps_speed")
    for name in set(sys.modules) - known:
        if str(FOLDER.parent) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def model(tmp_path) -> Path:
    spec = make_preset("eeacsf-bump", ["O", "Ti"], 4.0)
    path = tmp_path / "model.pt"
    options = RandomModelOptions(n_members=2, hidden_layers=(8, 8))
    write_model_file(random_model(spec, ["O", "Ti"], options), path, verify=False)
    return path


def crystal(scale: float = 1.0, numbers: tuple[int, ...] = (22, 8, 8), source: str = "c") -> Structure:
    fractions = np.array([[0.0, 0.0, 0.0], [0.48, 0.5, 0.03], [0.02, 0.45, 0.5]])[: len(numbers)]
    cell = scale * SKEWED
    return Structure(np.array(numbers, np.int32), fractions @ cell, cell, np.array([True] * 3), source=source)


def molecule() -> Structure:
    positions = np.array([[0.0, 0, 0], [1.7, 0, 0], [-0.6, 1.6, 0.2]])
    numbers = np.array([22, 8, 8], np.int32)
    return Structure(numbers, positions, np.zeros((3, 3)), np.array([False] * 3), source="m")


def test_the_typical_structure_has_most_elements_and_middle_density(speed) -> None:
    structures = [crystal(s, source=str(s)) for s in (1.3, 1.0, 1.1)]
    pure = [crystal(s, (22, 22), source="pure") for s in (0.9, 0.95, 1.0, 1.05, 1.1)]
    chosen, neighbors = speed.typical([*pure, *structures], 5.0)
    assert chosen.source == "1.1"
    density = 3 / abs(np.linalg.det(1.1 * SKEWED))
    assert neighbors == pytest.approx(density * 4 / 3 * np.pi * 5**3, rel=0.1)


@pytest.mark.parametrize("structure", [crystal(), molecule()], ids=["crystal", "molecule"])
def test_the_large_system_is_that_structure_many_times(speed, model, structure, monkeypatch) -> None:
    """Energy and forces: copies of a crystal continue it, copies of a molecule do not feel each other."""
    monkeypatch.setattr(speed, "N_ATOMS", 70)
    atoms, copies = speed.large_system(structure, 4.0)
    assert len(atoms) == np.prod(copies) * len(structure) >= 70
    heights = 1.0 / np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0)
    assert heights.max() < 2.0 * heights.min()  # grows evenly
    single = Atoms(structure.numbers, structure.positions, cell=structure.cell, pbc=structure.pbc)
    single.calc, atoms.calc = LMLPCalculator(model), LMLPCalculator(model)
    expected = np.prod(copies) * single.get_potential_energy()
    # sums of about a hundred atoms' energies of some 1e1 eV: rounding 1e-13
    assert atoms.get_potential_energy() == pytest.approx(expected, rel=1e-11)
    forces = np.tile(single.get_forces(), (int(np.prod(copies)), 1))
    np.testing.assert_allclose(atoms.get_forces(), forces, atol=1e-9)


@pytest.mark.lammps
def test_times_of_lammps(speed, model, tmp_path, monkeypatch) -> None:
    pytest.importorskip("lammps")
    monkeypatch.setattr(speed, "N_ATOMS", 70)
    write_structures(tmp_path / "test.xyz", [crystal()])
    found = speed.measure_speed(model, [tmp_path / "test.xyz"])
    assert found["system"] == "3 × 3 × 3 of test.xyz:0"
    assert found["atoms"] == 81
    for name in ("double", "mixed"):
        assert len(found[name]["times"]) == 3
        assert found[name]["median"] == sorted(found[name]["times"])[1] > 0.0
    monkeypatch.setattr(speed, "lammps_steps", lambda *_, **__: {"failed": "no plugin"})
    with pytest.raises(SystemExit, match="LAMMPS: no plugin"):
        speed.measure_speed(model, [tmp_path / "test.xyz"])
