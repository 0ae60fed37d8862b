"""A model in memory: the numbers of the calculator and of ``lmlp eval``, immutable, copied and pickled."""

import copy
import dataclasses
import pickle
from pathlib import Path

import lmlp
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.io import write
from ase.io.trajectory import Trajectory
from lmlp.errors import (
    GeometryError,
    InvalidArgumentError,
    ModelFileError,
    UncertaintyError,
    UnknownElementError,
)
from lmlp.export.model_file import read_model_file
from lmlp.io import read_structures

from tests.models import random_crystal, write_random_model
from tests.python.face.conftest import as_atoms
from tests.python.training.toy import clusters

NAMES = [field.name for field in dataclasses.fields(lmlp.Model.predict.__globals__["PredictedProperties"])]


def same(result: object, results: dict) -> None:
    for name in NAMES:
        np.testing.assert_array_equal(getattr(result, name), results.get(name), err_msg=name)


@pytest.fixture(scope="module")
def random(tmp_path_factory: pytest.TempPathFactory) -> lmlp.Model:
    folder = tmp_path_factory.mktemp("random")
    return lmlp.load(write_random_model(folder / "m.pt", "eeacsf-153", ["H", "C", "O"]))


@pytest.mark.parametrize("uncertainty", [True, False])
def test_numbers_of_the_calculator(random: lmlp.Model, uncertainty: bool) -> None:
    for seed, atoms in enumerate([random_crystal(["H", "C", "O"]), molecule("CH3OH")]):
        atoms.rattle(0.05, seed=seed)
        atoms.calc = random.calculator(uncertainty=uncertainty, skin=0.0)
        atoms.get_forces()
        same(random.predict(atoms, uncertainty=uncertainty), atoms.calc.results)


def test_numbers_of_eval(folder: Path) -> None:
    model = lmlp.load("model.pt")
    structures = read_structures("test.xyz")
    evaluation = lmlp.evaluate(model, "test.xyz")
    results = model.predict(structures)
    for result, ours in zip(evaluation.results, results, strict=True):
        assert ours.energy == result.prediction.energy
        np.testing.assert_array_equal(ours.forces, result.prediction.forces)
        assert result.prediction.uncertainty is not None
        assert ours.grade == result.prediction.uncertainty.grade
        one = model.predict(result.structure)
        assert one.energy == ours.energy
        np.testing.assert_array_equal(one.forces_uncertainty, ours.forces_uncertainty)


def test_uncertainty_by_the_model(random: lmlp.Model, tmp_path: Path) -> None:
    atoms = molecule("CH3OH")
    assert random.predict(atoms).energy_uncertainty is not None
    assert random.predict(atoms, uncertainty=False).energy_uncertainty is None
    single = lmlp.load(write_random_model(tmp_path / "one.pt", "eeacsf-153", ["H", "C", "O"], members=1))
    assert single.predict(atoms).energy_uncertainty is None
    with pytest.raises(UncertaintyError):
        single.predict(atoms, uncertainty=True)


def test_distances_by_the_model(random: lmlp.Model, tmp_path: Path) -> None:
    options = {"spread_maps": True, "distance": True}
    atoms = random_crystal(["H", "C", "O"])
    model = lmlp.load(write_random_model(tmp_path / "m.pt", "eeacsf-153", ["H", "C", "O"], **options))
    atoms.calc = model.calculator(uncertainty=True, skin=0.0)
    atoms.get_forces()
    result = model.predict(atoms)
    same(result, atoms.calc.results)
    assert all(getattr(result, name) is not None for name in NAMES)
    np.testing.assert_array_equal(model.predict([atoms, atoms])[1].distances, result.distances)
    assert model.predict(atoms, uncertainty=False).distances is None
    alone = model.predict(atoms, uncertainty=False, distances=True)
    assert (alone.distance, alone.grade) == (result.distance, None)
    options = {"members": 1, "distance": True}
    single = lmlp.load(write_random_model(tmp_path / "one.pt", "eeacsf-153", ["H", "C", "O"], **options))
    result = single.predict(atoms)
    assert result.distances is not None
    assert result.distances.shape == (len(atoms),)
    assert (result.grade, result.sigma_forces) == (None, None)
    assert random.predict(atoms).distances is None
    with pytest.raises(UncertaintyError, match="stores no distances"):
        random.predict(atoms, distances=True)


def test_wrong_structures_are_named(random: lmlp.Model) -> None:
    good, bad = molecule("H2O"), Atoms("Fe", [[0, 0, 0]])
    with pytest.raises(UnknownElementError, match=r"^atoms\[1\]: Fe"):
        random.predict([good, bad])
    with pytest.raises(GeometryError, match=r"^atoms\[0\].*same place"):
        random.predict([Atoms("H2", [[0, 0, 0], [0, 0, 0]])])
    with pytest.raises(UnknownElementError, match="Fe: not an element"):
        random.features(bad)
    assert random.predict([]) == []


@pytest.mark.parametrize("atoms", ["test.xyz", Path("test.xyz"), None, 3, ["test.xyz"], [[0.0, 0.0, 0.0]]])
def test_what_is_no_structure(random: lmlp.Model, atoms: object) -> None:
    for method in (random.predict, random.features):
        with pytest.raises(InvalidArgumentError, match=r"^atoms: give ase\.Atoms, one or many; got "):
            method(atoms)  # type: ignore[call-overload]


def test_a_trajectory_is_many_structures(random: lmlp.Model, tmp_path: Path) -> None:
    atoms = [molecule("H2O"), molecule("CH4")]
    write(tmp_path / "some.traj", atoms)
    forces = [found.forces for found in random.predict(Trajectory(tmp_path / "some.traj"))]
    assert [len(f) for f in forces] == [3, 5]
    assert len(random.features(iter(atoms))) == 2
    assert random.predict([]) == random.features([]) == []


def test_atoms_that_are_too_close(folder: Path) -> None:
    model = lmlp.load("model.pt")
    good, bad = as_atoms(clusters(2, seed=7))
    bad.positions[1] = bad.positions[0] + [0.0, 0.0, 0.3]
    with pytest.warns(UserWarning, match=r"^atoms 0 and 1 .* 0\.3 Å apart.*; said once per call"):
        one = model.predict(bad)
    with pytest.warns(UserWarning, match=r"^atoms\[1\]: atoms 0 and 1 .* 0\.3 Å apart") as told:
        several = model.predict([good, bad, bad])
    assert len(told) == 1
    assert several[1].energy == one.energy


def test_features_are_those_of_the_descriptor(random: lmlp.Model) -> None:
    crystal = random_crystal(["O", "H", "C"])
    features = random.features(crystal)
    assert features.shape == (len(crystal), random.n_features)
    np.testing.assert_array_equal(random.features([crystal])[0], features)
    from lmlp.neighbors import find_neighbors

    pairs = find_neighbors(crystal.positions, crystal.cell.array, crystal.pbc, random.cutoff)
    species = np.array([["H", "C", "O"].index(s) for s in crystal.symbols], dtype=np.int32)
    expected = random.descriptor.features(pairs, species[pairs.neighbors])
    np.testing.assert_array_equal(features, expected)


def test_what_it_knows(folder: Path) -> None:
    model, data = lmlp.load("model.pt"), read_model_file("model.pt")
    assert model.elements == tuple(data.elements)
    assert model.cutoff == data.descriptor["cutoff"]
    assert (model.n_members, model.n_features) == (data.n_members, data.n_features)
    assert (model.energy_rmse, model.force_rmse) == (data.energy_rmse, data.force_rmse)
    assert model.provenance == data.provenance
    assert model.path == Path("model.pt")
    assert repr(model).startswith("<Model H O: 2 members, 10 functions, cutoff 3.5 Å, test RMSE ")


def test_never_changes(folder: Path) -> None:
    model = lmlp.load("model.pt")
    with pytest.raises(AttributeError):
        model.path = Path("other.pt")  # type: ignore[misc]
    model.provenance["kind"] = "changed"
    assert "kind" not in model.provenance
    atoms = molecule("H2O")
    before = model.predict(atoms).energy
    Path("model.pt").write_bytes(b"something else")
    assert model.predict(atoms).energy == before
    assert lmlp.Model(model.content).predict(atoms).energy == before
    assert model.calculator().get_potential_energy(atoms) == pytest.approx(before, rel=1e-12)
    model.save("saved.pt")
    assert Path("saved.pt").read_bytes() == model.content


def test_copies_and_pickles(folder: Path) -> None:
    model, atoms = lmlp.load("model.pt"), molecule("H2O")
    energy = model.predict(atoms).energy
    for twin in (copy.deepcopy(model), copy.copy(model), pickle.loads(pickle.dumps(model))):
        assert twin == model
        assert hash(twin) == hash(model)
        assert twin.predict(atoms).energy == energy


def test_a_checkpoint_is_a_model(folder: Path) -> None:
    model, best = lmlp.load("model.pt"), lmlp.load("model.checkpoint")
    assert best.path is None
    assert best.predict(molecule("H2O")).energy == model.predict(molecule("H2O")).energy


def test_no_model(tmp_path: Path) -> None:
    (tmp_path / "m.pt").write_text("hello")
    with pytest.raises(ModelFileError, match=r"m\.pt"):
        lmlp.load(tmp_path / "m.pt")
    with pytest.raises(ModelFileError, match=r"none\.pt"):
        lmlp.load(tmp_path / "none.pt")


def test_an_impossible_number_of_threads(random: lmlp.Model) -> None:
    for function in (random.predict, random.features):
        with pytest.raises(InvalidArgumentError, match="threads = -1"):
            function(molecule("H2O"), threads=-1)
