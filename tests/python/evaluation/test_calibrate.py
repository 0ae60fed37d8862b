"""``lmlp calibrate``: σ measured anew on structures of one's own."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from lmlp import LMLPCalculator
from lmlp.cli.app import app
from lmlp.export.model_file import read_model_file
from typer.testing import CliRunner

from tests.models import random_crystal, write_random_model

SYMBOLS = ["H", "C", "O"]
ERROR = 0.3  # eV/Å, of each force component


@pytest.fixture(params=[True, False], ids=["maps", "factors"])
def model_path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return write_random_model(tmp_path / "model.pt", "eeacsf-153", SYMBOLS, 4, spread_maps=request.param)


@pytest.fixture
def data(tmp_path: Path, model_path: Path) -> Path:
    rng = np.random.default_rng(1)
    frames = []
    for seed in range(8):
        atoms = random_crystal(SYMBOLS, 8, seed)
        atoms.calc = LMLPCalculator(model_path)
        energy = atoms.get_potential_energy() + 0.02 * len(atoms) * rng.normal()
        forces = atoms.get_forces() + ERROR * rng.normal(size=(len(atoms), 3))
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
        frames.append(atoms)
    ase.io.write(tmp_path / "data.xyz", frames, format="extxyz")
    return tmp_path / "data.xyz"


def test_sigma_follows_the_data_and_nothing_else_changes(
    model_path: Path, data: Path, tmp_path: Path
) -> None:
    output = tmp_path / "calibrated.pt"
    result = CliRunner().invoke(app, ["calibrate", str(model_path), str(data), "-o", str(output)])
    assert result.exit_code == 0, result.output
    before, after = read_model_file(model_path), read_model_file(output)
    for old, new in zip(before.weights, after.weights, strict=True):
        assert (old == new).all()
    # 192 components tell a root mean square error to 1/√(2 · 192) = 5 %
    assert after.force_rmse == pytest.approx(ERROR, rel=0.15)
    assert after.spread_maps is not None
    atoms = ase.io.read(data, index=0)
    sigma = LMLPCalculator(output).get_property("sigma_forces", atoms)
    # as an element's 64 atoms know it, and as the spread of random networks blurs it
    assert np.mean(sigma) == pytest.approx(np.sqrt(3.0) * ERROR, rel=0.3)
    assert after.provenance["tested_on"] == {"files": [str(data)], "n_structures": 8}


def test_a_model_is_not_written_over(model_path: Path, data: Path) -> None:
    content = model_path.read_bytes()
    result = CliRunner().invoke(
        app, ["calibrate", str(model_path), str(data), "-o", str(model_path), "--force"]
    )
    assert result.exit_code != 0
    assert model_path.read_bytes() == content
