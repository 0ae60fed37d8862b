"""Weights that overflow give an error in every door, never a NaN or an infinite force."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from lmlp import LMLPCalculator, _core
from lmlp.environments import Environments
from lmlp.errors import LMLPError, ModelFileError, NotFiniteError
from lmlp.export import torchscript
from lmlp.export.model_file import read_model_file
from lmlp.export.reference_potential import reference_results
from lmlp.export.torchscript import load_potential
from lmlp.export.writing import write_model_file
from lmlp.model.activations import ACTIVATION_NAMES
from lmlp.model.data import ModelData
from lmlp.model.number_range import find_overflowing
from lmlp.neighbors import find_neighbors

from tests.models import random_crystal, write_random_model

ELEMENTS = ["H", "C", "O"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Models whose energies, forces or nothing but uncertainties overflow."""
    folder = tmp_path_factory.mktemp("overflow")
    model = read_model_file(write_random_model(folder / "sound.pt", "eeacsf-153", ELEMENTS))
    last, first = model.weights[-1], model.weights[0]
    size = np.abs(last).max()
    of_last = np.array([1.0, 1.0, 1e308])[:, None, None]
    models = {
        "energy": replace(model, weights=[*model.weights[:-1], last / size * 1.7e308]),
        # saturated units: derivative 0 times infinite weights
        "forces": replace(model, weights=[first * 1e200, *model.weights[1:]], scale=model.scale * 1e200),
        "hidden": replace(model, weights=[first, *(w * 1e160 for w in model.weights[1:])]),
        # the terms of a sum overflow, whose order decides whether it is infinite, no number or right
        "terms": replace(model, weights=[first / np.abs(first).max() * 1.7e308, *model.weights[1:]]),
        "inputs": replace(model, scale=model.scale * 1e300),
        "shift": replace(model, shift=model.shift + 1e290),
        "last element": replace(model, weights=[*model.weights[:-1], last * of_last]),
        # squares of deviations overflow, the numbers themselves do not
        "sigma": replace(model, weights=[*model.weights[:-1], last / size * 1e200]),
    }
    for name, data in models.items():
        write_model_file(data, folder / f"{name}.pt", verify=False)
    return {name: folder / f"{name}.pt" for name in ("sound", *models)}


@pytest.mark.parametrize("name", ["energy", "forces"])
@pytest.mark.parametrize("threads", [1, 2])
def test_core(files: dict[str, Path], name: str, threads: int) -> None:
    atoms = random_crystal(ELEMENTS, 40)
    potential = _core.Potential(str(files[name]))
    pairs = find_neighbors(atoms.positions, atoms.cell.array, True, potential.info()["cutoff"])
    species = np.array([ELEMENTS.index(s) for s in atoms.symbols], dtype=np.int32)
    arguments = (pairs.offsets, species, species[pairs.neighbors], pairs.vectors)
    # of the first element's first bad center, whatever the number of threads
    with pytest.raises(NotFiniteError, match=r"of center 0 \(H\) is not a finite number"):
        potential.evaluate(*arguments, n_threads=threads)


@pytest.mark.parametrize("backend", ["core", "torchscript"])
@pytest.mark.parametrize("name", ["energy", "forces", "sigma"])
def test_calculator(files: dict[str, Path], name: str, backend: str) -> None:
    atoms = random_crystal(ELEMENTS)
    atoms.calc = LMLPCalculator(files[name], backend=backend, threads=1)
    if name == "sigma":
        assert np.isfinite(atoms.get_forces()).all()
        with (
            np.errstate(over="ignore", invalid="ignore"),
            pytest.raises(NotFiniteError, match="uncertainty of the"),
        ):
            atoms.calc.get_property("forces_uncertainty", atoms)
        return
    with pytest.raises(NotFiniteError, match=r"not.*finite"):
        atoms.get_forces()


def test_sound_model(files: dict[str, Path]) -> None:
    atoms = random_crystal(ELEMENTS)
    atoms.calc = LMLPCalculator(files["sound"], threads=1)
    assert np.isfinite(atoms.calc.get_property("forces_uncertainty", atoms)).all()


BAD = ("energy", "forces", "hidden", "terms", "inputs", "shift", "last element")


def pairs_of(atoms: Atoms, cutoff: float) -> tuple[Environments, np.ndarray]:
    pairs = find_neighbors(atoms.positions, atoms.cell.array, atoms.pbc, cutoff)
    return pairs, np.array([ELEMENTS.index(s) for s in atoms.symbols], dtype=np.int32)


def core(path: Path, atoms: Atoms, **options: object) -> np.ndarray:
    potential = _core.Potential(str(path))
    pairs, species = pairs_of(atoms, potential.info()["cutoff"])
    arguments = (pairs.offsets, species, species[pairs.neighbors], pairs.vectors)
    return potential.evaluate(*arguments, **options)["energies"]


def bare_module(path: Path, atoms: Atoms, *, members: bool = False) -> np.ndarray:
    pairs, species = pairs_of(atoms, read_model_file(path).descriptor["cutoff"])
    arrays = (species.astype(np.int64), pairs.centers, pairs.neighbors, pairs.vectors)
    try:
        results = load_potential(path).evaluate(*map(torch.from_numpy, arrays), members)
    except torchscript.MODULE_ERRORS as error:
        assert torch.is_grad_enabled()
        raise NotFiniteError(str(error)) from None
    return results["energies"].mean(0).numpy()


def reference(path: Path, atoms: Atoms) -> np.ndarray:
    data = read_model_file(path)
    return reference_results(data, *pairs_of(atoms, data.descriptor["cutoff"])).energies.mean(0)


def calculated(path: Path, atoms: Atoms, name: str = "energies", **options: object) -> np.ndarray:
    return LMLPCalculator(path, threads=1, **options).get_property(name, atoms)


ENGINES = {
    "core": core,
    "core, energies alone": lambda path, atoms: core(path, atoms, pair_gradients=False),
    "core, mixed": lambda path, atoms: core(path, atoms, precision="mixed"),
    "core, mixed, energies alone": lambda path, atoms: core(
        path, atoms, precision="mixed", pair_gradients=False
    ),
    "TorchScript module": bare_module,
    "TorchScript module, members": lambda path, atoms: bare_module(path, atoms, members=True),
    "reference": reference,
    "calculator": calculated,
    "calculator, TorchScript": lambda path, atoms: calculated(path, atoms, backend="torchscript"),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", BAD)
def test_engines_agree_on_what_is_an_error(files: dict[str, Path], name: str, engine: str) -> None:
    """Whatever is asked for, and whatever a library makes of 0 times infinity."""
    with np.errstate(all="ignore"), pytest.raises(NotFiniteError, match="not a finite number"):
        ENGINES[engine](files[name], random_crystal(ELEMENTS, 6))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["sound", "last element"])
def test_elements_that_are_not_there_do_no_harm(files: dict[str, Path], name: str, engine: str) -> None:
    atoms = random_crystal(ELEMENTS[:2], 6)
    expected = core(files["sound"], atoms)
    # networks in single: some 1e-7 eV (docs/ase.md); all else roundings of energies of up to 1e3 eV
    tolerance = 1e-5 if "mixed" in engine else 1e-10
    np.testing.assert_allclose(ENGINES[engine](files[name], atoms), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", BAD)
def test_files_whose_module_does_not_look(
    files: dict[str, Path], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As files of earlier versions: who evaluates them looks at the weights."""
    data = read_model_file(files[name])
    monkeypatch.setattr(torchscript, "find_overflowing", lambda data, precision="": [False] * 3)
    monkeypatch.setattr(torchscript.PotentialModule, "check_finite", _check_nothing)
    write_model_file(data, tmp_path / "old.pt", verify=False)
    for wanted in ("energy", "forces", "forces_uncertainty"):
        with pytest.raises(NotFiniteError, match="not a finite number"):
            calculated(tmp_path / "old.pt", random_crystal(ELEMENTS, 6), wanted, backend="torchscript")


def _check_nothing(self, results: list[torch.Tensor]) -> None:
    pass


@pytest.mark.parametrize("name", BAD)
def test_such_a_model_is_not_written(files: dict[str, Path], name: str, tmp_path: Path) -> None:
    where = "O" if name == "last element" else "H, C, O"
    with pytest.raises(ModelFileError, match=f"the weights of {where} are so large"):
        write_model_file(read_model_file(files[name]), tmp_path / "bad.pt")
    assert not list(tmp_path.iterdir())


def grown(data: ModelData, layer: int, size: float) -> ModelData:
    weights = [w * (size if n == layer else 1.0) for n, w in enumerate(data.weights)]
    return replace(data, weights=weights)


@pytest.mark.parametrize("activation", ACTIVATION_NAMES)
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_core_and_python_draw_the_same_line(
    files: dict[str, Path], tmp_path: Path, activation: str, layer: int
) -> None:
    """Around the size at which the first of two elements is refused, in both precisions."""
    sound = replace(read_model_file(files["sound"]), activation=activation)
    small = np.array([1.0, 1e-20, 1.0])[:, None, None]
    sound.weights[layer] = sound.weights[layer] * small
    for precision, name in (("double", "double"), ("mixed", "single")):
        low, high = 0.0, 300.0
        while high - low > 0.5:  # powers of ten
            middle = 0.5 * (low + high)
            with np.errstate(all="ignore"):
                refused = find_overflowing(grown(sound, layer, 10.0**middle), name)
            low, high = (low, middle) if refused[0] else (middle, high)
        for power in (low - 0.5, high + 0.5):
            data = grown(sound, layer, 10.0**power)
            write_model_file(data, tmp_path / "model.pt", verify=False)
            expected = find_overflowing(data, name)
            assert expected[1] is False
            for element, symbol in enumerate(ELEMENTS):
                if expected[element]:
                    with pytest.raises(NotFiniteError):
                        core(tmp_path / "model.pt", Atoms(symbol), precision=precision)
                else:
                    assert np.isfinite(core(tmp_path / "model.pt", Atoms(symbol), precision=precision))


def test_single_precision_says_what_helps(files: dict[str, Path], tmp_path: Path) -> None:
    data = read_model_file(files["sound"])
    write_model_file(grown(data, 0, 1e40), tmp_path / "model.pt")  # the engines agree in double
    atoms = random_crystal(ELEMENTS, 6)
    assert np.isfinite(calculated(tmp_path / "model.pt", atoms, "forces")).all()
    with pytest.raises(LMLPError, match="in single precision, use precision double"):
        calculated(tmp_path / "model.pt", atoms, precision="mixed")
    module = load_potential(tmp_path / "model.pt").to(torch.float32)
    with pytest.raises(torchscript.MODULE_ERRORS, match="not a finite number"):
        module(torch.zeros(1, data.n_features), torch.tensor([0]))
