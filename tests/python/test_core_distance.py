"""Distances from the training atoms and spread maps in the core: format version 4."""

import os
import subprocess
import sys

import numpy as np
import pytest
from lmlp import _core
from lmlp.errors import ModelFileError, NotFiniteError, UncertaintyError
from lmlp.model.distance import FeatureDistance

from tests.python import model_files
from tests.python.core_case import EVERYTHING, Case
from tests.python.model_files import arrays, model_bytes, safetensors_bytes, spread_maps, version_4

ALONE = {"energies": False, "pair_gradients": False, "distances": True}
# as many functions as a preset has, and not a multiple of the eight that kernels take at once
MANY = [
    {"kind": "radial", "weight": w, "eta": eta} for w in ("1", "n", "s") for eta in np.geomspace(0.02, 2, 51)
]


def distance_case(folder, *, n_axes=3, **changes) -> Case:
    """A case of version 4 with distances."""
    case = Case(folder, **version_4(**changes))
    case.arrays = arrays(case.header, n_axes=n_axes)
    rewrite(case)
    return case


def rewrite(case: Case) -> None:
    case.path.write_bytes(model_bytes(case.header, safetensors_bytes(case.arrays)))
    case.potential = _core.Potential(case.path)


def expected_distances(case: Case) -> np.ndarray:
    parts = (case.arrays[f"distance.{name}"] for name in ("shift", "scale", "axes"))
    return FeatureDistance(*parts)(case.features(), case.species)


@pytest.mark.parametrize("n_axes", [0, 1, 3, 5])
def test_distances_against_numpy(tmp_path, n_axes):
    case = distance_case(tmp_path, n_axes=n_axes)
    found = case.evaluate(distances=True)["distances"]
    assert found.shape == (60,)
    assert found.std() > 0.05
    # distances of order 1, part of whose square cancels: some hundred roundings
    np.testing.assert_allclose(found, expected_distances(case), rtol=0, atol=1e-13)


@pytest.mark.parametrize("n_axes", [13, 32])
def test_distances_of_many_functions(tmp_path, n_axes):
    descriptor = {**model_files.DESCRIPTOR, "functions": MANY}
    case = distance_case(tmp_path, n_axes=n_axes, descriptor=descriptor)
    np.testing.assert_allclose(
        case.evaluate(**ALONE)["distances"], expected_distances(case), rtol=1e-12, atol=0
    )


@pytest.mark.parametrize("precision", _core.precision_names())
def test_nothing_else_changes_by_asking(tmp_path, precision):
    case = distance_case(tmp_path)
    plain = case.evaluate(**EVERYTHING, precision=precision)
    asked = case.evaluate(**EVERYTHING, distances=True, precision=precision)
    assert set(asked) - set(plain) == {"distances"}
    for name, array in plain.items():
        assert np.array_equal(array, asked[name]), name
    # always in double, and of the symmetry functions alone
    alone = case.evaluate(**ALONE)
    assert set(alone) == {"distances"}
    assert np.array_equal(alone["distances"], asked["distances"])


def test_same_bits_for_any_threads_and_blocks(tmp_path):
    case = distance_case(tmp_path)
    whole = case.evaluate(**ALONE, n_threads=1)["distances"]
    assert np.array_equal(case.evaluate(**ALONE, n_threads=5)["distances"], whole)
    offsets, neighbors = case.environments.offsets, case.species[case.environments.neighbors]
    for size in (1, 5, 17):
        for begin in range(0, len(case.species), size):
            end = min(begin + size, len(case.species))
            pairs = slice(offsets[begin], offsets[end])
            part = case.potential.evaluate(
                offsets[begin : end + 1] - offsets[begin],
                case.species[begin:end],
                neighbors[pairs],
                case.environments.vectors[pairs],
                **ALONE,
            )
            assert np.array_equal(part["distances"], whole[begin:end])


def test_all_instruction_sets(tmp_path):
    case = distance_case(tmp_path)
    pairs = case.environments
    numbers = {"o": pairs.offsets, "s": case.species, "n": case.species[pairs.neighbors], "v": pairs.vectors}
    np.savez(tmp_path / "in.npz", **numbers)
    script = (
        "import sys, numpy as np; from lmlp import _core; f = np.load(sys.argv[1] + '/in.npz');"
        "p = _core.Potential(sys.argv[1] + '/model.pt');"
        "r = p.evaluate(f['o'], f['s'], f['n'], f['v'], distances=True);"
        "np.save(sys.argv[1] + '/out.npy', r['distances'])"
    )
    expected = expected_distances(case)
    for name in _core.instruction_sets():
        environment = {**os.environ, "LMLP_ISA": name}
        subprocess.run([sys.executable, "-c", script, str(tmp_path)], env=environment, check=True)
        np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, rtol=0, atol=1e-13, err_msg=name)


def test_a_distance_is_never_below_zero(tmp_path):
    """An atom on a full axis: what rounding leaves of the difference of two squares may be negative."""
    case = distance_case(tmp_path, n_axes=5)
    for e in range(2):
        case.arrays["distance.axes"][e] = np.linalg.qr(np.random.default_rng(e).normal(size=(5, 5)))[0]
    rewrite(case)
    found = case.evaluate(**ALONE)["distances"]
    assert (found >= 0.0).all()
    assert (found == 0.0).any()
    assert found.max() < 1e-6


def test_distances_need_no_networks(tmp_path):
    case = distance_case(tmp_path)
    expected = case.evaluate(**ALONE)["distances"]
    case.arrays["layers.1.weight"] = np.full_like(case.arrays["layers.1.weight"], 1e308)
    rewrite(case)
    assert np.array_equal(case.evaluate(**ALONE)["distances"], expected)
    with pytest.raises(NotFiniteError, match="energy of center 0"):
        case.evaluate(distances=True)


@pytest.mark.parametrize("name", ["distance.scale", "distance.axes"])
def test_distances_that_overflow(tmp_path, name):
    case = distance_case(tmp_path)
    case.arrays[name][1] = 1e200
    rewrite(case)
    first = int(np.flatnonzero(case.species == 1)[0])
    with pytest.raises(NotFiniteError, match=rf"distance of center {first} \(O\) is not a finite number"):
        case.evaluate(**ALONE)
    assert np.isfinite(case.evaluate()["energies"]).all()


def test_distances_of_a_model_without(tmp_path):
    case = Case(tmp_path, **version_4(distance=None))
    assert case.potential.info()["has_distance"] is False
    with pytest.raises(UncertaintyError, match="no distances"):
        case.evaluate(distances=True)


def test_facts(tmp_path):
    info = distance_case(tmp_path).potential.info()
    assert (info["has_spread_maps"], info["has_distance"]) == (True, True)
    info = Case(tmp_path).potential.info()
    assert (info["has_spread_maps"], info["has_distance"]) == (False, False)


def maps(**changes):
    return {"spread_maps": {**spread_maps(["H", "O"]), **changes}}


MAP = {"floor": 0.1, "factor": 1.0}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"spread_maps": "remove"}, 'lacks the key "spread_maps"'),
        ({"distance": "remove"}, 'lacks the key "distance"'),
        ({"spread_maps": 3}, "spread_maps is 3, not an object"),
        ({"spread_maps": {}}, "exactly the keys energy, forces and stress"),
        (maps(more=MAP), "exactly the keys energy, forces and stress"),
        (maps(energy=2.0), "energy is 2.0, not an object with exactly the keys floor and factor"),
        (maps(stress={"floor": 0.1}), "stress is .*exactly the keys floor and factor"),
        (maps(energy={"floor": -0.1, "factor": 1}), "energy: floor is -0.1"),
        (maps(energy={"floor": 0.1, "factor": "2"}), "energy: factor is"),
        (maps(energy={"floor": True, "factor": 1}), "energy: floor is"),
        (maps(forces=[MAP, MAP]), "spread_maps.forces"),
        (maps(forces={"H": MAP}), "spread_maps.forces"),
        (maps(forces={"H": MAP, "C": MAP}), "spread_maps.forces"),
        (maps(forces={"H": MAP, "O": MAP, "C": MAP}), "spread_maps.forces"),
        (maps(forces={"H": MAP, "O": {**MAP, "floor": None}}), "spread_maps.forces of O: floor"),
        ({"distance": [0.999]}, "distance is .*not an object"),
        ({"format_version": 3}, "spread_maps in a file of an older format version than 4"),
        ({"format_version": 3, "spread_maps": "remove"}, "distance in a file of an older format version"),
    ],
)
def test_header_that_is_wrong(tmp_path, changes, words):
    path = tmp_path / "model.pt"
    path.write_bytes(model_bytes(version_4(**changes), safetensors_bytes(arrays(version_4()))))
    with pytest.raises(ModelFileError, match=words):
        _core.Potential(path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"distance.shift": None}, "lacks the array distance.shift"),
        ({"distance.axes": None}, "lacks the array distance.axes"),
        ({"distance.scale": np.zeros((2, 4))}, r"distance.scale has shape \[2, 4\], expected \[2, 5\]"),
        ({"distance.axes": np.zeros((2, 5))}, r"distance.axes has shape \[2, 5\], expected \[2, 0, 5\]"),
        ({"distance.axes": np.zeros((1, 3, 5))}, r"distance.axes has shape \[1, 3, 5\]"),
        ({"distance.axes": np.zeros((2, 6, 5))}, "distance.axes has 6 axes, allowed are 0 to 5"),
        ({"distance.shift": np.full((2, 5), np.nan)}, "distance.shift has a value that is not finite"),
    ],
)
def test_arrays_that_are_wrong(tmp_path, changes, words):
    values = {**arrays(version_4()), **changes}
    weights = safetensors_bytes({name: array for name, array in values.items() if array is not None})
    path = tmp_path / "model.pt"
    path.write_bytes(model_bytes(version_4(), weights))
    with pytest.raises(ModelFileError, match=words):
        _core.Potential(path)
    # arrays without the block have no meaning
    path.write_bytes(model_bytes(version_4(distance=None), safetensors_bytes(arrays(version_4()))))
    with pytest.raises(ModelFileError, match="unknown array distance"):
        _core.Potential(path)
