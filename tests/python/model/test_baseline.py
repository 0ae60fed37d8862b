"""The ZBL baseline itself: its constants, its smoothness, its radii."""

import numpy as np
import pytest
from lmlp.elements import symbol
from lmlp.errors import InvalidArgumentError, UnknownElementError
from lmlp.model.baseline import extended_baseline, make_zbl, parse_baseline

ALL = [symbol(z) for z in range(1, 97)]


def curve(elements, r, **options):
    """V and V' of the pair of the two elements (or of one with itself)."""
    baseline = parse_baseline(make_zbl(elements, 6.0, **options), elements, 6.0)
    return baseline.evaluate(np.zeros(len(r), int), np.full(len(r), len(elements) - 1), np.asarray(r))


def test_bare_repulsion_of_two_nuclei():
    # O–O at 0.4685 Å / (2·8^0.23) times 2: x = 2, φ = Σ c exp(−2 d), by hand from the published constants
    length = 0.4685 / (2 * 8**0.23)
    phi = (
        0.18175 * np.exp(-6.3996)
        + 0.50986 * np.exp(-1.88458)
        + 0.28022 * np.exp(-0.8058)
        + 0.02817 * np.exp(-0.40324)
    )
    expected = 14.399645478 * 64 / (2 * length) * phi
    near, far = (curve(["O"], [r], inner=4.9, outer=5.0)[0][0] for r in (2 * length, 3 * length))
    # below the inner radius only a constant comes on top, which a difference does not see
    bare_far = 14.399645478 * 64 / (3 * length)
    bare_far *= sum(
        c * np.exp(-3 * d)
        for c, d in zip((0.18175, 0.50986, 0.28022, 0.02817), (3.1998, 0.94229, 0.4029, 0.20162), strict=True)
    )
    assert near - far == pytest.approx(expected - bare_far, rel=1e-9)


def test_slope_is_the_derivative():
    r = np.linspace(0.1, 0.77, 60)
    h = 1e-5
    energy, slope = curve(["H", "O"], r)
    numerical = (curve(["H", "O"], r + h)[0] - curve(["H", "O"], r - h)[0]) / (2 * h)
    np.testing.assert_allclose(slope, numerical, rtol=1e-5, atol=1e-4)
    assert energy[0] > 100.0


def test_second_derivative_has_no_jump_and_all_ends_at_zero():
    inner, outer, h = 0.4, 0.8, 1e-6
    for end in (inner, outer):
        slopes = curve(["H", "O"], [end - 2 * h, end - h, end + h, end + 2 * h], inner=inner, outer=outer)[1]
        before, after = (slopes[1] - slopes[0]) / h, (slopes[3] - slopes[2]) / h
        scale = abs(curve(["H", "O"], [inner], inner=inner, outer=outer)[1][0]) / inner
        assert before == pytest.approx(after, abs=1e-3 * scale)
    at_end = curve(["H", "O"], [outer - 1e-9, outer, 1.0], inner=inner, outer=outer)
    np.testing.assert_allclose(at_end, 0.0, atol=1e-9)
    assert (np.array(at_end)[:, 1:] == 0.0).all()


def test_every_pair_of_elements_repels_all_the_way():
    baseline = parse_baseline(make_zbl(ALL, 6.0), ALL, 6.0)
    share = np.linspace(0.02, 0.999, 200)
    a, b = np.triu_indices(len(ALL))
    for x in share:
        energy, slope = baseline.evaluate(a, b, x * baseline.outer[a, b])
        assert (energy > 0.0).all()
        assert (slope < 0.0).all()
    light = a < 8
    energy, slope = baseline.evaluate(a, b, np.full(len(a), 0.3))
    # measured: 6.5 eV and −97 eV/Å (H–H) at least
    assert energy[light].min() > 6.0
    assert slope[light].max() < -90.0


def test_radii_by_default_by_hand_and_within_the_cutoff():
    block = make_zbl(["H", "O"], 6.0, pairs={"O-H": [0.3, 0.7]})
    assert block == {
        "type": "zbl",
        # 0.8 sums of the covalent radii 0.31 and 0.66 Å
        "pairs": {"H-H": [0.248, 0.496], "H-O": [0.3, 0.7], "O-O": [0.528, 1.056]},
    }
    assert make_zbl(["W"], 2.0)["pairs"] == {"W-W": [1.0, 2.0]}
    assert make_zbl(["H", "O"], 6.0, outer=1.2)["pairs"]["H-O"] == [0.6, 1.2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outer": 7.0}, r"H-H is \[3.5, 7\] Å.*cutoff of the descriptor \(6 Å\)"),
        ({"inner": 0.5, "outer": 0.5}, "0 <= inner < outer"),
        ({"inner": -0.1, "outer": 0.5}, "0 <= inner < outer"),
        ({"outer": float("nan")}, "0 <= inner < outer"),
        ({"pairs": {"H-C": [0.1, 0.2]}}, "C-H: write two of H, O"),
    ],
)
def test_impossible_radii_are_refused(options, message):
    with pytest.raises(InvalidArgumentError, match=message):
        make_zbl(["H", "O"], 6.0, **options)


def test_elements_without_covalent_radius_need_radii():
    with pytest.raises(UnknownElementError, match="Og: there are covalent radii of H to Cm only"):
        make_zbl(["H", "Og"], 6.0)
    assert make_zbl(["Og"], 6.0, outer=2.0)["pairs"] == {"Og-Og": [1.0, 2.0]}


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"type": "d3", "pairs": {}}, "type 'd3', this lmlp knows zbl"),
        ({"type": "zbl"}, "exactly the keys"),
        ({"type": "zbl", "pairs": {"H-H": [0.1, 0.2]}, "more": 1}, "exactly the keys"),
        ({"type": "zbl", "pairs": {"O-O": [0.1, 0.2]}}, "exactly the keys"),
        ({"type": "zbl", "pairs": {"H-H": 0.2}}, "not an inner and an outer radius"),
    ],
)
def test_broken_blocks_are_refused(block, message):
    with pytest.raises(InvalidArgumentError, match=message):
        parse_baseline(block, ["H"], 6.0)


def test_new_elements_get_radii_and_old_pairs_keep_theirs():
    own = make_zbl(["H", "O"], 6.0, pairs={"H-O": [0.3, 0.7]})
    more = extended_baseline(own, ["H", "O", "C"], 6.0)
    assert {k: v for k, v in more["pairs"].items() if "C" not in k} == own["pairs"]
    assert more["pairs"]["O-C"] == [0.568, 1.136]
    same = extended_baseline(make_zbl(["H", "O"], 6.0, inner=0.4, outer=0.9), ["H", "O", "C"], 6.0)
    assert same["pairs"]["O-C"] == [0.4, 0.9]
    assert extended_baseline(None, ["H"], 6.0) is None
