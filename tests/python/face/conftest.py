"""A folder with small data and a model that was trained on them."""

from pathlib import Path

import lmlp
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from lmlp.export.model_file import parse_model_file
from lmlp.io import write_structures
from lmlp.structure import Structure

from tests.python.training.toy import SPEC, clusters

SETTINGS = {
    "descriptor": {"spec": SPEC},
    "members": 2,
    "hidden": [6, 5],
    "batch_size": 3,
    "epochs": 3,
    "dtype": "float64",
    "threads": 1,
    "valid_fraction": 0.2,
    "holdout_fraction": 0.1,
}


def as_atoms(structures: list[Structure]) -> list[Atoms]:
    """The same structures with their labels in calculators."""
    result = []
    for s in structures:
        atoms = Atoms(s.numbers, s.positions, cell=s.cell, pbc=s.pbc)
        labels = {"energy": s.energy, "forces": s.forces, "stress": None}
        if s.stress is not None:
            labels["stress"] = s.stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
        atoms.calc = SinglePointCalculator(atoms, **{k: v for k, v in labels.items() if v is not None})
        result.append(atoms)
    return result


def weights(model: lmlp.Model) -> bytes:
    """All numbers of the networks, bit by bit."""
    data = parse_model_file(model.content, "model")
    return b"".join(a.tobytes() for a in (data.scale, data.shift, *data.weights, *data.biases))


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("face")
    write_structures(folder / "train.xyz", clusters(24))
    write_structures(folder / "new.xyz", clusters(12, seed=3))
    write_structures(folder / "test.xyz", clusters(3, seed=7))
    lmlp.train(folder / "train.xyz", output=folder / "model.pt", **SETTINGS)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the data and the model, in which the test runs."""
    for path in made.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path
