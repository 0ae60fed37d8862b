"""Elements and element tables."""

from __future__ import annotations

import pytest
from lmlp import _core
from lmlp.elements import atomic_number, default_table, element_table, symbol
from lmlp.errors import InvalidArgumentError, UnknownElementError


def test_symbols():
    assert [symbol(z) for z in (1, 6, 26, 54, 57, 71, 92, 118)] == [
        "H",
        "C",
        "Fe",
        "Xe",
        "La",
        "Lu",
        "U",
        "Og",
    ]
    assert [atomic_number(symbol(z)) for z in range(1, 119)] == list(range(1, 119))
    ase_data = pytest.importorskip("ase.data")
    assert [symbol(z) for z in range(1, 119)] == ase_data.chemical_symbols[1:119]
    for bad in ("", "h", "Xx", "He "):
        with pytest.raises(UnknownElementError, match="unknown element"):
            atomic_number(bad)
    for z in (0, 119, -1):
        with pytest.raises(UnknownElementError, match=f"unknown atomic number {z}: expected 1 to 118"):
            symbol(z)


def test_light_table():
    table = element_table("h-xe")
    assert table["properties"] == ["1", "n", "s", "d", "6-n", "9-s", "11-d"]
    assert table["maxima"] == [1, 5, 8, 10, 5, 8, 10]
    values = table["values"]
    assert len(values) == 54
    # published examples
    assert values["H"] == (1, 1, 1, 0, 5, 8, 0)
    assert values["C"] == (1, 2, 4, 0, 4, 5, 0)
    assert values["Fe"] == (1, 4, 2, 6, 2, 7, 5)
    assert values["I"] == (1, 5, 7, 0, 1, 2, 0)
    assert values["He"] == (1, 1, 8, 0, 5, 1, 0)
    assert [values[e][3] for e in ("Ca", "Sc", "Zn", "Ga", "Y", "Cd", "In")] == [0, 1, 10, 0, 1, 10, 0]
    assert [values[e][2] for e in ("Na", "Mg", "Al", "Ar", "Sc", "Zn", "Ga", "Xe")] == [
        1,
        2,
        3,
        8,
        2,
        2,
        3,
        8,
    ]


def test_full_table():
    table = element_table("h-og")
    assert table["properties"] == ["1", "n", "s", "d", "f", "8-n", "9-s", "11-d", "15-f"]
    assert table["maxima"] == [1, 7, 8, 10, 14, 7, 8, 10, 14]
    values = table["values"]
    assert len(values) == 118
    assert values["H"] == (1, 1, 1, 0, 0, 7, 8, 0, 0)
    assert values["La"] == (1, 6, 2, 0, 1, 2, 7, 0, 14)
    assert values["Yb"] == (1, 6, 2, 0, 14, 2, 7, 0, 1)
    assert values["Lu"] == (1, 6, 2, 1, 0, 2, 7, 10, 0)
    assert values["Hg"] == (1, 6, 2, 10, 0, 2, 7, 1, 0)
    assert values["Tl"] == (1, 6, 3, 0, 0, 2, 6, 0, 0)
    assert values["No"] == (1, 7, 2, 0, 14, 1, 7, 0, 1)
    assert values["Lr"] == (1, 7, 2, 1, 0, 1, 7, 10, 0)
    assert values["Og"] == (1, 7, 8, 0, 0, 1, 1, 0, 0)
    for element, row in values.items():
        assert all(0 <= h <= m for h, m in zip(row, table["maxima"], strict=True)), element
    # no two elements are alike in either table
    for name in _core.element_table_names():
        rows = element_table(name)["values"].values()
        assert len(set(rows)) == len(rows)


def test_choice_of_table():
    assert list(_core.element_table_names()) == ["h-xe", "h-og"]
    assert default_table(["H", "Xe"]) == "h-xe"
    assert default_table(["H", "Cs"]) == "h-og"
    with pytest.raises(UnknownElementError):
        default_table(["Q"])
    with pytest.raises(InvalidArgumentError, match="unknown element table 'x': expected one of h-xe, h-og"):
        element_table("x")
