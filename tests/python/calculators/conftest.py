"""Random models for the calculator's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from ase import Atoms
from lmlp import LMLPCalculator

from tests.models import random_crystal, write_random_model


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "model.pt"
    return write_random_model(path, "eeacsf-153", ["H", "C", "O"], members=4)


@pytest.fixture(scope="session")
def one_member_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "single.pt"
    return write_random_model(path, "eeacsf-153", ["H", "C", "O"], members=1)


@pytest.fixture
def calculator(model_path: Path) -> LMLPCalculator:
    return LMLPCalculator(model_path)


@pytest.fixture
def crystal(calculator: LMLPCalculator) -> Atoms:
    atoms = random_crystal(["H", "C", "O"])
    atoms.calc = calculator
    return atoms


@pytest.fixture(scope="session")
def mapped_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of ``model_path`` with spread maps and distance: format version 4."""
    path = tmp_path_factory.mktemp("models") / "mapped.pt"
    return write_random_model(path, "eeacsf-153", ["H", "C", "O"], members=4, spread_maps=True, distance=True)


@pytest.fixture(scope="session")
def one_member_with_distance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "single.pt"
    return write_random_model(path, "eeacsf-153", ["H", "C", "O"], members=1, distance=True)
