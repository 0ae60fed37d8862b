"""Verification before a model file is put in place: it passes what is right and stops what is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lmlp.errors import ModelFileError
from lmlp.export import verify
from lmlp.export.random_model import RandomModelOptions, random_model
from lmlp.export.reference_potential import MemberResults
from lmlp.export.verify import verify_model_file
from lmlp.export.writing import model_file_bytes, write_model_file
from lmlp.model.activations import ACTIVATION_NAMES
from lmlp.model.data import ModelData

from .models import small_descriptor, small_model, with_uncertainty


@pytest.fixture(scope="module")
def model() -> ModelData:
    return small_model()


def test_right_files_pass(model: ModelData, tmp_path: Path) -> None:
    differences = write_model_file(model, tmp_path / "model.pt")
    quantities = {"member energies", "pair gradients", "member pair gradients"}
    for path in ("TorchScript", "core"):
        assert {d.quantity for d in differences if d.path == path} == quantities
    assert all(d.passed for d in differences)
    assert all(np.isfinite(d.reference) for d in differences)
    assert max(abs(d.reference) for d in differences if d.quantity != "member energies") > 1e-3


@pytest.mark.parametrize(
    ("elements", "more"),
    [
        (("H",), {"radial": "bump", "scaling": "crss"}),
        (("H", "C", "Fe"), {"radial": "gaussian_cos", "scaling": "linear", "angular_cutoff": 3.0}),
    ],
)
@pytest.mark.parametrize("activation", ACTIVATION_NAMES)
def test_other_models_pass(tmp_path: Path, elements: tuple[str, ...], more: dict, activation: str) -> None:
    descriptor = small_descriptor(**more)
    for row in descriptor["functions"]:
        row["eta"] += 0.1  # the radial form `bump` needs η > 0
    options = RandomModelOptions(n_members=1, hidden_layers=(4,), activation=activation, n_atoms=12)
    model = random_model(descriptor, list(elements), options)
    assert all(d.passed for d in write_model_file(model, tmp_path / "model.pt"))


def test_far_inputs_of_ssilu_pass(tmp_path: Path) -> None:
    """exp(−x) of such inputs overflows; value and slope are 0 to rounding."""
    options = RandomModelOptions(n_members=1, hidden_layers=(4, 3), activation="ssilu", n_atoms=12)
    model = random_model(small_descriptor(), ["H", "C"], options)
    biases = [b.copy() for b in model.biases]
    biases[0][..., ::2] -= 2000.0
    differences = write_model_file(replace(model, biases=biases), tmp_path / "model.pt")
    assert all(d.passed for d in differences)


def test_other_weights_are_found(model: ModelData, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(model_file_bytes(model))
    weights = [w.copy() for w in model.weights]
    weights[1].flat[0] = np.nextafter(weights[1].flat[0], np.inf)
    with pytest.raises(ModelFileError, match=r"layers\.1\.weight has other bits"):
        verify_model_file(path, replace(model, weights=weights))


@pytest.mark.parametrize("path", ["_torchscript_results", "_core_results"])
@pytest.mark.parametrize(
    "quantity", ["member energies", "pair gradients", "member pair gradients", "distances"]
)
@pytest.mark.parametrize("error", [1e-8, np.nan])
def test_a_wrong_path_is_named_and_nothing_is_written(
    model: ModelData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, quantity: str, error: float
) -> None:
    right = getattr(verify, path)

    def wrong(*arguments: object) -> tuple[MemberResults, np.ndarray]:
        members, mean = right(*arguments)
        arrays = {
            "member energies": members.energies.copy(),
            "pair gradients": mean.copy(),
            "member pair gradients": members.pair_gradients.copy(),
            "distances": np.array(members.distances),
        }
        if arrays[quantity].size:
            arrays[quantity].flat[0] += error * max(1.0, np.abs(arrays[quantity]).max())
        energies, mean, gradients, distances = arrays.values()
        return MemberResults(energies, gradients, distances), mean

    monkeypatch.setattr(verify, path, wrong)
    name = {"_torchscript_results": "TorchScript", "_core_results": "core"}[path]
    with pytest.raises(ModelFileError, match=f"nothing was written: {quantity} of {name} .* instead of"):
        write_model_file(with_uncertainty(model), tmp_path / "model.pt")
    assert not list(tmp_path.iterdir())
