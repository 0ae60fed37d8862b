"""Products with stored derivatives are those of dense matrices."""

import subprocess
import sys

import numpy as np
import pytest
from lmlp import _core
from lmlp.descriptor.jacobians import Jacobians
from lmlp.errors import InvalidArgumentError


def random_structures(n_inputs, dtype, seed=0):
    """Sparse structures, and dense matrices [n_centers, n_inputs, n_targets, 3] with the same numbers."""
    rng = np.random.default_rng(seed)
    jacobians, dense = Jacobians(n_inputs, dtype), []
    for structure, (n_centers, n_targets) in enumerate([(3, 5), (1, 1), (4, 4), (2, 7)]):
        filled = rng.random((n_centers, n_targets)) < 0.6
        filled[0] = structure != 2  # a center without any block, and one with all
        full = rng.normal(size=(n_centers, n_inputs, n_targets, 3)).astype(dtype) * filled[:, None, :, None]
        centers, targets = np.nonzero(filled)
        rows = full.transpose(0, 2, 3, 1)[centers, targets]
        offsets = np.searchsorted(centers, np.arange(n_centers + 1))
        jacobians.add(10 + structure, offsets, targets.astype(np.int32), rows, n_targets)
        dense.append(full)
    return jacobians, dense


def batch(dense, chosen, rng):
    """Slots of the chosen structures' centers in random order, two of 12 or more unused."""
    n = sum(len(dense[c]) for c in chosen)
    return rng.permutation(n + 2)[:n], n + 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_inputs", [1, 3, 8, 21, 48, 70])  # less than a vector, whole ones, and a rest
def test_products_are_those_of_dense_matrices(n_inputs, dtype):
    jacobians, dense = random_structures(n_inputs, dtype)
    rng = np.random.default_rng(1)
    chosen = [2, 0, 3, 0, 1]  # in any order, and twice
    slots, n_slots = batch(dense, chosen, rng)
    places = jacobians.places([10 + c for c in chosen])
    gradients = rng.normal(size=(n_slots, n_inputs)).astype(dtype)
    values = rng.normal(size=(sum(dense[c].shape[2] for c in chosen), 3)).astype(dtype)
    contracted, expanded = [], np.zeros((n_slots, n_inputs))
    center = target = 0
    for c in chosen:
        mine = slots[center : center + len(dense[c])]
        there = values[target : target + dense[c].shape[2]].astype(float)
        contracted.append(np.einsum("ikac,ik->ac", dense[c].astype(float), gradients[mine].astype(float)))
        expanded[mine] = np.einsum("ikac,ac->ik", dense[c].astype(float), there)
        center, target = center + len(mine), target + len(there)
    # sums of some hundred terms of order 1
    close = {"rtol": 0, "atol": 2e-5 if dtype == np.float32 else 1e-13}
    found = jacobians.contract(places, slots, gradients)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, np.concatenate(contracted), **close)
    back = jacobians.expand(places, slots, values, n_slots)
    assert back.dtype == dtype
    np.testing.assert_allclose(back, expanded, **close)
    core, several = jacobians._core, {"n_threads": 3}
    assert np.array_equal(found, core.contract(places, slots, gradients, **several))
    assert np.array_equal(back, core.expand(places, slots, values, n_slots, **several))
    assert jacobians.n_targets(places).tolist() == [dense[c].shape[2] for c in chosen]


PROGRAM = """
import numpy as np
from tests.python.descriptor.test_jacobians import random_structures
jacobians, _ = random_structures(37, np.{dtype})
places = jacobians.places([10, 11, 12, 13])
g = np.random.default_rng(3).normal(size=(10, 37)).astype(np.{dtype})
forces = jacobians.contract(places, np.arange(10), g)
print(*forces.ravel(), *jacobians.expand(places, np.arange(10), forces, 10).ravel())
"""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_instruction_sets_agree(dtype, monkeypatch):
    found = []
    for name in _core.instruction_sets():
        monkeypatch.setenv("LMLP_ISA", name)
        command = [sys.executable, "-c", PROGRAM.format(dtype=dtype)]
        found.append(np.array(subprocess.check_output(command, text=True).split(), dtype=float))
    assert abs(found[0]).max() > 1
    for other in found[1:]:
        # rounding of sums of some hundred terms
        np.testing.assert_allclose(other, found[0], rtol=0, atol=1e-3 if dtype == "float32" else 1e-11)


def test_what_does_not_fit_is_refused():
    jacobians, _ = random_structures(4, np.float64)
    rows = np.zeros((2, 3, 4))
    two = np.array([0, 1], dtype=np.int32)
    with pytest.raises(InvalidArgumentError, match=r"rows has shape \[2, 3, 5\], expected \[2, 3, 4\]"):
        jacobians.add(0, np.array([0, 2]), two, np.zeros((2, 3, 5)), 2)
    with pytest.raises(InvalidArgumentError, match="target 1 of block 1 is not below 1"):
        jacobians.add(0, np.array([0, 2]), two, rows, 1)
    for offsets in ([0, 1], [0, 3, 2], [1, 2]):
        with pytest.raises(InvalidArgumentError, match="offsets must rise from 0 to the number of blocks 2"):
            jacobians.add(0, np.array(offsets), two, rows, 2)
    assert not jacobians.has_all([10, 0])
    assert jacobians.has_all([10, 13])
    places = jacobians.places([11])
    with pytest.raises(InvalidArgumentError, match=r"slots has shape \[2\], expected \[1\]"):
        jacobians.contract(places, np.array([0, 1]), np.zeros((2, 4)))
    with pytest.raises(InvalidArgumentError, match="slot 2 of center 0 is not below 2, or is taken twice"):
        jacobians.contract(places, np.array([2]), np.zeros((2, 4)))
    with pytest.raises(InvalidArgumentError, match="slot 0 of center 1 is not below 4, or is taken twice"):
        jacobians.expand(jacobians.places([11, 10]), np.array([0, 0, 1, 2]), np.zeros((6, 3)), 4)
    with pytest.raises(InvalidArgumentError, match=r"values has shape \[2, 3\], expected \[1, 3\]"):
        jacobians.expand(places, np.array([0]), np.zeros((2, 3)), 1)
    with pytest.raises(InvalidArgumentError, match="id 4 is not below 4"):
        jacobians.contract(np.array([4]), np.array([0]), np.zeros((1, 4)))
    with pytest.raises(InvalidArgumentError, match="n_inputs is 0"):
        Jacobians(0, np.float64)
