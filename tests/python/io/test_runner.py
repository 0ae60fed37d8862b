"""input.data of RuNNer and n2p2."""

import ase.units
import numpy as np
import pytest
from lmlp.errors import DataError, UnknownElementError
from lmlp.io import read_structures, write_structures
from lmlp.io.formats.runner import ANGSTROM_EV, looks_like_runner
from lmlp.structure import Structure

BLOCK = """begin
comment first of two
comment source_file_name=OUTCAR structure_number=7
lattice 10.0 0.0 0.0
lattice 0.0 12.0 0.0
lattice 1.0 0.0 14.0
atom 0.0 0.0 0.0 Zn 0.3 0.0 0.001 -0.002 0.003
atom 1.0 2.0 3.5 O -0.3 0.0 -0.001 0.002 -0.003
energy -1853.25
charge 1.0
end
"""
MOLECULE = """begin
atom 0.0 0.0 0.0 H 0.0 0.0 1.0D-3 0.0 0.0
atom 1.4 0.0 0.0 H 0.0 0.0 -1.0D-3 0.0 0.0
energy -1.17
charge 0.0
end
"""
# ase.units are CODATA 2014, ours 2018: relative differences of 1e-8
CODATA = 1e-7


def put(tmp_path, text, name="input.data"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_units_and_boundaries(tmp_path):
    path = put(tmp_path, BLOCK + MOLECULE)
    crystal, molecule = read_structures(path)
    assert [crystal.source, molecule.source] == [f"{path}:0", f"{path}:1"]
    assert crystal.numbers.tolist() == [30, 8]
    assert crystal.pbc.all()
    np.testing.assert_allclose(
        crystal.cell, ase.units.Bohr * np.array([[10, 0, 0], [0, 12, 0], [1, 0, 14]]), CODATA
    )
    np.testing.assert_allclose(crystal.positions[1], ase.units.Bohr * np.array([1.0, 2.0, 3.5]), CODATA)
    assert crystal.energy == pytest.approx(-1853.25 * ase.units.Hartree, rel=CODATA)
    expected = np.array([0.001, -0.002, 0.003]) * ase.units.Hartree / ase.units.Bohr
    np.testing.assert_allclose(crystal.forces[0], expected, CODATA)
    assert crystal.stress is None
    assert crystal.info["charge"] == 1.0
    assert crystal.info["comment"].startswith("first of two\nsource_file_name=OUTCAR")
    assert not molecule.pbc.any()
    assert not molecule.cell.any()
    assert molecule.forces[0, 0] == pytest.approx(1e-3 * ase.units.Hartree / ase.units.Bohr, rel=CODATA)


def test_other_units(tmp_path):
    crystal = read_structures(put(tmp_path, BLOCK), runner_units=ANGSTROM_EV)[0]
    assert crystal.energy == -1853.25
    assert crystal.positions[1].tolist() == [1.0, 2.0, 3.5]
    assert crystal.forces[0].tolist() == [0.001, -0.002, 0.003]


@pytest.mark.parametrize("name", ["input.data", "input.data.xz", "anything.txt", "structures"])
def test_found_by_its_first_line(tmp_path, name):
    import lzma

    text = "\n  Begin\n" + (BLOCK + MOLECULE).removeprefix("begin\n")
    path = tmp_path / name
    path.write_bytes(lzma.compress(text.encode()) if name.endswith(".xz") else text.encode())
    assert [len(s) for s in read_structures(path)] == [2, 2]
    assert [s.source for s in read_structures(f"{path}@1:")] == [f"{path}:1"]


def test_other_first_lines_are_left_to_other_readers():
    assert looks_like_runner(["  BEGIN  "])
    assert not any(looks_like_runner([line]) for line in ("", "begin data", "LAMMPS data file", "3"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("lattice 0.0 12.0 0.0\n", ""), r"frame 1 \(line 12\): 2 lattice lines"),
        (("-0.003\n", "\n"), r"frame 1 \(line 19\): atom with 8 entries, 9 are needed"),
        (("-1853.25", "-1853,25"), r"frame 1 \(line 20\): energy: not all of '-1853,25' are numbers"),
        (("charge 1.0\n", ""), None),  # RuNNer writes it, n2p2 does without
        (("charge", "spin"), r"unknown keyword 'spin'; there are begin, comment"),
        (("energy", "energy 1.0\nenergy"), r"a second energy"),
        (("charge 1.0\nend\n", "begin\n"), r"begin inside the structure of line 12"),
        (("\nend\n", "\n"), r"frame 1 \(line 12\) is truncated: begin without end"),
        (("begin", "beginn"), r"expected begin, found 'beginn'"),
        (("0.003\natom 1", "nan\natom 1"), r"input.data:1: forces of atom 0 is not finite"),
    ],
)
def test_bad_blocks_are_named(tmp_path, change, message):
    assert change[0] in BLOCK
    path = put(tmp_path, BLOCK + BLOCK.replace(*change, 1))
    if message is None:
        assert len(read_structures(path)) == 2
        return
    with pytest.raises(DataError, match=message):
        read_structures(path)


def test_a_file_without_atoms_or_elements(tmp_path):
    with pytest.raises(UnknownElementError, match=r"frame 0 \(line 7\): 'Xx' is no element"):
        read_structures(put(tmp_path, BLOCK.replace("Zn", "Xx")))
    with pytest.raises(DataError, match="no atoms"):
        read_structures(put(tmp_path, "begin\nenergy 1.0\nend\n"))


@pytest.mark.parametrize("cut", range(1, len(BLOCK), 7))
def test_a_cut_file_never_loses_a_frame_in_silence(tmp_path, cut):
    text = BLOCK + BLOCK[:cut]
    path = put(tmp_path, text)
    if not text[len(BLOCK) :].strip():
        return
    with pytest.raises((DataError, UnknownElementError), match="frame 1"):
        read_structures(path)


@pytest.mark.parametrize("name", ["out.data", "input.data.gz"])
def test_written_files_read_back(tmp_path, name):
    original = read_structures(put(tmp_path, BLOCK + MOLECULE))
    write_structures(tmp_path / name, original)
    for a, b in zip(original, read_structures(tmp_path / name), strict=True):
        assert a.numbers.tolist() == b.numbers.tolist()
        # one multiplication and one division: two roundings
        np.testing.assert_allclose(b.positions, a.positions, rtol=1e-15)
        np.testing.assert_allclose(b.cell, a.cell, rtol=1e-15)
        np.testing.assert_allclose(b.forces, a.forces, rtol=2e-15)
        assert b.energy == pytest.approx(a.energy, rel=1e-15)
        assert b.pbc.tolist() == a.pbc.tolist()
        assert b.info.get("charge") == a.info.get("charge")
        if "comment" in a.info:
            assert b.info["comment"] == a.info["comment"]


def test_what_the_format_cannot_hold_is_refused(tmp_path):
    whole = read_structures(put(tmp_path, BLOCK))[0]
    path = tmp_path / "out.data"
    for changes, message in (
        ({"forces": None}, "no forces"),
        ({"energy": None}, "no energy"),
        ({"pbc": np.array([True, True, False])}, "2 of three directions"),
    ):
        bad = Structure(**{**vars(whole), **changes})
        with pytest.raises(DataError, match=f"input.data:0: .*{message}"):
            write_structures(path, [whole, bad])
        assert not list(tmp_path.glob("out*"))
