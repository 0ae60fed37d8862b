"""Atoms closer than in the training data: told once, or refused."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from lmlp import LMLPCalculator, _core
from lmlp.errors import GeometryError, InvalidArgumentError, ModelFileError
from lmlp.export.model_file import read_model_file
from lmlp.export.writing import model_file_bytes

from tests.python.export.models import small_model
from tests.python.export.test_model_file import header_of, reseal

DISTANCES = {"H-H": 1.5, "H-O": 0.9}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from dataclasses import replace

    path = tmp_path_factory.mktemp("close") / "model.pt"
    path.write_bytes(model_file_bytes(replace(small_model(), shortest_distances=DISTANCES)))
    return path


def water(oh: float) -> Atoms:
    return Atoms("OHH", [[0, 0, 0], [oh, 0, 0], [-0.3, 1.4, 0]])


@pytest.mark.parametrize("backend", ["core", "torchscript"])
def test_training_distances_warn_once_by_default(path: Path, backend: str) -> None:
    calculator = LMLPCalculator(path, backend=backend)
    atoms = water(0.82)  # limits: 0.81 (H–O), 1.35 (H–H)
    atoms.calc = calculator
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        atoms.get_forces()
    atoms = water(0.80)
    atoms.calc = calculator
    with pytest.warns(
        UserWarning, match=r"atoms 0 and 1 \(O-H, counted from 0\) are 0\.8 Å.*0\.81 Å.*0\.9 times"
    ):
        forces = atoms.get_forces()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        atoms.rattle(1e-3, seed=1)
        atoms.get_forces()
        fresh = LMLPCalculator(path, backend=backend, rmin=None)
        np.testing.assert_allclose(fresh.get_forces(water(0.80)), forces, rtol=0, atol=1e-12)


def test_stop(path: Path) -> None:
    calculator = LMLPCalculator(path, too_close="stop")
    hydrogens = Atoms("HHO", [[0, 0, 0], [1.3, 0, 0], [0, 3.0, 0]], calculator=calculator)
    for _ in range(2):
        with pytest.raises(GeometryError, match=r"atoms 0 and 1 \(H-H.*closer than rmin 1.35"):
            hydrogens.get_potential_energy()
    # 1.3 Å is no limit to H and O, and O–O is not known
    Atoms("OHO", [[0, 0, 0], [1.3, 0, 0], [0.6, 0, 0]])
    twins = Atoms("OO", [[0, 0, 0], [0.6, 0, 0]], calculator=calculator)
    assert np.isfinite(twins.get_potential_energy())
    hydrogens.calc = pickle.loads(pickle.dumps(calculator))
    with pytest.raises(GeometryError, match=r"closer than rmin 1.35"):
        hydrogens.get_potential_energy()


def test_own_limit_across_a_boundary(path: Path) -> None:
    calculator = LMLPCalculator(path, rmin=0.7, too_close="stop")
    atoms = Atoms("OO", [[0.1, 2, 2], [3.5, 2, 2]], cell=[4, 4, 4], pbc=True, calculator=calculator)
    with pytest.raises(GeometryError, match=r"are 0.6 Å apart, closer than rmin 0.7 Å$"):
        atoms.get_potential_energy()
    atoms.positions[0, 0] = 0.3
    atoms.get_potential_energy()


@pytest.mark.parametrize("options", [{"rmin": 0.0}, {"rmin": -1.0}, {"rmin": "far"}, {"too_close": "off"}])
def test_impossible_settings(path: Path, options: dict) -> None:
    with pytest.raises(InvalidArgumentError, match=r"rmin|too_close"):
        LMLPCalculator(path, **options)


@pytest.mark.parametrize("distances", [{"H-O": 0.0}, {"H-O": -1.0}, {"O-H": 1.0}, {"H-C": 1.0}, {"H-O": "1"}])
def test_impossible_distances_in_a_file(path: Path, tmp_path: Path, distances: dict) -> None:
    content = path.read_bytes()
    bad = tmp_path / "bad.pt"
    bad.write_bytes(reseal(content, {**header_of(content), "shortest_distances": distances}))
    for read in (read_model_file, lambda p: _core.Potential(str(p))):
        with pytest.raises(ModelFileError, match="shortest_distances"):
            read(bad)
