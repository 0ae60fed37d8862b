"""Parameters of a calculator: what set() changes takes effect, what it refuses changes nothing."""

from __future__ import annotations

import copy
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Parameters, PropertyNotImplementedError
from lmlp import LMLPCalculator
from lmlp.errors import GeometryError, InvalidArgumentError, LMLPError, ModelFileError, UncertaintyError

from tests.models import random_crystal, write_random_model

SYMBOLS = ["H", "C", "O"]


@pytest.fixture
def atoms() -> Atoms:
    return random_crystal(SYMBOLS)


@pytest.fixture(scope="module")
def other_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another model with another cutoff."""
    folder = tmp_path_factory.mktemp("other")
    return write_random_model(folder / "other.pt", "eeacsf-resolved", SYMBOLS, members=2, seed=7)


def results_of(calculator: LMLPCalculator, atoms: Atoms) -> dict[str, Any]:
    calculator.get_property("energy", atoms)
    return calculator.results


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def written_to(calculator: LMLPCalculator, **changes: Any) -> None:
    calculator.parameters.update(changes)


def replaced(calculator: LMLPCalculator, **changes: Any) -> None:
    calculator.parameters = Parameters({**calculator.parameters, **changes})


def from_file(calculator: LMLPCalculator, **changes: Any) -> None:
    Parameters(changes).write("parameters.ase")
    calculator.set(parameters="parameters.ase")


WAYS = [LMLPCalculator.set, written_to, replaced]
CHANGES = [
    {"precision": "mixed"},
    {"uncertainty": True},
    {"uncertainty": "energy"},
    {"backend": "torchscript"},
    {"skin": 1.5, "threads": 2},
    {"model": "other"},
    {"model": "other", "precision": "mixed", "uncertainty": True},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_what_is_set_takes_effect(
    model_path: Path, other_path: Path, atoms: Atoms, way: Callable[..., Any], change: dict[str, Any]
) -> None:
    changes = {**change, **({"model": str(other_path)} if "model" in change else {})}
    calculator = LMLPCalculator(model_path, threads=1)
    before = results_of(calculator, atoms)
    way(calculator, **changes)
    fresh = LMLPCalculator(**{"model": model_path, "threads": 1, **changes})
    assert calculator.results == {}
    after = results_of(calculator, atoms)
    assert_same(after, results_of(fresh, atoms))
    if "skin" not in changes:  # whatever else is set changes bits or names of results
        assert set(after) != set(before) or not np.array_equal(after["forces"], before["forces"])
    assert calculator.facts == fresh.facts
    assert calculator.todict() == fresh.todict()
    for other in (pickle.loads(pickle.dumps(calculator)), copy.deepcopy(calculator), copy.copy(calculator)):
        assert other.parameters == fresh.parameters
        other.reset()
        assert_same(results_of(other, atoms), after)


def test_parameters_of_a_file(
    model_path: Path, atoms: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    calculator = LMLPCalculator(model_path)
    from_file(calculator, uncertainty=True)
    assert "grade" in results_of(calculator, atoms)


def test_set_returns_what_changed_and_keeps_results_else(model_path: Path, atoms: Atoms) -> None:
    calculator = LMLPCalculator(model_path, uncertainty=True)
    energy = calculator.get_property("energy", atoms)
    builds = calculator.n_neighbor_builds
    assert calculator.set() == {}
    assert calculator.set(uncertainty=True, model=str(model_path)) == {}
    assert calculator.results["energy"] == energy
    assert calculator.n_neighbor_builds == builds
    assert calculator.set(uncertainty=False, skin=0.5) == {"uncertainty": False}
    assert calculator.results == {}


def test_guard_is_set(model_path: Path, atoms: Atoms) -> None:
    calculator = LMLPCalculator(model_path, rmin=None)
    calculator.get_property("energy", atoms)
    calculator.set(rmin=5.0, too_close="stop")
    with pytest.raises(GeometryError, match="closer than rmin 5 Å"):
        calculator.get_property("energy", atoms)
    calculator.set(rmin=0.1)
    assert np.isfinite(calculator.get_property("energy", atoms))
    calculator.set(rmin=5.0, too_close="warn")
    for _ in range(2):  # once per calculator, also in copies
        with pytest.warns(UserWarning, match="closer than rmin 5 Å"):
            copy.deepcopy(calculator).get_property("energy", random_crystal(SYMBOLS, seed=1))


WRONG = [
    ({"nonsense": 1}, InvalidArgumentError, "nonsense: not a parameter .* model, backend, device"),
    ({"precision": "half"}, InvalidArgumentError, "'half' is not one of double, mixed"),
    ({"threads": -1}, InvalidArgumentError, "threads = -1"),
    ({"threads": 1.5}, InvalidArgumentError, r"threads = 1\.5"),
    ({"threads": "2"}, InvalidArgumentError, "threads = '2'"),
    ({"skin": float("nan")}, InvalidArgumentError, "skin = nan"),
    ({"skin": "wide"}, InvalidArgumentError, "skin = 'wide'"),
    ({"uncertainty": "no"}, InvalidArgumentError, "uncertainty = 'no': give True, False or 'energy'"),
    ({"distances": "energy"}, InvalidArgumentError, "distances = 'energy': give True or False"),
    ({"backend": "gpu"}, InvalidArgumentError, "'gpu' is not one of"),
    ({"device": "cuda"}, InvalidArgumentError, "use backend='torchscript'"),
    ({"rmin": -1.0}, InvalidArgumentError, "rmin"),
    ({"too_close": "cry"}, InvalidArgumentError, "too_close = 'cry'"),
    ({"model": "nowhere.pt"}, (ModelFileError, OSError), r"nowhere\.pt"),
    ({"model": None}, InvalidArgumentError, "model = None"),
    ({"uncertainty": True, "model": "single"}, UncertaintyError, "has one member"),
    ({"uncertainty": "energy", "model": "single"}, UncertaintyError, "has one member"),
    ({"precision": "mixed", "backend": "torchscript"}, InvalidArgumentError, "only available with"),
]


@pytest.mark.parametrize(("change", "error", "text"), WRONG, ids=lambda case: str(case))
@pytest.mark.parametrize("way", WAYS)
def test_what_is_refused_changes_nothing(
    model_path: Path,
    one_member_path: Path,
    atoms: Atoms,
    way: Callable[..., Any],
    change: dict[str, Any],
    error: Any,
    text: str,
) -> None:
    if change.get("model") == "single":
        change = {**change, "model": str(one_member_path)}
    calculator = LMLPCalculator(model_path)
    energy = calculator.get_property("energy", atoms)
    parameters, facts = dict(calculator.parameters), calculator.facts
    if way is LMLPCalculator.set:
        with pytest.raises(error, match=text):
            way(calculator, **change)
    else:
        way(calculator, **change)
        for _ in range(2):  # what stands in the dictionary is told at each use, never passed over
            with pytest.raises(error, match=text):
                calculator.get_property("energy", atoms)
        calculator.parameters = Parameters(parameters)
    assert calculator.parameters == parameters
    assert calculator.facts is facts
    assert calculator.results["energy"] == energy


def test_a_wrong_entry_is_mended_by_set(model_path: Path, atoms: Atoms) -> None:
    calculator = LMLPCalculator(model_path)
    energy = calculator.get_property("energy", atoms)
    calculator.parameters["precision"] = "half"
    with pytest.raises(InvalidArgumentError, match="half"):
        calculator.get_property("energy", atoms)
    calculator.set(precision="double")
    assert calculator.get_property("energy", atoms) == energy


def test_properties_that_do_not_exist_are_refused(model_path: Path, atoms: Atoms) -> None:
    calculator = LMLPCalculator(model_path)
    energy = calculator.get_property("energy", atoms)
    with pytest.raises(PropertyNotImplementedError, match="dipole"):
        calculator.calculate(atoms, ["energy", "dipole"])
    with pytest.raises(PropertyNotImplementedError, match="dipole"):
        calculator.get_property("dipole", atoms)
    assert calculator.results["energy"] == energy


def test_reset_and_failure_leave_no_results(model_path: Path, atoms: Atoms) -> None:
    calculator = LMLPCalculator(model_path)
    calculator.get_property("energy", atoms)
    calculator.reset()
    assert calculator.results == {}
    assert calculator.atoms is None
    calculator.get_property("energy", atoms)
    broken = atoms.copy()
    broken.positions[0] = np.nan
    with pytest.raises(GeometryError):
        calculator.get_property("energy", broken)
    assert calculator.results == {}
    assert calculator.get_property("energy", broken, allow_calculation=False) is None


def test_a_subclass_may_change_results(model_path: Path, atoms: Atoms) -> None:
    class Shifted(LMLPCalculator):
        def calculate(self, *arguments: Any, **options: Any) -> None:
            super().calculate(*arguments, **options)
            self.results = {**self.results, "energy": self.results["energy"] + 1.0}
            self.results["free_energy"] += 1.0

    plain = LMLPCalculator(model_path).get_property("energy", atoms)
    atoms.calc = Shifted(model_path)
    assert atoms.get_potential_energy() == plain + 1.0
    assert atoms.get_potential_energy(force_consistent=True) == plain + 1.0
    assert copy.deepcopy(atoms.calc).get_property("energy", atoms) == plain + 1.0


class TestPickles:
    @pytest.fixture
    def folder(self, tmp_path: Path, model_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The working directory, with a model."""
        shutil.copy(model_path, tmp_path / "model.pt")
        monkeypatch.chdir(tmp_path)
        return tmp_path

    @pytest.mark.parametrize("backend", ["core", "torchscript"])
    def test_another_working_directory(self, folder: Path, atoms: Atoms, backend: str) -> None:
        calculator = LMLPCalculator("model.pt", backend=backend)
        energy = calculator.get_property("energy", atoms)
        pickled = pickle.dumps(calculator)
        (folder / "elsewhere").mkdir()
        os.chdir(folder / "elsewhere")
        back = pickle.loads(pickled)
        assert back.parameters["model"] == str(folder / "model.pt")
        back.reset()
        assert back.get_property("energy", atoms) == pytest.approx(energy, abs=1e-12)
        calculator.set(uncertainty=True)  # and what a calculator reads again, it reads there
        assert calculator.facts.path == str(folder / "model.pt")

    @pytest.mark.parametrize("backend", ["core", "torchscript"])
    def test_a_replaced_file_is_an_error(self, folder: Path, other_path: Path, backend: str) -> None:
        calculator = LMLPCalculator("model.pt", backend=backend)
        pickled, first = pickle.dumps(calculator), calculator.facts.checksum
        shutil.copy(other_path, folder / "model.pt")
        second = LMLPCalculator("model.pt").facts.checksum
        assert len({first, second, ""}) == 3
        with pytest.raises(ModelFileError, match=f"{second}.*{first}"):
            pickle.loads(pickled)
        # nor does another parameter bring the other model in
        another = "torchscript" if backend == "core" else "core"
        with pytest.raises(ModelFileError, match=f"{second}.*{first}"):
            calculator.set(backend=another)
        assert calculator.facts.checksum == first
        assert copy.deepcopy(calculator).facts.checksum == first
        assert calculator.set(model="model.pt") == {"model": str(folder / "model.pt")}
        assert calculator.facts.checksum == second

    def test_a_missing_file_is_named(self, folder: Path) -> None:
        calculator = LMLPCalculator("model.pt")
        pickled = pickle.dumps(calculator)
        (folder / "model.pt").unlink()
        with pytest.raises((LMLPError, OSError), match=r"model\.pt"):
            pickle.loads(pickled)
        calculator.set(threads=1, precision="mixed", skin=0.3)  # what is loaded needs no file
        assert calculator.parameters["precision"] == "mixed"
