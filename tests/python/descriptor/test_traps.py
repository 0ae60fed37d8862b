"""Places where a plain formula divides by zero, loses its digits or jumps."""

from __future__ import annotations

import numpy as np
import pytest
from lmlp.descriptor.compute import Descriptor
from lmlp.errors import GeometryError, InvalidArgumentError, UnknownElementError

from . import inputs

PATHS = ["triples", "moments"]


def one_angle(radial, angular, scaling, parameters, path="triples", **block):
    """One angular function, weight 1, eta 0 (0.5 for bump)."""
    eta = 0.5 if radial == "bump" else 0.0
    row = {"kind": "angular", "weight": "1", "eta": eta, **parameters}
    forms = {"radial": radial, "angular": angular, "scaling": scaling}
    spec = {"type": "eeACSF", "cutoff": 5.0, **forms, "table": "h-xe", "functions": [row], **block}
    return Descriptor(spec, ["H"], path)


def evaluate(descriptor, vectors):
    environments = inputs.make(vectors)
    species = np.zeros(len(environments.vectors), dtype=np.int32)
    return (
        descriptor.features(environments, species)[0],
        descriptor.backward(environments, species, np.ones((1, descriptor.n_features))),
    )


def triple(degrees, r_j=1.1, r_k=1.3):
    t = np.deg2rad(degrees)
    return np.array([[r_j, 0, 0], [r_k * np.cos(t), r_k * np.sin(t), 0.0]])


def numeric_gradient(descriptor, vectors, h=1e-6):
    g = np.zeros_like(vectors)
    for i in np.ndindex(*vectors.shape):
        d = np.zeros_like(vectors)
        d[i] = h
        g[i] = (evaluate(descriptor, vectors + d)[0][0] - evaluate(descriptor, vectors - d)[0][0]) / (2 * h)
    return g


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("xi", [1, 2, 4])
def test_cos_is_zero_at_a_right_angle(xi, path):
    # zeta = 2: X = 1/2 + 1/2 cos 180 = 0, where a/X would be 0/0
    descriptor = one_angle("gaussian_bump", "cos", "linear", {"lambda": 1, "zeta": 2, "xi": xi}, path)
    vectors = np.array([[1.1, 0, 0], [0, 1.3, 0]])
    value, gradient = evaluate(descriptor, vectors)
    # X = cos^2 there: a sum of zeros is found by triples on either path; the gradient of moments rounds
    assert value[0] == 0
    assert np.abs(gradient[:, :2]).max() <= (0 if path == "triples" else 1e-15)
    # one millidegree off, the slope is that of cos^(2 xi)
    vectors = triple(89.999)
    value, gradient = evaluate(descriptor, vectors)
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(gradient, numeric_gradient(descriptor, vectors), atol=1e-8)


@pytest.mark.parametrize("degrees", [0.0, 180.0, 1e-7, 180 - 1e-7, 1e-3, 180 - 1e-3])
@pytest.mark.parametrize("lam", [0, 1])
def test_collinear_bump(lam, degrees):
    descriptor = one_angle("gaussian_bump", "bump", "linear", {"lambda": lam, "xi": 0.5})
    vectors = triple(degrees)
    value, gradient = evaluate(descriptor, vectors)
    assert np.isfinite(gradient).all()
    # collinear triples have their largest a (1 at lambda = 0, 0 degrees and lambda = 1, 180 degrees) or a = 0
    large = (lam == 0) == (degrees < 90)
    assert (value[0] > 0.1) == large
    # central differences across the axis are 0 by symmetry and smooth beside it
    np.testing.assert_allclose(gradient, numeric_gradient(descriptor, vectors, 1e-5), rtol=1e-5, atol=1e-8)


def test_bump_slope_by_cosine_is_continuous_at_the_end():
    # da/dc -> 2 xi / pi^2 (lambda = 0, theta -> 0); the gradient da/dc (u_k - c u_j) / R goes as sin(theta)
    descriptor = one_angle("gaussian_bump", "bump", "linear", {"lambda": 0, "xi": 0.5})
    slopes = []
    for degrees in (1e-1, 1e-3, 1e-5):
        _, gradient = evaluate(descriptor, triple(degrees))
        slopes.append(gradient[0, 1] / np.sin(np.deg2rad(degrees)))
    # next order is theta^2 ~ 3e-6 at 0.1 degrees; at 1e-5 degrees c is 1 - 1.5e-14 with an error of 1e-16
    np.testing.assert_allclose(slopes, slopes[1], rtol=1e-2)
    np.testing.assert_allclose(slopes[0], slopes[1], rtol=1e-5)


def test_bump_cusps_are_refused():
    with pytest.raises(InvalidArgumentError, match=r"functions\[0\].lambda.*0.5.*cusp.*allow_nonsmooth"):
        one_angle("gaussian_bump", "bump", "linear", {"lambda": 0.5, "xi": 1.0})
    value, gradient = evaluate(
        one_angle("gaussian_bump", "bump", "linear", {"lambda": 0.5, "xi": 1.0}, allow_nonsmooth=True),
        triple(180.0),
    )
    assert value[0] > 0.1
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("radial", inputs.JUMPING_ROOTS)
def test_sqrt_of_a_cosine_cutoff_is_refused(radial):
    row = {"lambda": 1, "zeta": 1, "xi": 1}
    with pytest.raises(InvalidArgumentError, match=rf"descriptor.scaling.*{radial}.*jump.*nonsmooth"):
        one_angle(radial, "cos", "sqrt", row)
    one_angle(radial, "cos", "sqrt", row, allow_nonsmooth=True)


def test_sign_changing_sums_need_the_linear_scaling():
    for scaling in ("sqrt", "crss"):
        with pytest.raises(InvalidArgumentError, match=r"functions\[0\].l.*changes sign.*linear"):
            one_angle("gaussian_shift", "legendre", scaling, {"l": 2, "shift": 1.0}, allow_nonsmooth=True)
        one_angle("gaussian_shift", "legendre", scaling, {"l": 0, "shift": 1.0})


@pytest.mark.parametrize(
    ("radial", "scaling"),
    [(r, s) for r in inputs.RADIAL for s in inputs.SCALINGS if s != "sqrt" or r not in inputs.JUMPING_ROOTS],
)
def test_smooth_end_at_the_cutoff(radial, scaling):
    eta = 0.5 if radial == "bump" else 0.1
    row = {"kind": "radial", "weight": "1", "eta": eta}
    if "shift" in inputs.RADIAL[radial][0]:
        row["shift"] = 4.0
    spec = {"type": "eeACSF", "cutoff": 5.0, "radial": radial, "scaling": scaling, "functions": [row]}
    descriptor = Descriptor(spec, ["H"])
    for r in (5.0, 5.0 + 1e-12, 6.0, 1e200):
        value, gradient = evaluate(descriptor, [[r, 0, 0]])
        assert value[0] == 0
        assert np.array_equal(gradient, np.zeros((1, 3)))
    # down to the last bit below the cutoff nothing is NaN, infinite or large
    for gap in (np.spacing(5.0), 1e-9, 1e-4, 2.4e-3, 2.6e-3, 1e-2):
        value, gradient = evaluate(descriptor, [[5.0 - gap, 0, 0]])
        # the cosine cutoff falls as (pi gap / 2 R_c)^2, the bump faster than any power
        assert 0 <= value[0] <= 0.1 * gap**2
        # 3e-16: the slope of the cosine is a sine near pi, whose argument is rounded; 1.1e-16 was seen
        assert np.abs(gradient).max() <= 0.2 * gap + 3e-16
    assert evaluate(descriptor, [[4.0, 0, 0]])[0][0] > 0


def test_cosine_beyond_one_by_rounding():
    # parallel vectors whose normalized dot product rounds above 1 and below -1
    rng = np.random.default_rng(0)
    lists = []
    for _ in range(400):
        u = rng.normal(size=3)
        lists.append((u * 1.1, u * rng.uniform(1.2, 2.0) * rng.choice([-1, 1])))
    raw = [np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b) for a, b in lists]
    assert max(raw) > 1
    assert min(raw) < -1
    for form, parameters in (
        ("bump", {"lambda": 0, "xi": 0.5}),
        ("bump", {"lambda": 1, "xi": 2.0}),
        ("cos", {"lambda": -1, "zeta": 1, "xi": 1}),
        ("cos", {"lambda": -1, "zeta": 3, "xi": 3}),
        ("cos_int", {"lambda": 1, "zeta": 1}),
    ):
        descriptor = one_angle("gaussian_bump", form, "sqrt", parameters)
        linear = one_angle("gaussian_bump", form, "linear", parameters)
        for pair in lists:
            value, gradient = evaluate(descriptor, np.array(pair))
            assert np.isfinite(value).all()
            assert np.isfinite(gradient).all()
            assert evaluate(linear, np.array(pair))[0][0] >= 0


def test_base_below_zero_by_rounding():
    # X = 1/2 + 1/2 cos(zeta theta) is 0 at 180/zeta degrees, where the Chebyshev polynomial rounds below -1
    for zeta in (3, 5, 7, 11, 17):
        descriptor = one_angle("gaussian_bump", "cos", "linear", {"lambda": 1, "zeta": zeta, "xi": 1})
        angles = 180 / zeta + 1e-8 * np.arange(-50, 51)
        values = [evaluate(descriptor, triple(angle))[0][0] for angle in angles]
        assert min(values) >= 0
        assert max(values) < 1e-13


@pytest.mark.parametrize("path", PATHS)
def test_coincident_atoms(path):
    descriptor = one_angle("gaussian_bump", "cos", "linear", {"lambda": 1, "zeta": 1, "xi": 1}, path)
    vectors = np.ones((6, 3))
    vectors[4] = [0, 1e-7, 0]
    environments = inputs.make(vectors, [0, 3, 6])
    species = np.zeros(6, dtype=np.int32)
    calls = [
        lambda: descriptor.features(environments, species),
        lambda: descriptor.backward(environments, species, np.ones((2, 1))),
        lambda: descriptor.tangent(environments, species, np.ones((6, 3))),
    ]
    for call in calls:
        with pytest.raises(GeometryError, match=r"center 1, pair 4 .*same place"):
            call()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_vectors_that_are_not_finite(bad):
    descriptor = one_angle("gaussian_bump", "cos", "linear", {"lambda": 1, "zeta": 1, "xi": 1})
    vectors = np.ones((6, 3))
    vectors[2, 1] = bad
    with pytest.raises(GeometryError, match=r"center 0, pair 2 .*NaN or infinite"):
        descriptor.features(inputs.make(vectors, [0, 3, 6]), np.zeros(6, dtype=np.int32))


def test_species_out_of_range():
    descriptor = one_angle("gaussian_bump", "cos", "linear", {"lambda": 1, "zeta": 1, "xi": 1})
    for species in (-1, 1):
        given = np.zeros(6, dtype=np.int32)
        given[5] = species
        with pytest.raises(
            UnknownElementError, match=f"center 1, pair 5 .*species {species}, allowed are 0 to 0"
        ):
            descriptor.features(inputs.make(np.ones((6, 3)), [0, 3, 6]), given)


def test_the_first_fault_is_reported_whatever_the_threads():
    descriptor = one_angle("gaussian_bump", "cos", "linear", {"lambda": 1, "zeta": 1, "xi": 1})
    vectors = np.ones((600, 3))
    vectors[[150, 151, 400, 599]] = 0
    environments = inputs.make(vectors, np.arange(0, 601, 3))
    for n_threads in (1, 2, 3) * 5:
        with pytest.raises(GeometryError, match="center 50, pair 150 "):
            descriptor.features(environments, np.zeros(600, dtype=np.int32), n_threads=n_threads)


def test_no_neighbors_and_no_centers():
    descriptor = Descriptor(inputs.make_spec("gaussian_bump", "cos", "sqrt"), inputs.ELEMENTS)
    n = descriptor.n_features
    none = inputs.make(np.zeros((0, 3)), [0, 0, 0])
    species = np.zeros(0, dtype=np.int32)
    assert np.array_equal(descriptor.features(none, species), np.zeros((2, n)))
    assert descriptor.backward(none, species, np.ones((2, n))).shape == (0, 3)
    assert np.array_equal(descriptor.tangent(none, species, np.zeros((0, 3))), np.zeros((2, n)))
    empty = inputs.make(np.zeros((0, 3)), [0])
    assert descriptor.features(empty, species).shape == (0, n)
    assert descriptor.tangent(empty, species, np.zeros((0, 3))).shape == (0, n)


def test_a_skin_changes_nothing():
    """Pairs at or beyond the cutoff contribute exactly zero, to values and gradients, wherever listed."""
    descriptor = Descriptor(
        inputs.make_spec("gaussian_cos", "cos", "linear", cutoff=4.0, angular_cutoff=3.0), inputs.ELEMENTS
    )
    environments, species = inputs.random_environments(1, [60], reach=6.0)
    r = np.linalg.norm(environments.vectors, axis=1)
    environments.vectors[5] *= 4.0 / r[5]  # at the cutoff
    environments.vectors[7] *= 3.0 / r[7]  # at the angular cutoff
    inside = np.linalg.norm(environments.vectors, axis=1) < 4.0
    assert 10 < inside.sum() < 50
    bare = inputs.make(environments.vectors[inside])
    v = np.random.default_rng(2).normal(size=(1, descriptor.n_features))
    assert np.array_equal(
        descriptor.features(environments, species), descriptor.features(bare, species[inside])
    )
    g = descriptor.backward(environments, species, v)
    assert np.array_equal(g[inside], descriptor.backward(bare, species[inside], v))
    assert not g[~inside].any()
    d = np.random.default_rng(3).normal(size=g.shape)
    assert np.array_equal(
        descriptor.tangent(environments, species, d), descriptor.tangent(bare, species[inside], d[inside])
    )


def test_bad_arrays_are_refused():
    descriptor = one_angle("gaussian_bump", "cos", "linear", {"lambda": 1, "zeta": 1, "xi": 1})
    species = np.zeros(2, dtype=np.int32)
    good = inputs.make(np.ones((2, 3)))
    with pytest.raises(InvalidArgumentError, match="offsets must start at 0 and end at"):
        descriptor.features(inputs.make(np.ones((2, 3)), [0, 3]), species)
    with pytest.raises(InvalidArgumentError, match=r"offsets decrease.*center 1"):
        descriptor.features(inputs.make(np.ones((2, 3)), [0, 2, 1, 2]), species)
    with pytest.raises(InvalidArgumentError, match=r"vectors has shape \[2, 3\], expected \[3, 3\]"):
        descriptor.features(good, np.zeros(3, dtype=np.int32))
    with pytest.raises(InvalidArgumentError, match=r"grad has shape \[1, 2\], expected \[1, 1\]"):
        descriptor.backward(good, species, np.ones((1, 2)))
    with pytest.raises(InvalidArgumentError, match=r"d_vectors has shape \[3, 3\], expected \[2, 3\]"):
        descriptor.tangent(good, species, np.ones((3, 3)))
    # other layouts and types are converted, never read wrongly
    fortran = inputs.make(np.asfortranarray(np.array([[1.0, 2, 0], [0, 1, 1]])))
    strided = np.zeros((4, 6))
    strided[::2, ::2] = fortran.vectors
    expected = descriptor.features(inputs.make(fortran.vectors.copy()), species)
    assert np.array_equal(descriptor.features(fortran, species.astype(np.int64)), expected)
    assert np.array_equal(
        descriptor.features(inputs.with_vectors(good, strided[::2, ::2]), species), expected
    )
