"""Files are known by what is in them; what is asked of them has an effect or is refused."""

import lzma

import numpy as np
import pytest
from lmlp.errors import DataError, InvalidArgumentError, UnknownElementError
from lmlp.io import DataKeys, read_structures
from lmlp.io.formats.runner import ANGSTROM_EV
from lmlp.io.keys import lookalikes

RUNNER = "begin\natom 0 0 0 H 0 0 1 0 0\natom 0 0 1 H 0 0 -1 0 0\nenergy -2.5\ncharge 0\nend\n"
XYZ = "2\nProperties=species:S:1:pos:R:3:forces:R:3 energy=-2.5\nH 0 0 0 1 0 0\nH 0 0 1 -1 0 0\n"


def put(tmp_path, text, name="data.xyz", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("name", ["input.data", "input.data.xz", "structures", "n2p2.txt", "wrong.xyz"])
@pytest.mark.parametrize(
    "text",
    [
        "# written by a script\n" + RUNNER,
        "! of Fortran\n\n" + RUNNER,
        "comment before the first structure\n" + RUNNER,
        "\n\n  \n" + RUNNER,
        "\ufeff" + RUNNER,
        "\ufeff# both\r\n" + RUNNER.replace("\n", "\r\n"),
        RUNNER.replace("begin", "  BEGIN  ").replace("energy", "# a remark inside\nenergy"),
        RUNNER + "# at the end\ncomment too\n",
        "# long\n" * 3000 + RUNNER,
    ],
)
def test_units_of_input_data_take_effect_whatever_comes_first(tmp_path, name, text):
    path = put(tmp_path, text, name)
    if name.endswith(".xz"):
        path.write_bytes(lzma.compress(path.read_bytes()))
    (s,) = read_structures(path, runner_units=ANGSTROM_EV)
    assert s.energy == -2.5
    assert s.positions[1].tolist() == [0, 0, 1]
    assert read_structures(path)[0].energy == pytest.approx(-2.5 * 27.2114, rel=1e-5)


def test_units_of_input_data_without_effect_are_refused(tmp_path):
    path = put(tmp_path, XYZ)
    with pytest.raises(InvalidArgumentError, match=r"no effect: .*data\.xyz is of another format"):
        read_structures(path, runner_units=ANGSTROM_EV)
    other = put(tmp_path, RUNNER, "input.data")
    assert len(read_structures([path, other], runner_units=ANGSTROM_EV)) == 2


@pytest.mark.parametrize(
    "name", ["a.xyz", "a.extxyz", "a.txt", "a.dat", "a", "a.out", "a.txt.xz", "a.csv", "a.XYZ"]
)
@pytest.mark.parametrize(
    "text", [XYZ, "\ufeff" + XYZ, XYZ.replace("\n", "\r\n"), XYZ.replace("Properties", "properties")]
)
def test_extended_xyz_is_known_by_its_content(tmp_path, name, text):
    path = put(tmp_path, text, name)
    if name.endswith(".xz"):
        path.write_bytes(lzma.compress(path.read_bytes()))
    (s,) = read_structures(path)
    assert s.energy == -2.5
    assert s.forces[0].tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.txt", "hello\nworld\n"), ("a.foo", "3\nx\n"), ("notes", "hello\n"), ("a.txt.xz", "hello\n")],
)
def test_other_texts_are_refused_with_what_is_possible(tmp_path, name, text):
    path = put(tmp_path, text, name)
    if name.endswith(".xz"):
        path.write_bytes(lzma.compress(path.read_bytes()))
    with pytest.raises(DataError, match=r"unknown file format.*\.xyz and \.extxyz"):
        read_structures(path)


@pytest.mark.parametrize(
    ("encoding", "message"),
    [("utf-16", "UTF-16 text; save it as UTF-8"), ("latin-1", "not a text file in UTF-8")],
)
def test_other_encodings_are_named(tmp_path, encoding, message):
    text = XYZ.replace("energy", "name=\xe9 energy")
    with pytest.raises(DataError, match=message):
        read_structures(put(tmp_path, text, encoding=encoding))


@pytest.mark.parametrize(
    "selection",
    ["@::0", "@0:1:0", "@-:", "@abc", "@1.5", "@1:2:3:4", "@5-7", "@1,2", "@99999999999999999999", "@"],
)
def test_selections_that_are_none(tmp_path, selection):
    path = put(tmp_path, XYZ * 3)
    with pytest.raises(DataError, match=r"data\.xyz@.*(selects no frames|step of @.* is 0|no such file)"):
        read_structures(f"{path}{selection}")


def test_a_name_with_an_at_sign_is_a_name(tmp_path):
    assert len(read_structures(put(tmp_path, XYZ, "run@::0.xyz"))) == 1
    assert len(read_structures(put(tmp_path, XYZ, "a@b.xyz"))) == 1
    with pytest.raises(DataError, match="no such file"):
        read_structures(tmp_path / "other@b.xyz")


NUMBERS = XYZ.replace("H ", "1 ")


@pytest.mark.parametrize("species", ["species:I:1", "Species:i:1", "Z:I:1", "z:I:1"])
def test_atomic_numbers(tmp_path, species):
    s = read_structures(put(tmp_path, NUMBERS.replace("species:S:1", species)))[0]
    assert s.numbers.tolist() == [1, 1]
    assert s.numbers.dtype == np.int32
    with pytest.raises(UnknownElementError, match="atomic number 999"):
        read_structures(
            put(tmp_path, NUMBERS.replace("species:S:1", species).replace("1 0 0 0 1", "999 0 0 0 1"))
        )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("species:S:1", "species:L:1", "species of atom 0: 'H' is neither"),
        ("species:S:1:pos:R:3", "species:S:2:pos:R:2", "species in Properties must be"),
        ("species:S:1", "Z:L:1", "Z of atom 0"),
        ("species:S:1", "name:S:1", "neither species nor Z"),
        ("pos:R:3", "pos:S:3", "must be pos:R:3"),
        ("pos:R:3", "pos:R:1:b:R:2", "must be pos:R:3"),
        ("pos:R:3", "pos:L:3", "pos of atom 0: '0' is neither T nor F"),
        ("forces:R:3", "pos:R:3", "Properties name pos twice"),
        ("forces:R:3", "POS:R:3", "Properties name pos twice"),
        ("forces:R:3", "forces:R:99999999999", "columns at least 1"),
        ("forces:R:3", "forces:R:-3", "columns at least 1"),
        ("forces:R:3", "forces:R:3_0", "columns at least 1"),
        ("forces:R:3", "forces:X:3", "types are R, I, S, L"),
        ("forces:R:3", "forces", "not a list of name:type:columns"),
        ("Properties=species:S:1:pos:R:3:forces:R:3", "Properties", "7 columns, Properties name 4"),
        ("forces:R:3", "move_mask:R:3", "move_mask in Properties"),
        ("2\n", "99999999999999999999999999\n", "is truncated: 2 of 9999"),
        ("2\n", "9" * 5000 + "\n", "expected the number of atoms"),
        ("2\n", "2_0\n", "expected the number of atoms"),
        ("2\n", "-2\n", "expected the number of atoms"),
        ("0 0 1 -1", "0 0 1_0 -1", "pos of atom 1: '1_0' is not a number"),
    ],
)
def test_malformed_files_are_named(tmp_path, old, new, message):
    assert old in XYZ
    with pytest.raises(DataError, match=message):
        read_structures(put(tmp_path, XYZ.replace(old, new, 1)))


def test_a_column_z_beside_species_is_a_column(tmp_path):
    (s,) = read_structures(
        put(tmp_path, XYZ.replace("forces:R:3", "forces:R:2:z:R:1")), DataKeys(forces="none")
    )
    assert s.columns["z"].tolist() == [0, 0]
    assert s.numbers.tolist() == [1, 1]


def test_species_and_numbers_must_agree(tmp_path):
    text = "1\nProperties=species:S:1:Z:I:1:pos:R:3 energy=1\nH 2 0 0 0\n"
    with pytest.raises(DataError, match="species and Z of atom 0 are different"):
        read_structures(put(tmp_path, text))
    assert read_structures(put(tmp_path, text.replace("H 2", "H 1")))[0].numbers.tolist() == [1]


CELL = 'Lattice="2 0 0 0 4 0 0 0 5" pbc="T T T" '


@pytest.mark.parametrize("keys", [DataKeys(stress="none"), DataKeys(stress="none", virial="none")])
@pytest.mark.parametrize("label", ["virial", "stress", "virials"])
def test_no_stress_is_no_virial(tmp_path, keys, label):
    path = put(tmp_path, XYZ.replace("energy", f'{CELL}{label}="1 0 0 0 1 0 0 0 1" energy'))
    assert read_structures(path)[0].stress is not None
    assert read_structures(path, keys)[0].stress is None
    if label == "virial":
        assert read_structures(path, DataKeys(stress="none", virial="virial"))[0].stress[
            0, 0
        ] == pytest.approx(-1 / 40)


def test_one_stress_in_two_shapes(tmp_path):
    nine, voigt = 'stress="1 6 5 6 2 4 5 4 3"', 'dft_stress="1 2 3 4 5 6"'
    rows = 'REF_stress="_JSON [[1, 6, 5], [6, 2, 4], [5, 4, 3]]"'
    path = put(tmp_path, XYZ.replace("energy", f"{CELL}{nine} {voigt} {rows} energy"))
    np.testing.assert_array_equal(read_structures(path)[0].stress, [[1, 6, 5], [6, 2, 4], [5, 4, 3]])
    path = put(tmp_path, XYZ.replace("energy", f"{CELL}{nine} {voigt.replace('6', '7')} energy"))
    with pytest.raises(DataError, match="which is the stress: stress or dft_stress"):
        read_structures(path)


def test_only_plausible_names_are_suggested():
    names = [
        "energy_sigma", "energy_uncertainty", "config_energy_weight", "energyError", "energy_per_atom",
        "kinetic_energy", "lmlp_energy", "MACE_energy", "energy_pbe", "E_energyTotal", "energy-unit",
        "energy_hartree",
    ]  # fmt: skip
    assert lookalikes("energy", names) == ["MACE_energy", "energy_pbe", "E_energyTotal"]
    columns = ["force_mask", "forces_weight", "forces_std", "dft_forces_pbe", "forcesPBE", "lmlp_forces"]
    assert lookalikes("forces", columns) == ["dft_forces_pbe", "forcesPBE"]


def test_forces_are_suggested_in_the_report(tmp_path):
    from lmlp.audit.report import audit

    path = put(tmp_path, XYZ.replace("forces:R", "forces_pbe:R"))
    messages = [f.message for f in audit(read_structures(path)).findings]
    assert any("is it forces_pbe? name it with --forces-key" in m for m in messages)
