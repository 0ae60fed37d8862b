"""Presets: counts, pruning, and no useless column on real environments."""

from __future__ import annotations

import numpy as np
import pytest
from lmlp.descriptor.compute import Descriptor
from lmlp.descriptor.presets import make_data_preset, make_preset, preset_names
from lmlp.descriptor.pruning import prune
from lmlp.errors import InvalidArgumentError, UnknownElementError

from . import inputs

ORGANIC = ["H", "C", "N", "O"]


def count(name, elements, **options):
    return len(make_preset(name, elements, **options)["functions"])


def test_counts():
    assert preset_names() == ("eeacsf-153", "eeacsf-bump", "eeacsf-resolved", "eeacsf-correlation")
    assert count("eeacsf-153", ORGANIC) == 153
    assert count("eeacsf-153", ["H", "O"]) == 153
    assert count("eeacsf-bump", ORGANIC) == 139
    assert count("eeacsf-resolved", ORGANIC) == 228
    assert count("eeacsf-resolved", ORGANIC, channels="onehot") == 364
    assert count("eeacsf-resolved", ["H", "O"], channels="1ns", keep_all=True) == 228
    assert count("eeacsf-resolved", ["H", "O"]) == 122
    # one element: the weights are all the same up to a factor
    assert count("eeacsf-153", ["C"]) == 11 + 2 * 7


def test_cutoffs_tables_and_options():
    spec = make_preset("eeacsf-153", ["H", "O"], 6.35)
    assert (spec["cutoff"], spec["table"]) == (6.35, "h-xe")
    assert make_preset("eeacsf-153", ["U", "O"])["table"] == "h-og"
    assert make_preset("eeacsf-153", ["H", "O"], table="h-og")["table"] == "h-og"
    spec = make_preset("eeacsf-resolved", ORGANIC)
    assert (spec["cutoff"], spec["angular_cutoff"]) == (4.5, 4.0)
    shifts = sorted({row["shift"] for row in spec["functions"] if row["kind"] == "radial"})
    assert len(shifts) == 16
    assert (shifts[0], shifts[-1]) == (0.8, pytest.approx(4.2))
    # half a width from center to center: exp(-1/8) at the midpoint of two
    eta = spec["functions"][0]["eta"]
    assert np.exp(-eta * ((shifts[1] - shifts[0]) / 2) ** 2) == pytest.approx(np.exp(-1 / 8), rel=1e-6)
    assert make_preset("eeacsf-resolved", ORGANIC, 3.5)["cutoff"] == 3.5
    small = make_preset("eeacsf-resolved", ORGANIC, n_radial=4, n_angular=3, l_max=2, angular_cutoff=3.0)
    assert len(small["functions"]) == 4 * 3 + 3 * 3 * 6
    with pytest.raises(InvalidArgumentError, match="unknown preset 'x'; allowed are eeacsf-153"):
        make_preset("x", ORGANIC)
    with pytest.raises(InvalidArgumentError, match="eeacsf-153 has no option 'l_max'; allowed are table"):
        make_preset("eeacsf-153", ORGANIC, l_max=3)
    with pytest.raises(InvalidArgumentError, match="channels is 'x'; allowed are auto, 1ns, onehot"):
        make_preset("eeacsf-resolved", ORGANIC, channels="x")
    with pytest.raises(InvalidArgumentError, match="at least one element"):
        make_preset("eeacsf-153", [])
    with pytest.raises(UnknownElementError, match="U is not in table h-xe"):
        make_preset("eeacsf-153", ["U"], table="h-xe")


@pytest.mark.parametrize("name", ["eeacsf-resolved", "eeacsf-correlation"])
def test_functions_begin_below_the_shortest_distance(name):
    def first(elements=("Mo",), cutoff=None, **options):
        rows = make_preset(name, list(elements), cutoff, **options)["functions"]
        radial = min(row["shift"] for row in rows if row["kind"] == "radial")
        parts = [part for row in rows if row["kind"] != "radial" for part in row.get("factors", [row])]
        return radial, min(part["shift"] for part in parts)

    assert first() == (0.8, 0.9)
    assert first(shortest=1.883) == (1.75, 1.8)  # 1.733 Å, rounded; 1.8 Å: half of the angular range
    assert first(shortest=1.6) == (1.45, 1.55)
    # bonds of hydrogen: as without data
    assert first(shortest=0.94) == first(shortest=0.97) == (0.8, 0.9)
    assert first(shortest=0.1) == (0.3, 0.4)
    assert first(shortest=3.0) == (2.1, 1.8)
    assert first(shortest=3.0, cutoff=6.0, angular_cutoff=5.0) == (2.85, 2.3)
    # what is given wins; models that will learn other elements begin as without data
    assert first(shortest=1.883, r_min=1.2) == (1.2, 1.8)
    assert first(shortest=1.883, angular_r_min=1.2) == (1.75, 1.2)
    assert first(shortest=1.883, keep_all=True) == (0.8, 0.9)
    with pytest.raises(InvalidArgumentError, match="shortest distance in the data: 0"):
        first(shortest=0.0)


def test_presets_without_a_range_ignore_the_data():
    for name in preset_names():
        spec = make_data_preset(name, ["Mo"], None, {}, {})
        assert spec == make_preset(name, ["Mo"])
        changed = make_data_preset(name, ["Mo"], None, {"Mo-Mo": 1.9, "H-Mo": 1.6}, {}) != spec
        assert changed == (name in ("eeacsf-resolved", "eeacsf-correlation"))
    assert make_data_preset("eeacsf-resolved", ["Mo"], None, {"Mo-Mo": 1.9, "H-Mo": 1.6}, {}) == make_preset(
        "eeacsf-resolved", ["Mo"], shortest=1.6
    )


def test_d_block_elements_can_be_told_apart():
    for name in preset_names():
        spec = make_preset(name, ["Fe", "Co", "O", "H"])
        environments, _ = inputs.random_environments(1, [12], reach=3.0)
        descriptor = Descriptor(spec, ["Fe", "Co", "O", "H"])
        iron = descriptor.features(environments, np.zeros(12, dtype=np.int32))
        cobalt = descriptor.features(environments, np.ones(12, dtype=np.int32))
        assert np.abs(iron - cobalt).max() > 1e-2


@pytest.mark.parametrize("elements", [["C"], ["H", "O"], ORGANIC, ["Fe", "Co"], ["U", "Pu", "O"]], ids=str)
@pytest.mark.parametrize("name", preset_names())
def test_no_column_is_zero_or_a_copy(name, elements):
    spec = make_preset(name, elements)
    environments, species = inputs.random_environments(3, [25] * 60, len(elements), reach=5.9)
    columns = Descriptor(spec, elements).features(environments, species)
    spread = columns.std(axis=0)
    assert (spread > 0).all()
    unit = (columns - columns.mean(axis=0)) / spread
    overlap = np.abs(unit.T @ unit) / len(unit)
    np.fill_diagonal(overlap, 0)
    # exact copies (up to a factor) correlate to 1 - 1e-15
    assert overlap.max() < 1 - 1e-12


def test_prune_says_what_it_drops():
    rows = [{"kind": "radial", "weight": w, "eta": eta} for w in ("1", "n", "d", "6-n") for eta in (0.0, 0.1)]
    forms = {"radial": "gaussian_bump", "scaling": "sqrt", "table": "h-xe"}
    spec = {"type": "eeACSF", "cutoff": 6.0, **forms, "functions": rows}
    kept, dropped = prune(spec, ["C", "N"])
    assert [row["weight"] for row in kept["functions"]] == ["1", "1"]
    assert [d.index for d in dropped] == [2, 3, 4, 5, 6, 7]
    assert dropped[0].reason == "for C, N it copies function 0"
    assert dropped[1].reason == "for C, N it copies function 1"
    assert dropped[2].reason == "its weight is 0 for all of C, N"
    assert dropped[2].function["weight"] == "d"
    kept, dropped = prune(spec, ["H", "C"])
    assert [row["weight"] for row in kept["functions"]] == ["1", "1", "n", "n", "6-n", "6-n"]
