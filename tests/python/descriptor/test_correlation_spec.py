"""Specs and presets with correlation functions: refusals, round trip, pruning."""

import copy

import numpy as np
import pytest
from lmlp.descriptor.compute import Descriptor
from lmlp.descriptor.correlation_preset import couplings, growing_centers, independent_channels
from lmlp.descriptor.presets import make_preset, prune
from lmlp.descriptor.spec import element_weights, normalize_spec
from lmlp.errors import InvalidArgumentError, UnknownElementError

from . import inputs
from .correlation_inputs import factor, make_spec
from .test_core_is_reference import compare


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
