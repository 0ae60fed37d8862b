import bz2
import gzip
import io
import lzma

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms, FixCartesian
from hypothesis import given, settings
from hypothesis import strategies as st
from lmlp.errors import DataError, GeometryError, UnknownElementError
from lmlp.io import read_structures, write_structures
from lmlp.io.formats.comment import parse_value, split_pairs

WATER = """3
Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.5 config_type=w pbc="F F F"
O 0.0 0.0 0.0 0.1 0.2 0.3
H 0.9 0.0 0.0 -0.1 0.0 0.0
H 0.0 0.9 0.0 0.0 -0.2 -0.3
"""


def put(tmp_path, text, name="data.xyz"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_reads_labels_and_the_rest(tmp_path):
    path = put(tmp_path, WATER * 3)
    structures = read_structures(path)
    assert [s.source for s in structures] == [f"{path}:{n}" for n in range(3)]
    first = structures[0]
    assert first.numbers.tolist() == [8, 1, 1]
    assert first.numbers.dtype == np.int32
    assert first.energy == -1.5
    assert first.forces[0].tolist() == [0.1, 0.2, 0.3]
    assert first.stress is None
    assert not first.pbc.any()
    assert first.info == {"config_type": "w", "label_keys": {"energy": "energy", "forces": "forces"}}


@pytest.mark.parametrize(("suffix", "module"), [(".xz", lzma), (".gz", gzip), (".bz2", bz2)])
def test_compressed(tmp_path, suffix, module):
    path = tmp_path / f"data.xyz{suffix}"
    content = module.compress((WATER * 20).encode())
    path.write_bytes(content)
    assert len(read_structures(path)) == 20
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"data\.xyz.*truncated or damaged"):
        read_structures(path)


def test_compressed_file_of_another_format(tmp_path):
    atoms = molecule("CH3OH")
    atoms.calc = SinglePointCalculator(atoms, energy=-3.25, forces=np.full((6, 3), 0.5))
    ase.io.write(tmp_path / "a.json", atoms)
    (tmp_path / "a.json.xz").write_bytes(lzma.compress((tmp_path / "a.json").read_bytes()))
    (one,) = read_structures(tmp_path / "a.json.xz")
    assert one.energy == -3.25
    assert (one.forces == 0.5).all()


@pytest.mark.parametrize(
    ("index", "expected"),
    [("@2", [2]), ("@-1", [4]), ("@1:3", [1, 2]), ("@::2", [0, 2, 4]), ("@:", range(5)), ("@-2:", [3, 4])],
)
def test_index(tmp_path, index, expected):
    text = "".join(WATER.replace("energy=-1.5", f"energy={n}") for n in range(5))
    path = put(tmp_path, text)
    structures = read_structures(f"{path}{index}")
    assert [s.energy for s in structures] == list(expected)
    assert [s.source for s in structures] == [f"{path}:{n}" for n in expected]


def test_several_files_keep_their_order(tmp_path):
    a, b = put(tmp_path, WATER, "a.xyz"), put(tmp_path, WATER * 2, "b@1.xyz")
    assert [s.source for s in read_structures([b, a])] == [f"{b}:0", f"{b}:1", f"{a}:0"]


def test_selection_without_frames(tmp_path):
    with pytest.raises(DataError, match="holds no frame"):
        read_structures(f"{put(tmp_path, WATER)}@7")


def same_as_ase(path):
    expected = ase.io.read(path, ":", format="extxyz")
    structures = read_structures(path)
    assert len(structures) == len(expected)
    for ours, theirs in zip(structures, expected, strict=True):
        np.testing.assert_array_equal(ours.numbers, theirs.numbers)
        np.testing.assert_array_equal(ours.positions, theirs.positions)
        np.testing.assert_array_equal(ours.cell, theirs.cell[:])
        np.testing.assert_array_equal(ours.pbc, theirs.pbc)
        assert ours.energy == theirs.calc.results["energy"]
        np.testing.assert_array_equal(ours.forces, theirs.calc.results["forces"])
        if "stress" in theirs.calc.results:
            # reads the same numbers; averaging the off-diagonal pairs may round once
            np.testing.assert_allclose(ours.stress, theirs.get_stress(voigt=False), rtol=0, atol=1e-15)


@pytest.mark.parametrize("name", ["organic_train", "organic_test", "alloy_train", "alloy_test"])
def test_public_files_as_ase_reads_them(data_folder, name):
    same_as_ase(data_folder / "tiny" / f"{name}.xyz")


def test_public_isolated_atoms(data_folder):
    atoms = read_structures(data_folder / "tiny" / "organic_iso_atoms.xyz")
    assert [len(a) for a in atoms] == [1, 1, 1, 1]
    assert all(a.energy is not None and a.forces is None for a in atoms)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.text("abcXYZ_09-", min_size=1).filter(lambda k: k.lower() != "uid"),
        st.one_of(
            st.integers(-(10**9), 10**9),
            st.floats(allow_nan=False, allow_infinity=False),
            st.booleans(),
            st.text("ab cT1,.=\"'{}[]", min_size=1),
            st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=5).map(np.array),
        ),
        min_size=1,
    )
)
def test_comment_lines_as_ase_reads_them(info):
    from ase.io.extxyz import key_val_dict_to_str, key_val_str_to_dict

    line = key_val_dict_to_str(info)
    try:
        expected = key_val_str_to_dict(line)
    except Exception:  # ASE writes lines that it cannot read, e.g. for an unclosed bracket
        return
    found = {key: parse_value(text) for key, text in split_pairs(line).items()}
    assert list(found) == list(expected)
    for key, value in expected.items():
        np.testing.assert_array_equal(np.asarray(found[key]), np.asarray(value))


def test_other_formats_go_through_ase(tmp_path):
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=1)
    atoms.set_constraint(FixAtoms([0, 2]))
    atoms.calc = EMT()
    raw = atoms.get_forces(apply_constraint=False)
    atoms.get_stress()
    ase.io.write(tmp_path / "run.traj", [atoms, atoms])
    structures = read_structures(tmp_path / "run.traj")
    assert [s.source for s in structures] == [f"{tmp_path / 'run.traj'}:{n}" for n in (0, 1)]
    assert np.abs(raw[0]).max() > 0.1
    np.testing.assert_array_equal(structures[0].forces, raw)
    np.testing.assert_allclose(structures[0].stress, atoms.get_stress(voigt=False), atol=1e-15)
    assert structures[0].info["constrained_atoms"] == [0, 2]


def test_constrained_atoms_of_extxyz_keep_their_forces(tmp_path):
    atoms = molecule("H2O")
    forces = np.arange(9.0).reshape(3, 3) + 1
    atoms.calc = SinglePointCalculator(atoms, energy=1.0, forces=forces)
    for constraint in (FixAtoms([1]), FixCartesian(1, mask=[True, False, False])):
        atoms.set_constraint(constraint)
        columns = ["symbols", "positions", "forces", "move_mask"]
        ase.io.write(tmp_path / "c.xyz", atoms, format="extxyz", columns=columns)
        (one,) = read_structures(tmp_path / "c.xyz")
        np.testing.assert_array_equal(one.forces, forces)
        assert one.info["constrained_atoms"] == [1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("\n\n", "no frame in the file"),
        (WATER * 2 + WATER[: WATER.rindex("H")], r"frame 2 \(line 11\) is truncated: 2 of 3 atom lines"),
        (WATER + "3\n", r"frame 1 \(line 6\) is truncated: 0 of 3"),
        (WATER + WATER[:-12], r"frame 1 \(line 10\): 5 columns, Properties name 7"),
        (WATER + WATER[:-2], r"frame 1 \(line 10\): the file ends in the middle of a number: '-0.'"),
        (WATER + "three\n", r"frame 1 \(line 6\): expected the number of atoms, found 'three'"),
        (WATER + "0\n\n", r"frame 1 \(line 6\): a frame of 0 atoms"),
        (WATER.replace("0.9 0.0", "0,9 0.0"), r"frame 0 \(line 4\): pos of atom 1: '0,9' is not a number"),
        (WATER.replace("energy=-1.5", "energy=low"), r":0: energy='low' is not numeric"),
        (WATER.replace("energy=-1.5", "energy=nan"), r":0: energy is not finite"),
        (WATER.replace("0.9 0.0", "nan 0.0"), r":0: position of atom 1 is not finite"),
        (WATER * 2 + WATER.replace(" -0.3", " inf"), r":2: forces of atom 2 is not finite"),
        (WATER.replace("forces:R:3", "forces:R:2:q:R:1"), r"forces has shape \[3, 2\], not \[3, 3\]"),
        (WATER.replace("forces:R:3", "forces:R:x"), r"bad comment line"),
        (WATER.replace("Properties", 'Lattice="1 2 3" Properties'), r"Lattice has 3 numbers"),
        (WATER.replace("F F F", "T maybe F"), r"pbc="),
    ],
)
def test_bad_files(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_structures(put(tmp_path, text))


@pytest.mark.parametrize("cut", range(1, len(WATER)))
def test_a_file_cut_anywhere_never_loses_a_frame_in_silence(tmp_path, cut):
    """Whatever the cut, there is an error, or it took no more than the last line break."""
    path = put(tmp_path, WATER + WATER[:cut])
    try:
        structures = read_structures(path)
    except (DataError, UnknownElementError):
        return
    assert len(structures) == 2
    assert cut == len(WATER) - 1


def test_blank_lines_between_frames_lose_nothing(tmp_path):
    assert len(read_structures(put(tmp_path, "\n" + WATER + "\n\n" + WATER + "\n"))) == 2


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"none\.xyz: no such file"):
        read_structures(tmp_path / "none.xyz")
    with pytest.raises(DataError, match="is a folder"):
        read_structures(tmp_path)
    with pytest.raises(DataError, match="no data file"):
        read_structures([])


def test_files_that_are_no_data(tmp_path):
    with pytest.raises(DataError, match=r"notes\.txt"):
        read_structures(put(tmp_path, "hello\n", "notes.txt"))
    with pytest.raises(DataError, match=r"broken\.traj"):
        read_structures(put(tmp_path, "hello\n", "broken.traj"))


def test_unknown_elements(tmp_path):
    with pytest.raises(UnknownElementError, match=r"frame 0 \(line 3\): atom 0 is 'Q'"):
        read_structures(put(tmp_path, WATER.replace("O 0.0", "Q 0.0")))
    numbers = WATER.replace("species:S", "Z:I").replace("O ", "8 ").replace("H ", "1 ")
    assert read_structures(put(tmp_path, numbers))[0].numbers.tolist() == [8, 1, 1]
    with pytest.raises(UnknownElementError, match="atomic number 0"):
        read_structures(put(tmp_path, numbers.replace("8 0.0", "0 0.0")))


def test_periodic_without_a_cell(tmp_path):
    with pytest.raises(GeometryError, match="cell vectors have lengths"):
        read_structures(put(tmp_path, WATER.replace("F F F", "T F F")))
    flat = WATER.replace("Properties", 'Lattice="1 0 0 2 0 0 0 0 1" Properties').replace("F F F", "T T T")
    with pytest.raises(GeometryError, match="linearly dependent"):
        read_structures(put(tmp_path, flat))


@pytest.mark.parametrize("suffix", ["", ".xz", ".gz", ".bz2"])
def test_written_files_read_back_bit_by_bit(tmp_path, suffix):
    rng = np.random.default_rng(1)
    atoms = Atoms("CHO", rng.normal(size=(3, 3)), cell=rng.normal(size=(3, 3)) + 5 * np.eye(3), pbc=[1, 0, 1])
    atoms.info = {
        "note": 'a "quoted" text',
        "list": [1, "b"],
        "n": 3,
        "vector": rng.normal(size=4),
        "flag": True,
    }
    atoms.calc = SinglePointCalculator(
        atoms, energy=rng.normal(), forces=rng.normal(size=(3, 3)), stress=rng.normal(size=6)
    )
    atoms.set_constraint(FixAtoms([2]))
    buffer = tmp_path / "in.traj"
    ase.io.write(buffer, atoms)
    (before,) = read_structures(buffer)
    write_structures(tmp_path / f"out.xyz{suffix}", [before, before])
    assert not list(tmp_path.glob("*.tmp"))
    after, _ = read_structures(tmp_path / f"out.xyz{suffix}")
    for name in ("numbers", "positions", "cell", "pbc", "energy", "forces", "stress"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    assert after.info["constrained_atoms"] == [2]
    assert after.info["note"] == 'a "quoted" text'
    np.testing.assert_array_equal(after.info["vector"], atoms.info["vector"])
    if not suffix:
        same_as_ase(tmp_path / "out.xyz")


def test_write_refuses_other_names(tmp_path):
    with pytest.raises(DataError, match=r"written as \.xyz"):
        write_structures(tmp_path / "out.cif", [])
    with pytest.raises(DataError, match="no structure"):
        write_structures(tmp_path / "out.xyz", [])


def test_text_stream_is_never_sought(tmp_path, monkeypatch):
    """Seeking back in an .xz stream starts over and makes reading quadratic."""
    path = tmp_path / "data.xyz.xz"
    path.write_bytes(lzma.compress((WATER * 3).encode()))

    def refuse(*_):
        raise io.UnsupportedOperation("seek")

    monkeypatch.setattr(lzma.LZMAFile, "seek", refuse)
    assert len(read_structures(path)) == 3
