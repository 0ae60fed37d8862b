"""Correlation functions: sums over tuples of neighbors, the reference, derivatives, invariance."""

from __future__ import annotations

import itertools
import os

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lmlp.descriptor.compute import Descriptor
from lmlp.descriptor.reference import ReferenceDescriptor
from lmlp.descriptor.reference_correlation import sphere_points
from lmlp.descriptor.spec import element_weights, normalize_spec

from . import inputs
from .correlation_inputs import make_spec
from .test_core_is_reference import compare
from .test_paths import run_script


def weighted_radials(spec, row, environments, species):
    """w f per factor and neighbor, from the reference's own radial function and weights."""
    from lmlp.descriptor.reference import radial_function

    distance = torch.from_numpy(np.linalg.norm(environments.vectors, axis=1))
    inside = (distance < spec["angular_cutoff"]).numpy()
    weights = np.array(element_weights({**spec, "functions": [row]}, inputs.ELEMENTS)[0])
    out = []
    for k, f in enumerate(row["factors"]):
        value = radial_function(
            spec["radial"],
            distance,
            spec["angular_cutoff"],
            torch.tensor([f["eta"]], dtype=torch.float64),
            torch.tensor([f["shift"]], dtype=torch.float64),
        )[:, 0].numpy()
        out.append(np.where(inside, value, 0) * weights[k * len(inputs.ELEMENTS) + species])
    return out


# The mean over directions n of products of Legendre polynomials, from <n_i n_j> and <n_i n_j n_k n_l>.
CLOSED = {
    (1, 1): lambda c: c[0][1] / 3,
    (1, 1, 2): lambda c: c[0][2] * c[1][2] / 5 - c[0][1] / 15,
    (1, 1, 1, 1): lambda c: (c[0][1] * c[2][3] + c[0][2] * c[1][3] + c[0][3] * c[1][2]) / 15,
}


@pytest.mark.parametrize("degrees", list(CLOSED), ids=str)
def test_sum_over_all_tuples_of_neighbors(degrees):
    spec = make_spec([list(degrees)])
    environments, species = inputs.random_environments(3, [7])
    row = spec["functions"][1]
    w = weighted_radials(spec, row, environments, species)
    u = environments.vectors / np.linalg.norm(environments.vectors, axis=1)[:, None]
    cosine = u @ u.T
    expected = 0.0
    for neighbors in itertools.product(range(7), repeat=len(degrees)):
        c = [[cosine[a, b] for b in neighbors] for a in neighbors]
        weight = np.prod([w[k][j] for k, j in enumerate(neighbors)])
        expected += weight * CLOSED[degrees](c)
    got = Descriptor(spec, inputs.ELEMENTS).features(environments, species)[0, 1]
    assert abs(expected) > 1e-4
    assert got == pytest.approx(expected, rel=1e-12)


def test_mean_over_directions():
    """Products of the densities summed over many points of another kind: plain averages over a fine grid."""
    spec = make_spec([[2, 2, 2], [3, 2, 3], [2, 1, 1, 2]])
    environments, species = inputs.random_environments(4, [9])
    u = environments.vectors / np.linalg.norm(environments.vectors, axis=1)[:, None]
    points, weight = sphere_points(31)
    cosine = u @ points.T
    got = Descriptor(spec, inputs.ELEMENTS).features(environments, species)[0]
    for i, row in enumerate(spec["functions"][1:], 1):
        w = weighted_radials(spec, row, environments, species)
        product = weight.copy()
        for k, f in enumerate(row["factors"]):
            product = product * (w[k] @ np.polynomial.Legendre.basis(f["l"])(cosine))
        assert got[i] == pytest.approx(product.sum(), rel=1e-12, abs=1e-14)


@settings(max_examples=4, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    counts=st.lists(st.integers(0, 20), min_size=1, max_size=4),
    narrow=st.sampled_from([5.0, 3.7]),
    n_species=st.integers(1, 4),
)
@pytest.mark.parametrize(
    "angular", [None, ("legendre", {"l": 5}), ("cos", {"lambda": 1, "zeta": 1, "xi": 3})]
)
def test_core_is_reference(angular, seed, counts, narrow, n_species):
    spec = make_spec(angular=angular, angular_cutoff=narrow)
    environments, species = inputs.random_environments(seed, counts, n_species)
    for path in ("triples", "moments", "automatic"):
        compare(spec, inputs.ELEMENTS, path, environments, species, seed)


def test_reference_can_be_scripted():
    spec = normalize_spec(make_spec())
    reference = ReferenceDescriptor(spec, inputs.ELEMENTS)
    environments, species = inputs.random_environments(5, [6, 0, 11])
    arguments = (
        environments.n_centers,
        torch.from_numpy(environments.centers),
        torch.from_numpy(species.astype(np.int64)),
        torch.from_numpy(environments.vectors),
    )
    assert torch.equal(torch.jit.script(reference)(*arguments), reference(*arguments))


@pytest.mark.parametrize("angular", [None, ("legendre", {"l": 3})], ids=["alone", "with angular"])
def test_derivatives(angular):
    environments, species = inputs.random_environments(6, [14, 0, 1, 23])
    descriptor = Descriptor(make_spec(angular=angular), inputs.ELEMENTS)
    rng = np.random.default_rng(7)
    d = rng.normal(size=(2, *environments.vectors.shape))
    h = 1e-5
    shifted = [
        descriptor.features(inputs.with_vectors(environments, environments.vectors + s * h * d[0]), species)
        for s in (1, -1)
    ]
    dg = descriptor.tangent(environments, species, d)
    # truncation h^2 G''' and rounding eps G / h, beside slopes of order 0.1 to 100
    np.testing.assert_allclose(dg[0], (shifted[0] - shifted[1]) / (2 * h), rtol=1e-6, atol=1e-6)
    assert np.abs(dg[0, [0, 3], 1:]).min() > 1e-6
    v = rng.normal(size=(3, 4, descriptor.n_features))
    g = descriptor.backward(environments, species, v)
    left, right = np.einsum("rpx,spx->rs", g, d), np.einsum("rif,sif->rs", v, dg)
    np.testing.assert_allclose(left, right, rtol=1e-11, atol=1e-10)
    for r in range(3):
        assert np.array_equal(g[r], descriptor.backward(environments, species, v[r]))
    for s in range(2):
        assert np.array_equal(dg[s], descriptor.tangent(environments, species, d[s]))


def test_rotations_reflections_and_orders_change_nothing():
    environments, species = inputs.random_environments(8, [17])
    descriptor = Descriptor(make_spec(), inputs.ELEMENTS)
    expected = descriptor.features(environments, species)
    rng = np.random.default_rng(9)
    order = rng.permutation(17)
    for sign in (1.0, -1.0):
        q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        turned = inputs.make(sign * environments.vectors[order] @ q)
        got = descriptor.features(turned, species[order])
        np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-13)


def test_neighbors_leave_smoothly_at_the_angular_cutoff():
    descriptor = Descriptor(make_spec(), inputs.ELEMENTS)
    environments, species = inputs.random_environments(10, [5], reach=3.0)
    direction = np.array([[0.48, -0.6, 0.64]])
    radial = 1  # features before it see the larger cutoff

    def values(r):
        together = inputs.make(np.vstack([environments.vectors, r * direction]))
        s = np.append(species, 1).astype(np.int32)
        g = descriptor.features(together, s)[0, radial:]
        v = np.zeros((1, descriptor.n_features))
        v[0, radial:] = 1.0
        return g, descriptor.backward(together, s, v)[-1]

    without = descriptor.features(environments, species)[0, radial:]
    for r, size in ((4.19, 1e-20), (4.1999, 1e-99), (4.2, 0.0), (4.3, 0.0)):
        g, gradient = values(r)
        assert np.abs(g - without).max() <= max(size, 1e-14)
        assert np.abs(gradient).max() <= size
    assert np.abs(values(3.5)[1]).max() > 1e-6


SCRIPT = """
import sys
import numpy as np
from lmlp import _core
from lmlp.descriptor.compute import Descriptor
from tests.python.descriptor import inputs
from tests.python.descriptor.correlation_inputs import make_spec
descriptor = Descriptor(make_spec(angular=("legendre", {"l": 3})), inputs.ELEMENTS)
environments, species = inputs.random_environments(21, [26, 40, 0, 3, 90, 12])
v = np.random.default_rng(1).normal(size=(environments.n_centers, descriptor.n_features))
g = descriptor.backward(environments, species, v)
f = descriptor.features(environments, species)
t = descriptor.tangent(environments, species, g)
np.savez(sys.argv[1], isa=_core.instruction_set(), f=f, g=g, t=t)
"""


def test_instruction_sets_agree(tmp_path):
    from lmlp import _core

    results = []
    for name in _core.instruction_sets():
        path = os.fspath(tmp_path / f"{name}.npz")
        done = run_script(SCRIPT, name, path)
        assert done.returncode == 0, done.stderr
        results.append(dict(np.load(path)))
        assert str(results[-1]["isa"]) == name
    for other in results[1:]:
        for key in ("f", "g", "t"):
            scale = np.abs(results[0][key]).max()
            np.testing.assert_allclose(other[key], results[0][key], rtol=1e-10, atol=1e-12 * scale)


def test_threads_give_the_same_bits():
    descriptor = Descriptor(make_spec(), inputs.ELEMENTS)
    environments, species = inputs.random_environments(22, [26, 40, 0, 3] * 12)
    v = np.random.default_rng(23).normal(size=(environments.n_centers, descriptor.n_features))
    results = [
        (
            descriptor.features(environments, species, n_threads=n),
            descriptor.backward(environments, species, v, n_threads=n),
        )
        for n in (1, 2, 3)
    ]
    for other in results[1:]:
        assert np.array_equal(other[0], results[0][0])
        assert np.array_equal(other[1], results[0][1])
