"""A whole model of the original prediction program, with its answers: reference, TorchScript and core."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lmlp import _core
from lmlp.descriptor.compute import Descriptor
from lmlp.descriptor.reference import ReferenceDescriptor
from lmlp.environments import Environments
from lmlp.errors import ModelFileError
from lmlp.export.model_file import read_model_file
from lmlp.export.original import import_original
from lmlp.export.random_structure import list_pairs
from lmlp.export.reference_potential import reference_results
from lmlp.export.torchscript import load_potential
from lmlp.export.writing import write_model_file
from lmlp.model.data import ModelData
from lmlp.structure import Structure

from .models import same_bits

# Both sides sum some thousand terms in float64; measured agreement is 1e-14, asked for is 1e-9.
TOLERANCE = 1e-11
DATA = Path(__file__).resolve().parents[2] / "data" / "original_format"
EXPECTED = json.loads((DATA / "expected.json").read_text())
STRUCTURES = EXPECTED["structures"]


@pytest.fixture(scope="module")
def model() -> ModelData:
    return import_original(DATA / "model.ini")


@pytest.fixture(scope="module")
def model_path(model: ModelData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("original") / "model.pt"
    write_model_file(model, path)
    return path


def environments_of(case: dict[str, Any], model: ModelData) -> tuple[Environments, np.ndarray]:
    periodic = case["cell"] is not None
    species = np.array([model.elements.index(symbol) for symbol in case["symbols"]])
    structure = Structure(
        numbers=species,
        positions=np.array(case["positions"]),
        cell=np.array(case["cell"]) if periodic else np.zeros((3, 3)),
        pbc=np.full(3, periodic),
    )
    return list_pairs(structure, model.descriptor["cutoff"]), species


def member_results(
    path: str, model: ModelData, model_path: Path, case: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Energies ``[M]`` and forces ``[M, n, 3]`` of every member."""
    environments, species = environments_of(case, model)
    if path == "reference":
        reference = reference_results(model, environments, species)
        energies, gradients = reference.energies, reference.pair_gradients
    elif path == "TorchScript":
        arrays = (species, environments.centers, environments.neighbors, environments.vectors)
        results = load_potential(model_path).evaluate(*map(torch.from_numpy, arrays), True)
        energies, gradients = results["energies"].numpy(), results["member_pair_gradients"].numpy()
    else:
        found = _core.Potential(str(model_path)).evaluate(
            environments.offsets,
            species.astype(np.int32),
            species[environments.neighbors].astype(np.int32),
            environments.vectors,
            member_energies=True,
            member_gradients=True,
        )
        energies, gradients = found["member_energies"], found["member_pair_gradients"]
    forces = np.zeros((model.n_members, len(species), 3))
    for m in range(model.n_members):
        np.add.at(forces[m], environments.centers, gradients[m])
        np.add.at(forces[m], environments.neighbors, -gradients[m])
    return energies.sum(1), forces


@pytest.mark.parametrize("case", STRUCTURES, ids=lambda case: case["name"])
def test_features(case: dict[str, Any], model: ModelData) -> None:
    environments, species = environments_of(case, model)
    kinds = species[environments.neighbors]
    reference = ReferenceDescriptor(model.descriptor, model.elements)(
        len(species),
        torch.from_numpy(environments.centers),
        torch.from_numpy(kinds),
        torch.from_numpy(environments.vectors),
    )
    core = Descriptor(model.descriptor, model.elements).features(environments, kinds)
    for features in (reference.numpy(), core):
        np.testing.assert_allclose(features, case["features"], rtol=1e-12, atol=TOLERANCE)


@pytest.mark.parametrize("path", ["reference", "TorchScript", "core"])
@pytest.mark.parametrize("case", STRUCTURES, ids=lambda case: case["name"])
def test_energies_forces_uncertainties(
    case: dict[str, Any], path: str, model: ModelData, model_path: Path
) -> None:
    energies, forces = member_results(path, model, model_path, case)
    n = len(case["symbols"])
    _, species = environments_of(case, model)
    without = energies - model.atomic_energies[species].sum()
    np.testing.assert_allclose(without, case["member_energies_without_E_atom"], atol=TOLERANCE)
    np.testing.assert_allclose(energies.mean(), case["energy"], atol=TOLERANCE)
    np.testing.assert_allclose(forces, case["member_forces"], atol=TOLERANCE)
    np.testing.assert_allclose(forces.mean(0), case["forces"], atol=TOLERANCE)
    assert model.energy_rmse is not None
    assert model.force_rmse is not None
    sigma = model.energy_uncertainty_factor * energies.std(ddof=1)
    np.testing.assert_allclose(max(n * model.energy_rmse, sigma), case["energy_uncertainty"], atol=TOLERANCE)
    sigma_f = model.force_uncertainty_factor * forces.std(axis=0, ddof=1)
    np.testing.assert_allclose(
        np.maximum(model.force_rmse, sigma_f), case["forces_uncertainty"], atol=TOLERANCE
    )


def test_model_file_keeps_it(model: ModelData, model_path: Path) -> None:
    found = read_model_file(model_path)
    assert same_bits(found, model)
    assert found.elements == ["H", "C", "N", "O", "Cl"]
    assert (found.energy_rmse, found.force_rmse) == (pytest.approx(0.004), pytest.approx(0.1))
    assert found.atomic_energies.tolist() == [2.040782, 4.757366, -0.911073, -0.891734, 3.665568]
    assert "allow_nonsmooth" not in found.descriptor


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for file in DATA.glob("m*"):
        shutil.copy(file, tmp_path)
    return tmp_path


def edit(folder: Path, old: str, new: str) -> Path:
    path = folder / "model.ini"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("qmmm = False", "qmmm = True", r"qmmm = True: .*QM/MM"),
        ("lMLP", "other", "generalization_format = other is not supported; supported: lMLP, lMLP-only_pred"),
        ("= sTanh", "= ReLU", "activation_function_type = ReLU is not supported; supported: sTanh, Tanh"),
        ("model_type = HDNNP", "", "the key model_type is missing"),
        ("[10, 6]", "[10, 5]", r"member_00.pt: atomic_neural_networks.0.3.weight has shape \(6, 10\)"),
        ("[10, 6]", "[10]", r"member_00.pt: atomic_neural_networks.0.3.weight has shape \(6, 10\)"),
        ("[10, 6]", "[]", "n_neurons_hidden_layers = .. is not a list of int"),
        ("'Cl']", "'Cl', 'Br']", "element_energy lacks .'Br'."),
        (", 'Cl']", "]", "model_state_dict has 40 arrays, not those of the settings file"),
        ("= 45", "= 44", "45 rows, but n_descriptors = 44"),
        (
            "scale_shift_layer = True",
            "scale_shift_layer = yes",
            "scale_shift_layer = yes is not of type bool",
        ),
        ("scale_shift_layer = True", "scale_shift_layer = False", "0.0.weight has shape"),
        ("'member_02.pt'", "'member_03.pt'", r"member_03.pt: cannot read"),
        (", [0.004, 0.1]]", "]", "test_rmses must be one pair"),
        ("[settings]", "[other]", r"there is no section \[settings\]"),
        ("[settings]", "", "not a settings file"),
    ],
)
def test_settings_that_cannot_be_used(folder: Path, old: str, new: str, message: str) -> None:
    path = edit(folder, old, new)
    with pytest.raises(ModelFileError, match=message) as error:
        import_original(path)
    assert str(folder) in str(error.value)


@pytest.mark.parametrize("damage", ["truncated", "pickle", "keys", "rows", "shuffled"])
def test_checkpoints_that_cannot_be_used(folder: Path, damage: str) -> None:
    path = folder / "member_01.pt"
    checkpoint = torch.load(path, weights_only=True)
    messages = {
        "truncated": "not a checkpoint of the original program",
        "pickle": "not a checkpoint of the original program",
        "keys": "R_c is missing",
        "rows": "descriptor_parameters differs from member_00.pt",
        "shuffled": "radial rows",
    }
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:5000])
    elif damage == "pickle":  # code in a checkpoint must not run
        torch.save({**checkpoint, "R_c": Path("x")}, path)
    elif damage == "keys":
        del checkpoint["R_c"]
        torch.save(checkpoint, path)
    elif damage == "rows":
        checkpoint["descriptor_parameters"][0][2] = 0.01
        torch.save(checkpoint, path)
    else:
        for file in sorted(folder.glob("member*")):
            some = torch.load(file, weights_only=True)
            some["descriptor_parameters"].reverse()
            torch.save(some, file)
    with pytest.raises(ModelFileError, match=messages[damage]):
        import_original(folder / "model.ini")


def test_test_errors_are_averaged(folder: Path) -> None:
    path = edit(
        folder, "[[0.004, 0.1], [0.004, 0.1], [0.004, 0.1]]", "[[0.001, 0.1], [0.002, 0.2], [0.006, 0.6]]"
    )
    model = import_original(path)
    assert (model.energy_rmse, model.force_rmse) == (pytest.approx(0.003), pytest.approx(0.3))


def test_without_scale_shift_layer(folder: Path) -> None:
    """The same networks with the scale/shift layer folded into the first linear layer."""
    for file in sorted(folder.glob("member*")):
        checkpoint = torch.load(file, weights_only=True)
        state = checkpoint["model_state_dict"]
        for e in range(5):
            name = f"atomic_neural_networks.{e}"
            scale, shift = state.pop(f"{name}.0.weight"), state.pop(f"{name}.0.bias")
            weight, bias = state[f"{name}.1.weight"], state[f"{name}.1.bias"]
            for kind in ("weight", "bias"):
                first, second, third = (state.pop(f"{name}.{layer}.{kind}") for layer in (1, 3, 5))
                state[f"{name}.0.{kind}"], state[f"{name}.2.{kind}"] = first, second
                state[f"{name}.4.{kind}"] = third
            state[f"{name}.0.weight"] = weight * scale
            state[f"{name}.0.bias"] = bias - weight @ (scale * shift)
        torch.save(checkpoint, file)
    model = import_original(edit(folder, "scale_shift_layer = True", "scale_shift_layer = False"))
    energies, forces = member_results("reference", model, Path(), STRUCTURES[0])
    np.testing.assert_allclose(energies.mean(), STRUCTURES[0]["energy"], atol=TOLERANCE)
    np.testing.assert_allclose(forces, STRUCTURES[0]["member_forces"], atol=TOLERANCE)


def test_element_mode_rows(folder: Path) -> None:
    """ACSF rows have no weight type: each is repeated for every element, or unordered pair of elements."""
    rows: list[list[float]] = [[1, 0.1]] * 2 + [[1, 0.4]] * 2 + [[2, 0.2, -1, 2, 1]] * 3
    for file in sorted(folder.glob("member*")):
        checkpoint = torch.load(file, weights_only=True)
        checkpoint["descriptor_parameters"] = rows
        old = checkpoint["model_state_dict"]
        cut = {
            k: v[..., :7] if "s.0.0." in k or "s.1.0." in k or ".1.weight" in k else v for k, v in old.items()
        }
        checkpoint["model_state_dict"] = {
            k: v
            for k, v in cut.items()
            if k.startswith(("atomic_neural_networks.0.", "atomic_neural_networks.1."))
        }
        torch.save(checkpoint, file)
    path = edit(folder, "['H', 'C', 'N', 'O', 'Cl']", "['O', 'H']")
    edit(folder, "n_descriptors = 45", "n_descriptors = 7")
    edit(folder, "descriptor_type = eeACSF", "descriptor_type = ACSF")
    edit(folder, "angular_type = cos", "angular_type = cos_int")
    found = import_original(path).descriptor
    assert found["type"] == "ACSF"
    assert "table" not in found
    radial = [(f["weight"], f["eta"]) for f in found["functions"][:4]]
    assert radial == [("O", 0.1), ("H", 0.1), ("O", 0.4), ("H", 0.4)]
    angular = found["functions"][4:]
    assert [(f["weight"], f["weight2"]) for f in angular] == [("O", "O"), ("O", "H"), ("H", "H")]
    assert all(f["lambda"] == -1 and f["zeta"] == 2 and f["eta"] == 0.2 and "xi" not in f for f in angular)


def test_nonsmooth_forms_are_taken_as_trained(folder: Path) -> None:
    model = import_original(edit(folder, "radial_type = gaussian_bump", "radial_type = gaussian_cos"))
    assert model.descriptor["allow_nonsmooth"] is True
