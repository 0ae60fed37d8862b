"""Model files with spread maps and distances: every reader has the same or refuses the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lmlp import _core
from lmlp.descriptor.compute import Descriptor
from lmlp.environments import Environments
from lmlp.errors import ModelFileError
from lmlp.export import torchscript
from lmlp.export.header import weight_arrays
from lmlp.export.model_file import read_model_file
from lmlp.export.random_structure import list_pairs, random_structure
from lmlp.export.torchscript import PotentialModule, load_potential, script
from lmlp.export.verify import verify_model_file
from lmlp.export.writing import model_file_bytes, write_model_file
from lmlp.model.data import ModelData

from .models import same_bits, small_model, with_uncertainty
from .test_model_file import header_of, reseal

ELEMENTS = ("H", "O", "Cl")
# the fields of a model that belong together
DISTANCE = ("distance", "distance_shift", "distance_scale", "distance_axes")


@pytest.fixture(scope="module")
def model() -> ModelData:
    return with_uncertainty(small_model(elements=ELEMENTS))


@pytest.fixture(scope="module")
def path(model: ModelData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("distance") / "model.pt"
    write_model_file(model, path)
    return path


def structure(model: ModelData, n: int = 24, seed: int = 4) -> tuple[Environments, np.ndarray]:
    crystal = random_structure(model.elements, n, np.random.default_rng(seed))
    return list_pairs(crystal, 4.0), np.arange(n) % len(model.elements)


def python_distances(model: ModelData, pairs: Environments, species: np.ndarray) -> np.ndarray:
    features = Descriptor(model.descriptor, model.elements).features(pairs, species[pairs.neighbors])
    assert model.feature_distance is not None
    return model.feature_distance(features, species)


def core_distances(path: Path, pairs: Environments, species: np.ndarray) -> np.ndarray:
    kinds = species.astype(np.int32)
    results = _core.Potential(path).evaluate(
        pairs.offsets, kinds, kinds[pairs.neighbors], pairs.vectors, energies=False, distances=True
    )
    return results["distances"]


def arguments(pairs: Environments, species: np.ndarray) -> list[torch.Tensor]:
    arrays = (species, pairs.centers, pairs.neighbors.astype(np.int64), pairs.vectors)
    return [torch.from_numpy(array) for array in arrays]


def test_all_engines_give_the_same_distances(model: ModelData, path: Path) -> None:
    pairs, species = structure(model)
    expected = python_distances(model, pairs, species)
    assert expected.std() > 0.1
    scripted = load_potential(path).evaluate(*arguments(pairs, species))["distances"].numpy()
    # what was asked for is 1e-10
    np.testing.assert_allclose(core_distances(path, pairs, species), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(scripted, expected, rtol=0, atol=1e-12)


def test_torchscript_changes_nothing_else(model: ModelData, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = arguments(*structure(model))
    plain = script(PotentialModule(replace(model, **dict.fromkeys(DISTANCE)))).evaluate(*inputs, True)
    asked = script(PotentialModule(model)).evaluate(*inputs, True)
    assert set(asked) - set(plain) == {"distances"}
    assert all(torch.equal(plain[name], asked[name]) for name in plain)
    monkeypatch.setattr(torchscript, "BLOCK_SIZE", 2000)
    module = PotentialModule(model)
    assert len(module.blocks(inputs[1], 24)) > 3
    # other shapes of the same products
    parts = script(module).evaluate(*inputs)["distances"]
    torch.testing.assert_close(parts, asked["distances"], rtol=0, atol=1e-13)


def test_torchscript_in_single_precision(model: ModelData, path: Path) -> None:
    inputs = arguments(*structure(model))
    double = load_potential(path).evaluate(*inputs)["distances"]
    single = load_potential(path).to(torch.float32).evaluate(*inputs)["distances"]
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["scale", "axes"])
def test_what_overflows_in_torchscript_is_not_small(model: ModelData, name: str) -> None:
    array = getattr(model, f"distance_{name}").copy()
    array[1] = 1e200
    module = script(PotentialModule(replace(model, **{f"distance_{name}": array})))
    pairs, species = structure(model)
    distances = module.evaluate(*arguments(pairs, species))["distances"].numpy()
    assert np.array_equal(np.isfinite(distances), species != 1)


def test_parameters_are_those_of_the_weights(model: ModelData, path: Path) -> None:
    parameters = {k: v.numpy() for k, v in load_potential(path).named_parameters()}
    arrays = {k: v for k, v in weight_arrays(model).items() if not k.startswith("feature_")}
    assert set(parameters) == set(arrays)
    assert {k for k in arrays if k.startswith("distance.")} == {
        f"distance.{k}" for k in ("shift", "scale", "axes")
    }
    assert all(parameters[k].tobytes() == arrays[k].tobytes() for k in arrays)
    without = PotentialModule(small_model(elements=ELEMENTS))
    assert not [name for name, _ in without.named_parameters() if name.startswith("distance")]


def test_file_gives_the_model_back(model: ModelData, path: Path) -> None:
    assert header_of(path.read_bytes())["format_version"] == 4
    found = read_model_file(path)
    assert same_bits(found, model)
    assert found.spread_maps == model.spread_maps
    assert found.distance == model.distance
    for name in DISTANCE[1:]:
        assert getattr(found, name).tobytes() == getattr(model, name).tobytes()


@pytest.mark.parametrize("kept", [["spread_maps"], [*DISTANCE], []])
def test_oldest_version_that_holds_the_model(model: ModelData, tmp_path: Path, kept: list[str]) -> None:
    gone = [name for name in ("spread_maps", *DISTANCE) if name not in kept]
    part = replace(model, **dict.fromkeys(gone))
    write_model_file(part, tmp_path / "model.pt")
    assert header_of((tmp_path / "model.pt").read_bytes())["format_version"] == (4 if kept else 1)
    info = _core.Potential(tmp_path / "model.pt").info()
    assert info["has_spread_maps"] == ("spread_maps" in kept)
    assert info["has_distance"] == ("distance" in kept)


def test_other_distances_are_found(model: ModelData, path: Path) -> None:
    assert model.distance_scale is not None
    scale = model.distance_scale.copy()
    scale.flat[0] = np.nextafter(scale.flat[0], np.inf)
    with pytest.raises(ModelFileError, match=r"distance\.scale has other bits"):
        verify_model_file(path, replace(model, distance_scale=scale))


MAP = {"floor": 0.1, "factor": 1.0}
FORCES = dict.fromkeys(ELEMENTS, MAP)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"spread_maps": 3}, "exactly the keys energy, forces and stress|not an object"),
        ({"spread_maps": {"energy": MAP, "forces": FORCES}}, "exactly the keys energy, forces and stress"),
        ({"spread_maps": {"energy": MAP, "forces": {"H": MAP}, "stress": MAP}}, "spread_maps.forces"),
        (
            {"spread_maps": {"energy": MAP, "forces": {**FORCES, "C": MAP}, "stress": MAP}},
            "spread_maps.forces",
        ),
        ({"spread_maps": {"energy": {"floor": 1}, "forces": FORCES, "stress": MAP}}, "spread_maps.energy"),
        (
            {"spread_maps": {"energy": {**MAP, "floor": -1}, "forces": FORCES, "stress": MAP}},
            "spread_maps.energy: floor is -1",
        ),
        (
            {"spread_maps": {"energy": {**MAP, "factor": True}, "forces": FORCES, "stress": MAP}},
            "spread_maps.energy: factor is",
        ),
        ({"distance": [1]}, r"distance is \[1\], not an object"),
        ({"distance": None}, "arrays of no meaning here|unknown array"),
        ({"format_version": 3}, "in a file of an older format version than 4"),
    ],
)
def test_both_readers_refuse_a_broken_header(
    model: ModelData, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    path = tmp_path / "model.pt"
    content = model_file_bytes(model)
    path.write_bytes(reseal(content, {**header_of(content), **changes}))
    for read in (read_model_file, _core.Potential):
        with pytest.raises(ModelFileError, match=words):
            read(path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"distance_axes": np.zeros((3, 9, 8))}, "distance.axes has 9 axes, allowed are 0 to 8"),
        ({"distance_axes": np.zeros((2, 3, 8))}, "distance.axes has shape"),
        ({"distance_axes": np.zeros((3, 8))}, "distance.axes has shape"),
        ({"distance_shift": np.zeros((3, 7))}, "distance.shift has shape"),
        ({"distance_scale": np.full((3, 8), np.inf)}, "distance.scale has values that are not finite"),
        ({"distance_scale": None}, "distance.scale"),
        ({"distance": 0.999}, "distance is 0.999, not an object"),
    ],
)
def test_broken_arrays_are_not_written(model: ModelData, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelFileError, match=words):
        model_file_bytes(replace(model, **changes))
