"""Specs: what is refused, and how it is said."""

from __future__ import annotations

import copy

import pytest
from lmlp.descriptor.compute import Descriptor
from lmlp.descriptor.spec import element_weights, normalize_spec
from lmlp.errors import InvalidArgumentError, UnknownElementError

from . import inputs

GOOD = {
    "type": "eeACSF",
    "cutoff": 6.0,
    "radial": "gaussian_bump",
    "angular": "cos",
    "scaling": "sqrt",
    "table": "h-xe",
    "functions": [
        {"kind": "radial", "weight": "n", "eta": 0.1},
        {"kind": "angular", "weight": "s", "combine": "sum", "eta": 0.1, "lambda": 1, "zeta": 1, "xi": 4},
    ],
}


def changed(path, value):
    """GOOD with one entry replaced; a value of ... removes it."""
    spec = copy.deepcopy(GOOD)
    *parents, last = path
    target = spec
    for key in parents:
        target = target[key]
    if value is ...:
        del target[last]
    else:
        target[last] = value
    return spec


BAD = [
    (["cutof"], 5.0, r"descriptor: unknown key 'cutof'; allowed are type, cutoff, "),
    (["type"], "acsf", r"descriptor.type: 'acsf' is unknown; allowed are eeACSF, ACSF"),
    (["cutoff"], ..., r"descriptor: key 'cutoff' is missing"),
    (["cutoff"], "6", r"descriptor.cutoff: expected a number, given \"6\""),
    (["cutoff"], -1, r"descriptor.cutoff: given -1, allowed is more than 0"),
    (["angular_cutoff"], 6.5, r"descriptor.angular_cutoff: given 6.5, allowed is more than 0, at most .* 6"),
    (
        ["radial"],
        "gauss",
        r"descriptor.radial: 'gauss' is unknown; allowed are bump, gaussian_bump",
    ),
    (
        ["angular"],
        "cosine",
        r"angular: 'cosine' is unknown; allowed are cos_int, cos, bump, legendre",
    ),
    (["angular"], ..., r"key 'angular' is missing"),
    (["scaling"], "log", r"descriptor.scaling: 'log' is unknown; allowed are linear, sqrt, crss"),
    (["table"], "h-rn", r"descriptor.table: 'h-rn' is unknown; allowed are h-xe, h-og"),
    (["allow_nonsmooth"], 1, r"descriptor.allow_nonsmooth: expected true or false, given 1"),
    (["functions"], [], r"descriptor.functions: there must be at least one function"),
    (["functions"], {}, r"descriptor.functions: expected a list, given {}"),
    (["functions", 0], 3, r"descriptor.functions\[0\]: expected an object, given 3"),
    (["functions", 0, "kind"], "rad", r"functions\[0\].kind: 'rad' is unknown; allowed are radial, angular"),
    (["functions", 0, "eta"], ..., r"functions\[0\]: key 'eta' is missing"),
    (["functions", 0, "eta"], -0.1, r"functions\[0\].eta: given -0.1, allowed is 0 or more"),
    (
        ["functions", 0, "xi"],
        1,
        r"\[0\]: unknown key 'xi' for a radial .*allowed are kind, weight, eta",
    ),
    (["functions", 0, "shift"], 1.0, r"functions\[0\]: unknown key 'shift' .*gaussian_bump"),
    (
        ["functions", 0, "weight"],
        "q",
        r"functions\[0\].weight: unknown element property 'q': .* h-xe has 1, n, s",
    ),
    (
        ["functions", 1, "combine"],
        "max",
        r"functions\[1\].combine: 'max' is unknown; allowed are sum",
    ),
    (["functions", 1, "combine"], "product", r"functions\[1\]: key 'weight2' is missing"),
    (["functions", 1, "weight2"], "s", r"functions\[1\].weight2: only combine 'product'"),
    (["functions", 1, "lambda"], 0.5, r"functions\[1\].lambda: given 0.5, allowed is 1 or -1"),
    (["functions", 1, "zeta"], 0, r"functions\[1\].zeta: given 0, allowed is an integer from 1"),
    (["functions", 1, "zeta"], 1.5, r"functions\[1\].zeta: expected an integer, given 1.5"),
    (["functions", 1, "xi"], 2.5, r"functions\[1\].xi: given 2.5, allowed is an integer from 1"),
    (["functions", 1, "l"], 2, r"functions\[1\]: unknown key 'l' .*angular form cos; allowed are .*xi"),
]


@pytest.mark.parametrize(("path", "value", "message"), BAD, ids=lambda v: str(v)[:30])
def test_every_error_names_row_key_given_and_allowed(path, value, message):
    with pytest.raises(InvalidArgumentError, match=message):
        Descriptor(changed(path, value), ["H", "O"])


def test_not_plain_data():
    with pytest.raises(InvalidArgumentError, match="not plain JSON data"):
        normalize_spec(changed(["cutoff"], float("nan")))
    with pytest.raises(InvalidArgumentError, match="not plain JSON data"):
        normalize_spec(changed(["functions", 0, "eta"], object()))


def test_difference_of_ones_is_refused():
    spec = changed(["functions", 1, "weight"], "1")
    spec["functions"][1]["combine"] = "difference"
    with pytest.raises(InvalidArgumentError, match=r"functions\[1\].combine.*same as its sum"):
        normalize_spec(spec)


def test_bump_needs_eta():
    spec = {**GOOD, "radial": "bump", "functions": [{"kind": "radial", "weight": "1", "eta": 0}]}
    with pytest.raises(InvalidArgumentError, match=r"functions\[0\].eta: given 0, allowed is more than 0"):
        normalize_spec(spec)
    spec["functions"][0]["eta"] = 0.01
    with pytest.raises(InvalidArgumentError, match=r"functions\[0\].eta: given 0.01.*jumps.*allow_nonsmooth"):
        normalize_spec(spec)


def test_elements():
    with pytest.raises(UnknownElementError, match=r"U is not in table h-xe, which ends at Xe: use .*h-og"):
        Descriptor(GOOD, ["H", "U"])
    with pytest.raises(UnknownElementError, match="unknown element 'Xx'"):
        Descriptor(GOOD, ["H", "Xx"])
    with pytest.raises(InvalidArgumentError, match="element H is given twice"):
        Descriptor(GOOD, ["H", "O", "H"])
    with pytest.raises(InvalidArgumentError, match="at least one element"):
        Descriptor(GOOD, [])
    spec = inputs.make_element_spec(["H", "Br"])
    with pytest.raises(UnknownElementError, match=r"\[2\] selects element Br, but the model has only H, C"):
        Descriptor(spec, ["H", "C"])


@pytest.mark.parametrize("forms", inputs.all_forms(), ids="-".join)
def test_round_trip(forms):
    spec = normalize_spec(inputs.make_spec(*forms, angular_cutoff=4.0))
    assert normalize_spec(spec) == spec
    assert Descriptor(spec, inputs.ELEMENTS).spec == spec
    # numbers keep every bit
    assert spec["functions"][0]["eta"] == inputs.make_spec(*forms)["functions"][0]["eta"]


def test_weights_of_hand():
    rows = [
        {"kind": "radial", "weight": "s", "eta": 0.0},
        {"kind": "angular", "weight": "n", "combine": "sum"},
        {"kind": "angular", "weight": "s", "combine": "difference"},
        {"kind": "angular", "weight": "d", "combine": "difference"},
        {"kind": "angular", "weight": "n", "weight2": "s", "combine": "product"},
    ]
    rest = {"eta": 0.0, "lambda": 1, "zeta": 1, "xi": 1}
    spec = {**GOOD, "functions": [{**(rest if row["kind"] == "angular" else {}), **row} for row in rows]}
    got = element_weights(spec, ["H", "Fe"])  # pairs HH, HFe, FeFe; n 1 4, s 1 2, d 0 6
    expected = [
        [1 / 8, 2 / 8],
        [2 / 10, 5 / 10, 8 / 10],
        [1 / 8, 2 / 8, 1 / 8],
        [0.0, 7 / 10, 1 / 10],
        [1 / 40, (1 * 2 + 1 * 4) / 80, 8 / 40],
    ]
    for row, right in zip(got, expected, strict=True):
        assert row == pytest.approx(right, rel=1e-15)
    element_mode = {
        **GOOD,
        "type": "ACSF",
        "functions": [{**rest, "kind": "angular", "weight": "Fe", "weight2": "H"}],
    }
    del element_mode["table"]
    assert element_weights(element_mode, ["H", "Fe"]) == [[0.0, 2.0, 0.0]]
