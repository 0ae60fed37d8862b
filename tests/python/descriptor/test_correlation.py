"""Correlation functions: sums over tuples of neighbors, the reference, derivatives, invariance, refusals."""

from __future__ import annotations

import copy
import itertools
import os

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lmlp.descriptor.compute import Descriptor
from lmlp.descriptor.correlation_preset import couplings, growing_centers, independent_channels
from lmlp.descriptor.presets import make_preset, prune
from lmlp.descriptor.reference import ReferenceDescriptor
from lmlp.descriptor.reference_correlation import sphere_points
from lmlp.descriptor.spec import element_weights, normalize_spec
from lmlp.errors import InvalidArgumentError, UnknownElementError

from . import inputs
from .test_core_is_reference import compare
from .test_paths import run_script

DEGREES = [
    [0, 0],
    [1, 1],
    [4, 4],
    [0, 0, 0],
    [1, 1, 2],
    [2, 2, 2],
    [3, 1, 2],
    [3, 2, 3],
    [8, 8, 4],
    [1, 1, 1, 1],
    [2, 1, 1, 2],
    [1, 2, 3, 4],
]
WEIGHTS = ["1", "n", "s", "1"]
SHIFTS = [1.0, 1.7, 1.0, 2.5]


def factor(l, weight="1", shift=1.0):  # noqa: E741
    return {"weight": weight, "eta": 1.3, "shift": shift, "l": l}


def make_spec(degrees=DEGREES, angular=None, angular_cutoff=4.2):
    """A spec with one correlation function per list of degrees, its factors all different."""
    rows = [{"kind": "radial", "weight": "s", "eta": 1.0, "shift": 1.0}]
    rows += [
        {
            "kind": "correlation",
            "factors": [factor(l, WEIGHTS[k], SHIFTS[k]) for k, l in enumerate(ls)],  # noqa: E741
        }
        for ls in degrees
    ]
    spec = {"type": "eeACSF", "cutoff": 5.0, "angular_cutoff": angular_cutoff, "radial": "gaussian_shift"}
    if angular is not None:
        spec["angular"] = angular[0]
        rows[2:2] = [
            {"kind": "angular", "weight": "n", "combine": "sum", "eta": 0.7, "shift": 1.4, **angular[1]}
        ]
    return {**spec, "scaling": "linear", "table": "h-xe", "functions": rows}


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
from tests.python.descriptor.test_correlation import make_spec
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


def with_factors(factors, **changes):
    spec = copy.deepcopy(make_spec([[1, 1]]))
    spec["functions"][1]["factors"] = factors
    return {**spec, **changes}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (with_factors([factor(1)]), r"functions\[1\].factors: given 1 factors, allowed are 2 to 4"),
        (with_factors([factor(1)] * 5), "given 5 factors"),
        (with_factors([factor(1), factor(2)]), "l of 1, 2 give zero for every structure"),
        (with_factors([factor(1), factor(1), factor(1)]), "l of 1, 1, 1 give zero"),
        (with_factors([factor(1), factor(1), factor(4)]), "l of 1, 1, 4 give zero"),
        (with_factors([factor(9), factor(9)]), r"factors\[0\].l: given 9, allowed is an integer from 0 to 8"),
        (with_factors([factor(1), factor(1, "x")]), r"factors\[1\].weight: .*'x'"),
        (with_factors([factor(1), factor(1, shift=-1)]), r"factors\[1\].shift: given -1"),
        (
            with_factors([factor(1), {"weight": "1", "eta": 1.0, "shift": 1.0}]),
            r"factors\[1\].*'l' is missing",
        ),
        (with_factors([factor(1), {**factor(1), "zeta": 1}]), r"factors\[1\]: unknown key 'zeta'"),
        (with_factors([factor(1)] * 2, scaling="crss"), r"functions\[1\]: .*scaling linear, given crss"),
        (with_factors([factor(1)] * 2, angular="bump"), "which the angular form bump does not have"),
    ],
)
def test_refused(spec, message):
    with pytest.raises(InvalidArgumentError, match=message):
        normalize_spec(spec)


def test_refused_at_construction():
    spec = make_spec([[1, 1]], angular=("cos", {"lambda": 1, "zeta": 1, "xi": 65}))
    with pytest.raises(InvalidArgumentError, match="degree 65 do not have; allowed are degrees up to 64"):
        Descriptor(spec, ["H"])
    with pytest.raises(UnknownElementError, match="U is not in table h-xe"):
        Descriptor(make_spec(), ["H", "U"])


def test_round_trip_and_element_mode():
    spec = normalize_spec(make_spec())
    assert normalize_spec(spec) == spec
    rows = [{"kind": "correlation", "factors": [factor(2, e) for e in ("O", "H", "O")]}]
    spec = {"type": "ACSF", "cutoff": 5.0, "radial": "gaussian_shift", "scaling": "linear", "functions": rows}
    assert element_weights(spec, ["H", "O"]) == [[0.0, 1.0, 1.0, 0.0, 0.0, 1.0]]
    environments, species = inputs.random_environments(11, [9, 4], 2)
    compare(spec, ["H", "O"], "automatic", environments, species, 11)
    rows[0]["factors"][1]["weight"] = "Br"
    with pytest.raises(UnknownElementError, match=r"\[0\] selects element Br, but the model has only H, O"):
        Descriptor(spec, ["H", "O"])


def test_prune():
    rows = [
        {"kind": "correlation", "factors": factors}
        for factors in (
            [factor(1, "1"), factor(1, "n")],
            [factor(1, "n"), factor(1, "1")],
            [factor(1, "d"), factor(1, "1")],
            [factor(1, "n"), factor(1, "n")],
        )
    ]
    kept, dropped = prune({**make_spec(), "functions": rows}, ["H", "C"])
    assert len(kept["functions"]) == 2
    assert [(d.index, d.reason) for d in dropped] == [
        (1, "for H, C it copies function 0"),
        (2, "its weight is 0 for all of H, C"),
    ]


def test_preset():
    def count(elements, **options):
        return len(make_preset("eeacsf-correlation", elements, **options)["functions"])

    # 3 channels: 48 radial; 6 pairs of channels at one radius and 9 at neighboring ones, 5 degrees
    assert count(["H", "C", "N", "O"], l_max_triples=0) == 48 + 5 * (6 * 6 + 5 * 9)
    assert count(["H", "C", "N", "O"], l_max_triples=0, span=0) == 48 + 5 * 6 * 6
    # (1,1,2), (1,2,3), (2,2,2), (2,3,3): the other channels in 2, 3, 1, 2 places
    assert count(["H", "C", "N", "O"]) == 48 + 5 * (6 * 6 + 5 * 9) + 6 * (4 + 2 * 8)
    assert count(["H", "O"], keep_all=True) == count(["H", "C", "N", "O"])
    assert count(["Si"]) == 16 + 5 * 11 + 6 * 4
    assert count(["Si"], l_max_quadruples=2) == 16 + 5 * 11 + 6 * (4 + 3)
    assert count(["Ti", "O"], n_radial=4, n_angular=2, l_max=1, l_max_triples=0) == 4 * 2 + 2 * (3 * 2 + 4)
    spec = make_preset("eeacsf-correlation", ["Si"], 5.0, angular_cutoff=4.5, r_min=1.9, growth=2.0)
    assert (spec["cutoff"], spec["angular_cutoff"]) == (5.0, 4.5)
    assert "angular" not in spec
    shifts = [row["shift"] for row in spec["functions"] if row["kind"] == "radial"]
    np.testing.assert_allclose(np.diff(np.sqrt(shifts)), (np.sqrt(4.7) - np.sqrt(1.9)) / 15, rtol=1e-7)
    with pytest.raises(InvalidArgumentError, match="channels is 'x'; allowed are auto, all"):
        make_preset("eeacsf-correlation", ["Si"], channels="x")
    with pytest.raises(InvalidArgumentError, match=r"growth of 1 or more, given 16 from 0\.8"):
        make_preset("eeacsf-correlation", ["Si"], growth=0.5)


def test_parts_of_the_preset():
    assert couplings(3, 3) == [(1, 1, 2), (1, 2, 3), (2, 2, 2), (2, 3, 3)]
    assert couplings(4, 2) == [(1, 1, 1, 1), (1, 1, 2, 2), (2, 2, 2, 2)]
    assert independent_channels(["1", "n", "s"], [[1, 1, 1], [0.2, 0.4, 0.4], [0.1, 0.5, 0.5]]) == ["1", "n"]
    centers, etas = growing_centers(1.0, 4.0, 4, 1.0)
    assert centers == [1.0, 2.0, 3.0, 4.0]
    assert etas == [0.5] * 4
