"""Moments against triples, threads against one, blocks against the whole, instruction sets against others."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from lmlp import _core
from lmlp.descriptor.compute import Descriptor
from lmlp.descriptor.presets import make_preset
from lmlp.environments import Environments
from lmlp.errors import InvalidArgumentError

from . import inputs

FORMS = [forms for forms in inputs.all_forms() if forms[1] != "bump"]
COUNTS = [30, 0, 1, 17, 2, 55]


def pair_of_paths(spec, elements):
    return Descriptor(spec, elements, "triples"), Descriptor(spec, elements, "moments")


@pytest.mark.parametrize("forms", FORMS, ids="-".join)
def test_moments_equal_triples(forms):
    environments, species = inputs.random_environments(11, COUNTS)
    triples, moments = pair_of_paths(inputs.make_spec(*forms, angular_cutoff=4.5), inputs.ELEMENTS)
    rng = np.random.default_rng(12)
    value = triples.features(environments, species)
    # ordinary sums agree to 1e-12 relative; those of changing sign, relative to their terms (of order 1)
    atol = 1e-13 if forms[1] == "legendre" else 1e-16
    np.testing.assert_allclose(moments.features(environments, species), value, rtol=1e-12, atol=atol)
    assert not np.array_equal(moments.features(environments, species), value)  # they are two paths
    v = rng.normal(size=value.shape)
    g = triples.backward(environments, species, v)
    np.testing.assert_allclose(moments.backward(environments, species, v), g, rtol=1e-11, atol=1e-12)
    d = rng.normal(size=g.shape)
    t = triples.tangent(environments, species, d)
    np.testing.assert_allclose(moments.tangent(environments, species, d), t, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("path", ["moments", "automatic"])
@pytest.mark.parametrize(("xi", "width"), [(1, 0.01), (1, 0.1), (4, 0.3), (4, 0.8), (16, 0.5), (16, 0.8)])
def test_tiny_sums_keep_their_digits(path, xi, width):
    """Powers of 1/2 - 1/2 cos over a narrow bundle of neighbors; sqrt amplifies what cancellation costs."""
    row = {"kind": "angular", "weight": "1", "eta": 0.0, "lambda": -1, "zeta": 1, "xi": xi}
    forms = {"radial": "gaussian_bump", "angular": "cos", "scaling": "sqrt"}
    spec = {"type": "eeACSF", "cutoff": 6.0, **forms, "functions": [row]}
    exact, other = Descriptor(spec, ["H"], "triples"), Descriptor(spec, ["H"], path)
    species = np.zeros(40, dtype=np.int32)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        environments = inputs.make(np.array([0, 0, 2.0]) + rng.uniform(-width, width, (40, 3)))
        value = exact.features(environments, species)
        np.testing.assert_allclose(other.features(environments, species), value, rtol=1e-12, atol=0)
        g = exact.backward(environments, species, np.ones((1, 1)))
        got = other.backward(environments, species, np.ones((1, 1)))
        np.testing.assert_allclose(got, g, rtol=1e-11, atol=1e-12 * np.abs(g).max())
        d = rng.normal(size=(40, 3))
        t = exact.tangent(environments, species, d)
        np.testing.assert_allclose(other.tangent(environments, species, d), t, rtol=1e-11)


def test_harmonics_have_no_poles():
    """Neighbors exactly on and next to the z axis, high degree."""
    row = {"kind": "angular", "weight": "1", "eta": 0.0, "lambda": 1, "zeta": 1, "xi": 16}
    forms = {"radial": "gaussian_bump", "angular": "cos", "scaling": "linear"}
    spec = {"type": "eeACSF", "cutoff": 6.0, **forms, "functions": [row, {**row, "zeta": 3, "xi": 5}]}
    vectors = [
        [0, 0, 1.5],
        [0, 0, -1.7],
        [1e-12, 0, 2.0],
        [0, 1e-160, 1.9],
        [1.2, 0, 0],
        [0, -1.4, 0],
        [1, 1, 1],
    ]
    environments, species = inputs.make(vectors), np.zeros(7, dtype=np.int32)
    triples, moments = pair_of_paths(spec, ["H"])
    v = np.array([[0.7, -1.3]])
    np.testing.assert_allclose(
        moments.features(environments, species), triples.features(environments, species), rtol=1e-12
    )
    np.testing.assert_allclose(
        moments.backward(environments, species, v),
        triples.backward(environments, species, v),
        rtol=1e-11,
        atol=1e-13,
    )


def test_moments_refuse_what_they_cannot_do():
    environments, species = inputs.random_environments(1, [3])
    with pytest.raises(InvalidArgumentError, match=r"polynomials.*bump"):
        Descriptor(inputs.make_spec("bump", "bump", "crss"), inputs.ELEMENTS, "moments").features(
            environments, species
        )
    with pytest.raises(InvalidArgumentError, match="'fast' is unknown; allowed are automatic, moments"):
        Descriptor(inputs.make_spec("bump", "cos", "crss"), inputs.ELEMENTS, "fast")


def workload():
    elements = ["H", "C", "N", "O"]
    environments, species = inputs.random_environments(21, [26, 40, 0, 3, 90, 12] * 8, 4, reach=6.2)
    return Descriptor(make_preset("eeacsf-153", elements), elements), environments, species


def test_threads_and_blocks_give_the_same_bits():
    descriptor, environments, species = workload()
    rng = np.random.default_rng(22)
    v = rng.normal(size=(2, environments.n_centers, descriptor.n_features))
    d = rng.normal(size=environments.vectors.shape)
    one = [
        descriptor.features(environments, species, n_threads=1),
        descriptor.backward(environments, species, v, n_threads=1),
        descriptor.tangent(environments, species, d, n_threads=1),
    ]
    for n_threads in (2, 3):
        for _ in range(3):
            assert np.array_equal(descriptor.features(environments, species, n_threads=n_threads), one[0])
            assert np.array_equal(descriptor.backward(environments, species, v, n_threads=n_threads), one[1])
            assert np.array_equal(descriptor.tangent(environments, species, d, n_threads=n_threads), one[2])
    n = environments.n_centers
    for begin, end in ((0, 1), (1, 5), (5, n - 1), (n - 1, n)):
        o = environments.offsets
        pairs = slice(o[begin], o[end])
        block = Environments(
            o[begin : end + 1] - o[begin],
            environments.neighbors[pairs],
            environments.vectors[pairs],
            environments.shifts[pairs],
        )
        assert np.array_equal(descriptor.features(block, species[pairs]), one[0][begin:end])
        assert np.array_equal(descriptor.backward(block, species[pairs], v[:, begin:end]), one[1][:, pairs])
        assert np.array_equal(descriptor.tangent(block, species[pairs], d[pairs]), one[2][begin:end])


SCRIPT = """
import sys
import numpy as np
from lmlp import _core
from tests.python.descriptor.test_paths import workload
descriptor, environments, species = workload()
v = np.random.default_rng(1).normal(size=(environments.n_centers, descriptor.n_features))
g = descriptor.backward(environments, species, v)
f = descriptor.features(environments, species)
t = descriptor.tangent(environments, species, g)
np.savez(sys.argv[1], isa=_core.instruction_set(), f=f, g=g, t=t)
"""


def run_with(isa, path):
    return run_script(SCRIPT, isa, path)


def run_script(script, isa, path):
    root = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
    environment = {**os.environ, "LMLP_ISA": isa, "PYTHONPATH": root}
    return subprocess.run(
        [sys.executable, "-c", script, path], env=environment, capture_output=True, text=True, check=False
    )


def test_instruction_sets_agree(tmp_path):
    names = _core.instruction_sets()
    assert names[-1] == "generic"
    results = []
    for name in names:
        path = str(tmp_path / f"{name}.npz")
        done = run_with(name, path)
        assert done.returncode == 0, done.stderr
        results.append(dict(np.load(path)))
        assert str(results[-1]["isa"]) == name
    for other in results[1:]:
        np.testing.assert_allclose(other["f"], results[0]["f"], rtol=1e-12, atol=1e-15)
        for key in ("g", "t"):
            scale = np.abs(results[0][key]).max()
            np.testing.assert_allclose(other[key], results[0][key], rtol=1e-10, atol=1e-12 * scale)


def test_unknown_instruction_set_is_refused(tmp_path):
    done = run_with("mmx", str(tmp_path / "x.npz"))
    assert done.returncode != 0
    assert "LMLP_ISA is 'mmx'; this build and processor offer" in done.stderr


@pytest.mark.parametrize("degree", [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 31, 64])
def test_moments_of_every_degree(degree):
    """Rows of harmonics are padded to vectors: no degree may spill into a neighboring row or table."""
    rows = [
        {"kind": "angular", "weight": "1", "eta": eta, "lambda": 1, "zeta": 1, "xi": degree}
        for eta in (0.0, 0.05, 0.2)  # an odd number: radial functions go in twos and ones
    ]
    forms = {"radial": "gaussian_bump", "angular": "cos", "scaling": "linear"}
    spec = {"type": "eeACSF", "cutoff": 6.0, **forms, "functions": rows}
    environments, species = inputs.random_environments(5, [23, 9])
    triples, moments = pair_of_paths(spec, inputs.ELEMENTS)
    value = triples.features(environments, species)
    np.testing.assert_allclose(moments.features(environments, species), value, rtol=1e-12)
    v = np.random.default_rng(6).normal(size=value.shape)
    g = triples.backward(environments, species, v)
    got = moments.backward(environments, species, v)
    np.testing.assert_allclose(got, g, rtol=1e-11, atol=1e-12 * np.abs(g).max())
    t = triples.tangent(environments, species, g)
    np.testing.assert_allclose(moments.tangent(environments, species, g), t, rtol=1e-11)
