"""The slow reference: published values, traps, derivatives. It shares no code with the core."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from lmlp import _core
from lmlp.descriptor.reference import (
    ANGULAR_FORMS,
    RADIAL_FORMS,
    SCALING_FORMS,
    ReferenceDescriptor,
    angular_function,
    list_triples,
    radial_function,
)
from lmlp.descriptor.reference_elements import SYMBOLS, element_property
from lmlp.descriptor.reference_weights import angular_weight, radial_weight
from lmlp.errors import InvalidArgumentError, UnknownElementError
from lmlp.export.torchscript import script

from . import inputs, oracle

DATA = oracle.load()
ELEMENTS = ["H", "O", "Fe"]
ALL_FORMS = list(itertools.product(RADIAL_FORMS, ANGULAR_FORMS, SCALING_FORMS))


def make_spec(radial: str, angular: str, scaling: str, **more: Any) -> dict[str, Any]:
    """A few functions of every kind of weight for one combination of forms."""
    angles = {
        "cos_int": [{"lambda": 1, "zeta": 1}, {"lambda": -1, "zeta": 3}],
        "cos": [{"lambda": -1, "zeta": 1, "xi": 4}, {"lambda": 1, "zeta": 2, "xi": 1}],
        "bump": [{"lambda": 0, "xi": 0.5}, {"lambda": 1, "xi": 2.0}],
        "legendre": [{"l": 0}, {"l": 3}],
    }[angular]
    shift = {"shift": 1.2} if "shift" in inputs.RADIAL[radial][0] else {}
    weights = [
        {"weight": "n", "combine": "sum"},
        {"weight": "d", "combine": "difference"},
        {"weight": "s", "combine": "product", "weight2": "n"},
    ]
    functions: list[dict[str, Any]] = [{"kind": "angular", "eta": 0.6, **weights[0], **angles[1], **shift}]
    functions += [
        {"kind": "radial", "weight": w, "eta": e, **shift} for w in ("1", "11-d") for e in (0.3, 1.1)
    ]
    functions += [{"kind": "angular", "eta": 0.2, **w, **a, **shift} for w in weights for a in angles]
    return {
        "type": "eeACSF", "cutoff": 4.0, "radial": radial, "angular": angular, "scaling": scaling,
        "table": "h-xe", "functions": functions, **more,
    }  # fmt: skip


def pairs_of(positions: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    environments = oracle.all_pairs(positions)
    return torch.from_numpy(environments.centers), torch.from_numpy(environments.neighbors)


def cluster(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Centers, neighbor species, vectors and positions of n atoms that are at least 0.7 Å apart."""
    rng = np.random.default_rng(seed)
    positions = np.zeros((0, 3))
    while len(positions) < n:
        trial = rng.uniform(0, 3.2, 3)
        if np.all(np.linalg.norm(positions - trial, axis=1) > 0.7):
            positions = np.vstack([positions, trial])
    center, neighbor = pairs_of(positions)
    x = torch.from_numpy(positions)
    species = torch.arange(n) % len(ELEMENTS)
    return center, species[neighbor], x[neighbor] - x[center], x


@pytest.mark.parametrize("index", range(len(DATA["cases"])))
@pytest.mark.parametrize("compiled", [False, True])
def test_published_values_and_derivatives(index: int, compiled: bool) -> None:
    case = DATA["cases"][index]
    reference = ReferenceDescriptor(oracle.spec_of(case, DATA["R_c"]), DATA["elements"])
    function = script(reference) if compiled else reference
    positions = torch.tensor(DATA["positions"], dtype=torch.float64)
    center, neighbor = pairs_of(positions.numpy())

    def features(x: torch.Tensor) -> torch.Tensor:
        return function(4, center, neighbor, x[neighbor] - x[center])

    # values of order 1 from a few terms each: rounding only
    np.testing.assert_allclose(features(positions).numpy(), case["G"], rtol=1e-12, atol=1e-14)
    slopes = torch.autograd.functional.jacobian(features, positions)[:, :, 0].numpy()
    np.testing.assert_allclose(slopes[0], case["dG0_dr0"], rtol=1e-10, atol=1e-13)
    neighbors = case["neighbours_of_atom_0"]
    np.testing.assert_allclose(slopes[neighbors], case["dG_of_neighbours_by_r0"], rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("forms", ALL_FORMS)
def test_compiled_is_eager_in_any_pair_order(forms: tuple[str, str, str]) -> None:
    reference = ReferenceDescriptor(make_spec(*forms), ELEMENTS)
    center, kinds, vectors, _ = cluster(6, 1)
    shuffle = torch.randperm(len(center), generator=torch.Generator().manual_seed(0))
    plain = reference(6, center, kinds, vectors)
    shuffled = script(reference)(6, center[shuffle], kinds[shuffle], vectors[shuffle])
    # sums of some ten terms in another order; the root in `sqrt` does not amplify sums of order 1e-3
    np.testing.assert_allclose(plain.numpy(), shuffled.numpy(), rtol=1e-12, atol=1e-14, equal_nan=True)


@pytest.mark.parametrize("forms", [f for f in ALL_FORMS if f[1] != "legendre" or f[2] == "linear"])
def test_first_and_second_derivatives(forms: tuple[str, str, str]) -> None:
    reference = ReferenceDescriptor(make_spec(*forms), ELEMENTS)
    center, kinds, vectors, _ = cluster(4, 2)
    vectors.requires_grad_()

    def total(v: torch.Tensor) -> torch.Tensor:
        features = reference(4, center, kinds, v)
        return (features * torch.linspace(-1, 1, features.numel()).view(features.shape)).sum()

    assert torch.autograd.gradcheck(total, (vectors,), fast_mode=True)
    assert torch.autograd.gradgradcheck(total, (vectors,), fast_mode=True)


@pytest.mark.parametrize("forms", [f for f in ALL_FORMS if f[1] != "legendre" or f[2] == "linear"])
def test_special_geometries_have_finite_derivatives(forms: tuple[str, str, str]) -> None:
    """Collinear and rectangular triples, no neighbor, one, a neighbor at and just inside the cutoff."""
    reference = ReferenceDescriptor(make_spec(*forms), ELEMENTS)
    near = 4.0 * (1 - 1e-4)
    vectors = torch.tensor(
        [[1.0, 0, 0], [-1.5, 0, 0], [2.0, 0, 0], [0, 1.0, 0], [0, 0, 4.0], [0, near, 0], [0.9, 0, 0]],
        dtype=torch.float64,
        requires_grad=True,
    )
    center = torch.tensor([0, 0, 0, 0, 0, 0, 2])
    features = reference(3, center, torch.tensor([0, 1, 2, 1, 0, 1, 0]), vectors)
    (slope,) = torch.autograd.grad(features.sum(), vectors, create_graph=True)
    (second,) = torch.autograd.grad(slope.square().sum(), vectors)
    assert torch.isfinite(features).all()
    assert torch.isfinite(slope).all()
    assert torch.isfinite(second).all()
    assert (features[1] == 0).all()  # no neighbor: exactly 0
    assert (slope[4] == 0).all()  # at the cutoff: exactly nothing


def test_root_of_zero_has_no_slope() -> None:
    """λ = −1 at θ = 0: all terms vanish, and with them the derivative of the root."""
    spec = make_spec("gaussian_bump", "cos", "sqrt")
    spec["functions"] = [{"kind": "angular", "weight": "1", "eta": 0.0, "lambda": -1, "zeta": 1, "xi": 1}]
    vectors = torch.tensor([[1.0, 0, 0], [2.0, 0, 0]], dtype=torch.float64, requires_grad=True)
    features = ReferenceDescriptor(spec, ELEMENTS)(1, torch.tensor([0, 0]), torch.tensor([0, 0]), vectors)
    assert features.item() == 0
    assert (torch.autograd.grad(features.sum(), vectors)[0] == 0).all()


def test_right_angle_keeps_its_slope() -> None:
    """X = 0 at θ = 90° with ζ = 2, λ = +1, ξ = 1: da/dc there is the limit, not 0/0."""
    cosine = torch.tensor([0.0, 1e-9, -1e-9], dtype=torch.float64, requires_grad=True)
    a = angular_function("cos", cosine, 1.0, 2, 1.0)  # c²
    (slope,) = torch.autograd.grad(a.sum(), cosine)
    np.testing.assert_allclose(slope.detach().numpy(), 2 * cosine.detach().numpy(), atol=1e-15)


@pytest.mark.parametrize(("lam", "end"), [(0.0, 1.0), (1.0, -1.0)])
def test_bump_angle_near_its_ends(lam: float, end: float) -> None:
    """da/dθ goes to 0 linearly at the end where x = 0."""
    theta = torch.tensor([1e-3, 1e-5, 1e-7], dtype=torch.float64)
    cosine = (end * torch.cos(theta)).requires_grad_()
    (slope,) = torch.autograd.grad(angular_function("bump", cosine, lam, 1, 2.0).sum(), cosine)
    # a = exp(ξ − ξ/(1 − x²)) with x = θ'/π: da/dc → ±2ξ/π²; value and slope see the same rounded c
    np.testing.assert_allclose(slope.numpy(), end * 4.0 / np.pi**2, rtol=1e-5)


def test_strict_cutoffs() -> None:
    for form in RADIAL_FORMS:
        r = torch.tensor([3.999999, 1.0], dtype=torch.float64)
        f = radial_function(form, r, 4.0, torch.tensor([1.0]).double(), torch.tensor([1.0]).double())
        assert f[1, 0] > 0.05
        assert 0 <= f[0, 0] < 1e-12
    spec = make_spec("gaussian_cos", "cos_int", "linear", angular_cutoff=2.0)
    vectors = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0, 2.6, 0]], dtype=torch.float64)
    kinds = torch.tensor([0, 1, 2])
    reference = ReferenceDescriptor(spec, ELEMENTS)
    angular = [i for i, row in enumerate(spec["functions"]) if row["kind"] == "angular"]
    three = reference(1, torch.zeros(3, dtype=torch.int64), kinds, vectors)
    two = reference(1, torch.zeros(2, dtype=torch.int64), kinds[:2], vectors[:2])
    assert (three[0, angular] == two[0, angular]).all()
    assert (three != two).any()
    # f ends at the angular cutoff: half of it is what counts at R = 1
    row = spec["functions"][angular[0]]
    f = np.exp(-row["eta"]) * 0.5
    weight = angular_weight(spec, row, "H", "O")
    a = 0.5 ** row["zeta"]
    np.testing.assert_allclose(two[0, angular[0]].item(), weight * f * f * a, rtol=1e-14)


def test_element_mode() -> None:
    """Radial functions choose an element, angular ones an unordered pair with weight 2."""
    functions = [
        {"kind": "radial", "weight": "O", "eta": 0.0},
        {"kind": "angular", "weight": "O", "weight2": "H", "eta": 0.0, "lambda": 1, "zeta": 1},
        {"kind": "angular", "weight": "H", "weight2": "H", "eta": 0.0, "lambda": 1, "zeta": 1},
    ]
    spec = {
        "type": "ACSF", "cutoff": 4.0, "radial": "gaussian_cos", "angular": "cos_int", "scaling": "linear",
        "functions": functions,
    }  # fmt: skip
    vectors = torch.tensor([[1.0, 0, 0], [0, 2.0, 0]], dtype=torch.float64)
    features = ReferenceDescriptor(spec, ELEMENTS)(1, torch.tensor([0, 0]), torch.tensor([0, 1]), vectors)[0]
    f = [0.5 + 0.5 * np.cos(np.pi / 4), 0.5]
    np.testing.assert_allclose(features.numpy(), [f[1], 2 * f[0] * f[1] * 0.5, 0.0], rtol=1e-14, atol=1e-16)


def test_triples_of_unsorted_pairs() -> None:
    center = torch.tensor([3, 0, 3, 1, 3, 0])
    first, second = list_triples(center)
    found = {frozenset(pair) for pair in zip(first.tolist(), second.tolist(), strict=True)}
    assert found == {frozenset(p) for p in [(0, 2), (0, 4), (2, 4), (1, 5)]}
    assert len(first) == 4


@pytest.mark.parametrize("vector", [[0.0, 0.0, 0.0], [np.nan, 0.0, 0.0], [np.inf, 0.0, 0.0]])
def test_impossible_vectors(vector: list[float]) -> None:
    reference = ReferenceDescriptor(make_spec("bump", "cos", "linear"), ELEMENTS)
    vectors = torch.tensor([[1.0, 0, 0], vector], dtype=torch.float64)
    with pytest.raises(RuntimeError, match="pair 1 of center 7: vector"):
        reference(8, torch.tensor([0, 7]), torch.tensor([0, 0]), vectors)


def test_published_element_properties() -> None:
    """Rows of the original table, written out."""
    names = ["1", "n", "s", "d", "6-n", "9-s", "11-d"]
    rows = {
        "H": (1, 1, 1, 0, 5, 8, 0),
        "He": (1, 1, 8, 0, 5, 1, 0),
        "C": (1, 2, 4, 0, 4, 5, 0),
        "Fe": (1, 4, 2, 6, 2, 7, 5),
        "Pd": (1, 5, 2, 8, 1, 7, 3),
        "I": (1, 5, 7, 0, 1, 2, 0),
    }
    for symbol, row in rows.items():
        assert tuple(element_property("h-xe", symbol, name)[0] for name in names) == row
    assert [element_property("h-og", "Au", p)[0] for p in ("n", "s", "d", "f", "8-n", "11-d")] == [
        6,
        2,
        9,
        0,
        2,
        2,
    ]
    assert [element_property("h-og", "U", p)[0] for p in ("n", "s", "d", "f", "15-f")] == [7, 2, 0, 4, 11]


@pytest.mark.parametrize("name", ["h-xe", "h-og"])
def test_element_tables_are_those_of_the_core(name: str) -> None:
    table = _core.element_table(name)
    heaviest = 54 if name == "h-xe" else 118
    for number in range(1, heaviest + 1):
        assert _core.symbol(number) == SYMBOLS[number - 1]
        for p, prop in enumerate(table["properties"]):
            value, maximum = element_property(name, SYMBOLS[number - 1], prop)
            assert value == table["values"][SYMBOLS[number - 1]][p]
            assert maximum == table["maxima"][p]


def test_weights_by_hand() -> None:
    spec = {"type": "eeACSF", "table": "h-xe"}
    assert radial_weight(spec, {"weight": "s"}, "Cl") == 7 / 8
    assert angular_weight(spec, {"weight": "s", "combine": "sum"}, "Cl", "H") == 8 / 16
    assert angular_weight(spec, {"weight": "s", "combine": "difference"}, "Cl", "H") == 7 / 8
    assert angular_weight(spec, {"weight": "s", "combine": "difference"}, "H", "H") == 1 / 8
    assert angular_weight(spec, {"weight": "d", "combine": "difference"}, "Cl", "H") == 0
    product = {"weight": "s", "combine": "product", "weight2": "n"}
    assert angular_weight(spec, product, "Cl", "H") == 0.5 * (7 * 1 + 3 * 1) / (8 * 5)


def test_bad_input_is_named() -> None:
    spec = make_spec("bump", "cos", "linear")
    with pytest.raises(InvalidArgumentError, match="radial 'gauss'"):
        ReferenceDescriptor({**spec, "radial": "gauss"}, ELEMENTS)
    with pytest.raises(UnknownElementError, match="'Au' is not in the table 'h-xe'"):
        ReferenceDescriptor(spec, ["Au"])
    with pytest.raises(InvalidArgumentError, match="unknown element property 'f'"):
        radial_weight(spec, {"weight": "f"}, "H")
