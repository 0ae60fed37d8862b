"""The power law, n*, and sizes layer by layer."""

import numpy as np
import pytest
from lmlp.errors import InvalidArgumentError
from lmlp.near import (
    Architecture,
    NearData,
    PowerLaw,
    ScoreOptions,
    SizeOptions,
    estimate_sizes,
    fit_power_law,
)
from lmlp.near.score import layer_ranks

SIZES = (8, 16, 32, 64, 128)


def law(a: float, b: float, c: float) -> PowerLaw:
    return PowerLaw(a + b, b * c, c)


def coefficients(found: PowerLaw) -> tuple[float, float, float]:
    b = found.slope / found.exponent
    return found.level - b, b, found.exponent


@pytest.mark.parametrize(("b", "c"), [(0.9, -0.5), (0.7, -1.3), (-0.3, 0.2), (0.5, -3.0), (0.99, -0.01)])
def test_a_power_law_through_one_is_found_again(b: float, c: float) -> None:
    given = law(1.0 - b, b, c)
    found = fit_power_law(SIZES, given(np.array(SIZES)).tolist())
    # the exponent is found by golden section, to the square root of the rounding of the sum of squares
    assert found.exponent == pytest.approx(c, abs=1e-4)
    assert coefficients(found) == pytest.approx((1.0 - b, b, c), rel=1e-3, abs=1e-3)
    assert float(found(1.0)) == pytest.approx(1.0, abs=1e-6)


def test_agrees_with_a_general_fit() -> None:
    scipy = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(0)
    n = np.array([8, 16, 32, 48, 64, 96, 128, 192, 256], dtype=float)
    ratios = 0.1 + 0.9 * n**-0.4 + 0.01 * rng.normal(size=len(n))
    found = fit_power_law(n, ratios)
    popt, _ = scipy.curve_fit(
        lambda x, a, b, c: a + b * x**c, [1, *n], [1, *ratios], p0=(0, 1, -0.5), xtol=1e-12, ftol=1e-12
    )
    assert coefficients(found) == pytest.approx(tuple(popt), rel=1e-4)
    # the slope of the fit at n* is the threshold
    n_star = found.size(0.005)
    assert float(found(n_star - 0.5) - found(n_star + 0.5)) == pytest.approx(0.005, rel=1e-2)


def test_size_where_the_slope_is_the_threshold() -> None:
    a, b, c = 0.2, 0.8, -0.5
    n_star = law(a, b, c).size(0.005)
    assert n_star == pytest.approx((0.005 / abs(b * c)) ** (1 / (c - 1)), rel=1e-12)
    assert abs(b * c) * n_star ** (c - 1) == pytest.approx(0.005, rel=1e-12)
    assert law(a, b, c).size(0.005, "authors") == pytest.approx(0.005 ** (1 / (c - 1)), rel=1e-12)


def test_size_falls_with_the_threshold() -> None:
    for variant in ("slope", "authors"):
        sizes = [law(0.2, 0.8, -0.5).size(t, variant) for t in (0.001, 0.005, 0.01, 0.1)]
        assert sizes == sorted(sizes, reverse=True)


def test_logarithm_is_a_power_law_of_exponent_zero() -> None:
    given = PowerLaw(1.0, -0.15, 0.0)
    found = fit_power_law(SIZES, given(np.array(SIZES)).tolist())
    assert found.exponent == pytest.approx(0.0, abs=1e-4)
    assert given.size(0.005) == pytest.approx(0.15 / 0.005, rel=1e-12)
    assert found.size(0.005) == pytest.approx(30.0, rel=1e-3)


@pytest.mark.parametrize(
    ("sizes", "ratios"),
    [((8, 16), (0.5, 0.4)), ((8, 16, 16), (0.5, 0.4, 0.4)), ((8, 16, 32), (1, np.nan, 1))],
)
def test_refuses_too_few_points(sizes: tuple[int, ...], ratios: tuple[float, ...]) -> None:
    with pytest.raises(InvalidArgumentError, match="three different sizes"):
        fit_power_law(sizes, ratios)


@pytest.mark.parametrize(("threshold", "variant"), [(0.0, "slope"), (-1.0, "authors"), (0.01, "other")])
def test_refuses_threshold_and_variant(threshold: float, variant: str) -> None:
    with pytest.raises(InvalidArgumentError):
        law(0.2, 0.8, -0.5).size(threshold, variant)  # type: ignore[arg-type]


def make(n_informative: int, n: int = 300, elements: tuple[str, ...] = ("C",)) -> NearData:
    """Inputs of 40 columns that span few directions."""
    rng = np.random.default_rng(1)
    inputs = {e: rng.normal(size=(n, n_informative)) @ rng.normal(size=(n_informative, 40)) for e in elements}
    inputs = {e: x / x.std(axis=0) for e, x in inputs.items()}
    return NearData(inputs, {e: np.arange(n) for e in elements}, np.ones(n), None)


def test_first_layer_grows_with_the_directions_in_the_data() -> None:
    options = SizeOptions(n_layers=1, sizes=(8, 16, 32, 64), activation="identity")
    found = [estimate_sizes(make(k), options, ScoreOptions(4))[0].hidden[0] for k in (2, 5, 20)]
    assert found == sorted(found)
    assert found[0] < found[-1]


def test_layers_are_sized_one_after_the_other() -> None:
    data, scores = make(10, elements=("C", "H")), ScoreOptions(2)
    network, estimates = estimate_sizes(data, SizeOptions(sizes=(8, 16, 32, 64)), scores)
    assert [(e.layer, e.element) for e in estimates] == [(1, "C"), (1, "H"), (2, "C"), (2, "H")]
    for layer in (1, 2):
        largest = max(e.size for e in estimates if e.layer == layer)
        assert network.hidden[layer - 1] == round(largest)
    # the second layer was tried behind the first one's final size
    first = network.hidden[0]
    ranks = layer_ranks(Architecture((first, 16)), data, scores)["H"][-1]
    assert estimates[-1].ratios[1] == ranks.relative
    assert not estimates[0].extrapolated


def test_default_sizes_fit_the_rarest_element() -> None:
    data = make(10, n=70)
    _, (estimate,) = estimate_sizes(data, SizeOptions(n_layers=1), ScoreOptions(2))
    assert max(estimate.sizes) == 64
    with pytest.raises(InvalidArgumentError, match="71 units needs as many atoms of C, the data have 70"):
        estimate_sizes(data, SizeOptions(sizes=(8, 16, 71)), ScoreOptions(2))
    with pytest.raises(InvalidArgumentError, match="only 12 atoms of C"):
        estimate_sizes(make(10, n=12), SizeOptions(), ScoreOptions(2))
