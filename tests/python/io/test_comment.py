"""Entries and columns come out as they were written, to the last bit."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lmlp.errors import DataError
from lmlp.io import read_structures, write_structures
from lmlp.io.formats.comment import SPELLINGS, parse_value, split_pairs, value_text, write_pair
from lmlp.structure import Structure

TEXTS = [
    "007",
    "1_0",
    "1e5",
    "1E5",
    "1.50",
    "+3",
    "-0",
    "0.10",
    "00",
    "0x10",
    "inf",
    "-Infinity",
    "NaN",
    "nan",
    "1e999",
    "T",
    "F",
    "True",
    "false",
    "t",
    "99999999999999999999",
    "123456789012345678901234567890.0",
    "a-b",
    "Hund",
    "H2O",
    "1D3",
    "ünïcödé",
    "水",
]


def water(text, columns="", words=("", "", "")):
    return (
        f"3\nProperties=species:S:1:pos:R:3{columns} energy=-1.5 {text}\n"
        f"O 0 0 0 {words[0]}\nH 1 0 0 {words[1]}\nH 0 1 0 {words[2]}\n"
    )


@pytest.mark.parametrize("ending", ["xyz", "h5"])
@pytest.mark.parametrize("text", [*TEXTS, '"1 2  3"', '"0.10 2"', '"T F"', '"True F"', '""', '"a  b"'])
def test_texts_come_out_as_they_were_written(tmp_path, text, ending):
    if ending == "h5":
        pytest.importorskip("h5py")
    (tmp_path / "a.xyz").write_text(water(f"name={text} flag x=1"))
    first = read_structures(tmp_path / "a.xyz")
    write_structures(tmp_path / f"b.{ending}", first)
    second = read_structures(tmp_path / f"b.{ending}")
    write_structures(tmp_path / "c.xyz", second)
    line = (tmp_path / "c.xyz").read_text().splitlines()[1]
    assert f" name={text} flag x=1 " in line
    np.testing.assert_equal(second[0].info, first[0].info)


def test_what_only_looks_like_a_number_is_a_text():
    assert [parse_value(t) for t in ("007", "1_0", "00", "0x10", "1D3", "t")] == [
        "007",
        "1_0",
        "00",
        "0x10",
        "1D3",
        "t",
    ]
    assert [parse_value(t) for t in ("1e5", "-3", "1.", ".5", "T")] == [1e5, -3, 1.0, 0.5, True]
    assert parse_value("99999999999999999999") == 99999999999999999999


VALUES = st.one_of(
    st.text(max_size=12),
    st.sampled_from(TEXTS),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.lists(st.floats(), min_size=0, max_size=9).map(np.array),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=9).map(
        lambda v: np.array(v, dtype=np.int64)
    ),
    st.lists(st.booleans(), min_size=1, max_size=4).map(np.array),
    st.just(np.arange(9.0).reshape(3, 3) / 7),
    st.just(np.array([[1.5, -0.0, np.inf]])),
    st.lists(st.text("ab T1 ", max_size=4), min_size=1, max_size=3),
    st.dictionaries(st.text("ab", max_size=2), st.integers(), max_size=2),
)
KEYS = st.text(min_size=1, max_size=8).filter(
    lambda k: k.isprintable() and k.lower() not in ("lattice", "pbc", "properties")
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4))
def test_any_entry_reads_back(info):
    line = " ".join(write_pair(k, v, {}) for k, v in info.items())
    assert line.isprintable()
    found = {k: parse_value(t) for k, t in split_pairs(line).items()}
    assert list(found) == list(info)
    for key, value in info.items():
        np.testing.assert_equal(found[key], np.asarray(value) if isinstance(value, np.ndarray) else value)
        assert type(found[key]) is type(value) or isinstance(value, list | np.ndarray)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=20))
def test_any_line_is_written_as_it_was(text):
    """Whatever a line says: what is read from it is written so that the same is read again."""
    try:
        pairs = split_pairs(text)
        values = {k: parse_value(t) for k, t in pairs.items()}
    except ValueError:
        return
    spelled = {k: t for k, t in pairs.items() if t != value_text(values[k])}
    line = " ".join(write_pair(k, v, spelled) for k, v in values.items())
    assert split_pairs(line) == pairs


def test_a_changed_value_loses_its_spelling(tmp_path):
    (tmp_path / "a.xyz").write_text(water("name=1e5"))
    (s,) = read_structures(tmp_path / "a.xyz")
    assert s.info[SPELLINGS] == {"name": "1e5"}
    s.info["name"] = 7.0
    write_structures(tmp_path / "b.xyz", [s])
    assert " name=7.0 " in (tmp_path / "b.xyz").read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a=1 a=2", "a is given twice: '1' and '2'"),
        ("a=[1 a=[2", "not closed"),
        ('name="x y energy=2', "not closed"),
        ('lattice="1 0 0 0 1 0 0 0 1" Lattice="2 0 0 0 1 0 0 0 1"', "lattice and Lattice differ"),
        ('pbc="T T T" PBC="F F F"', "pbc and PBC differ"),
    ],
)
def test_lines_that_contradict_themselves(tmp_path, text, message):
    (tmp_path / "a.xyz").write_text(water(text))
    with pytest.raises(DataError, match=f"line 2.*{message}"):
        read_structures(tmp_path / "a.xyz")


@pytest.mark.parametrize("names", [("lattice", "properties", "PBC"), ("LATTICE", "PROPERTIES", "Pbc")])
def test_keys_of_the_format_in_any_case(tmp_path, names):
    lattice, properties, pbc = names
    path = tmp_path / "a.xyz"
    path.write_text(
        f'1\n{lattice}="4 0 0 0 4 0 0 0 4" {properties}=Species:s:1:Pos:r:3:Force:r:3 {pbc}="T T F" '
        "Energy=-1.5\nO 0 0 0 1 2 3\n"
    )
    (s,) = read_structures(path)
    assert s.cell.diagonal().tolist() == [4, 4, 4]
    assert s.pbc.tolist() == [True, True, False]
    assert (s.energy, s.forces.tolist()) == (-1.5, [[1, 2, 3]])
    path.write_text(path.read_text().replace(f'{pbc}="T T F"', ""))
    assert read_structures(path)[0].pbc.all()


COLUMNS = {
    "magmoms": np.array([0.5, -0.1, 1e-300]),
    "tags": np.array([1, -2, 2**62]),
    "fixed": np.array([True, False, True]),
    "names": np.array(["C1", "007", "T"]),
    "dipoles": np.array([[0.1, np.inf, -0.0], [1, 2, 3], [1 / 3, np.nan, 5e-324]]),
    "small": np.array([0.1, 0.2, 0.3], dtype=np.float32),
    "flags": np.array([[True, False], [False, False], [True, True]]),
    "große": np.array([1, 2, 3]),
}


def with_columns(columns):
    return Structure(
        numbers=np.array([8, 1, 1], dtype=np.int32),
        positions=np.eye(3),
        cell=np.zeros((3, 3)),
        pbc=np.zeros(3, dtype=bool),
        energy=-1.0,
        forces=np.eye(3),
        columns=columns,
    )


@pytest.mark.parametrize("name", ["a.xyz", "a.xyz.gz", "a.h5"])
def test_columns_are_kept(tmp_path, name):
    if name.endswith("h5"):
        pytest.importorskip("h5py")
    some = dict(list(COLUMNS.items())[:3])
    others = {"magmoms": np.ones((3, 3))}  # another shape under the same name
    written = [with_columns(c) for c in (COLUMNS, {}, some, others)]
    write_structures(tmp_path / name, written)
    for a, b in zip(written, read_structures(tmp_path / name), strict=True):
        assert list(a.columns) == list(b.columns)
        for key, column in a.columns.items():
            np.testing.assert_array_equal(b.columns[key], column)
            assert b.columns[key].dtype.kind == column.dtype.kind
        np.testing.assert_array_equal(a.forces, b.forces)


def test_a_column_of_numbers_too_large_stays_text(tmp_path):
    (tmp_path / "a.xyz").write_text(water("", ":id:I:1", ("99999999999999999999", "1", "2")))
    s = read_structures(tmp_path / "a.xyz")
    assert s[0].columns["id"].tolist() == ["99999999999999999999", "1", "2"]
    write_structures(tmp_path / "b.xyz", s)
    assert "99999999999999999999" in (tmp_path / "b.xyz").read_text()


def test_masks_per_direction_are_kept(tmp_path):
    words = ("T T T", "T F T", "F F F")
    (tmp_path / "a.xyz").write_text(water("", ":move_mask:L:3", words))
    s = read_structures(tmp_path / "a.xyz")
    assert s[0].info["constrained_atoms"] == [1, 2]
    write_structures(tmp_path / "b.xyz", s)
    assert [line.split()[-3:] for line in (tmp_path / "b.xyz").read_text().splitlines()[2:]] == [
        w.split() for w in words
    ]


def test_types_of_entries_survive_hdf5(tmp_path):
    pytest.importorskip("h5py")
    info = {
        "vector": np.array([1.0, 2.0]),
        "ints": np.array([1, 2], dtype=np.int32),
        "matrix": np.arange(9.0).reshape(3, 3),
        "one": np.array([0.5]),
        "words": np.array(["a", "b c"]),
        "list": [1, "b", None],
        "nested": {"a": np.array([True])},
        "text": "",
    }
    write_structures(tmp_path / "a.h5", [dataclasses.replace(with_columns({}), info=info)])
    found = read_structures(tmp_path / "a.h5")[0].info
    for key, value in info.items():
        np.testing.assert_equal(found[key], value)
        assert type(found[key]) is type(value)
    assert found["ints"].dtype == np.int32
