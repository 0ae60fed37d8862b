"""Weights in a file: 0 leaves out, others are refused."""

import numpy as np
import pytest
from lmlp.errors import DataError, DataWarning
from lmlp.io import DataKeys, read_structures

LABELS = {"energy", "forces", "stress"}


def write(tmp_path, *said, columns="", words=("", "")):
    path = tmp_path / "data.xyz"
    head = 'Lattice="3 0 0 0 3 0 0 0 3" pbc="T T T" energy=-2.0 '
    head += f"Properties=species:S:1:pos:R:3:forces:R:3{columns}"
    atoms = f"H 0 0 0 1 0 0 {words[0]}\nH 0 0 1 -1 0 0 {words[1]}\n"
    path.write_text("".join(f"2\n{head} {text}\n{atoms}" for text in said))
    return path


def labels(structure):
    return {name for name in LABELS if getattr(structure, name) is not None}


STRESS = 'stress="1 0 0 0 1 0 0 0 1"'
VIRIAL = 'virial="-27 0 0 0 -27 0 0 0 -27"'


@pytest.mark.parametrize(
    ("said", "left_out"),
    [
        ("config_energy_weight=0", {"energy"}),
        ("config_energy_weight=0.0", {"energy"}),
        ("Config_Energy_Weight=0", {"energy"}),
        ("energy_weight=0", {"energy"}),
        ("config_forces_weight=0", {"forces"}),
        ("config_force_weight=0", {"forces"}),
        ("forces_weight=0", {"forces"}),
        ("config_energy_weight=0 config_forces_weight=0", {"energy", "forces"}),
        ("config_stress_weight=0", {"stress"}),
        (f"config_stress_weight=0 {VIRIAL}", {"stress"}),
        (f"config_stress_weight=0 config_virials_weight=1 {VIRIAL}", set()),
        (f"config_virials_weight=0 {VIRIAL}", set()),
    ],
)
def test_a_weight_of_zero_is_a_label_that_is_not_there(tmp_path, said, left_out):
    with pytest.warns(DataWarning) as told:
        (s,) = read_structures(write(tmp_path, f"{STRESS} {said}"))
    assert labels(s) == LABELS - left_out
    assert said.split("=")[0] in str(told[0].message)


def test_weights_of_one_change_nothing(tmp_path, recwarn):
    said = f"{STRESS} config_weight=1.0 config_energy_weight=1 config_forces_weight=1.0 weight=1"
    (s,) = read_structures(write(tmp_path, said))
    assert labels(s) == LABELS
    assert not recwarn


@pytest.mark.parametrize("key", ["config_weight", "weight"])
def test_a_structure_of_weight_zero_is_left_out(tmp_path, key):
    path = write(tmp_path, "n=0", f"n=1 {key}=0", "n=2")
    with pytest.warns(DataWarning, match=rf"{key} is 0: the structure is left out \(in 1 of 3 frames: 1\)"):
        found = read_structures(path)
    assert [s.info["n"] for s in found] == [0, 2]
    with pytest.warns(DataWarning), pytest.raises(DataError, match="no structure is left"):
        read_structures(f"{path}@1")


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ("config_energy_weight=2", "config_energy_weight=2"),
        ("config_forces_weight=0.5", "config_forces_weight=0.5"),
        ("config_weight=10", "config_weight=10"),
        ("energy_weight=0.1", "energy_weight=0.1"),
        ("weight=0.3", "weight=0.3"),
    ],
)
def test_other_weights_are_refused_by_name(tmp_path, said, match):
    path = write(tmp_path, said)
    with pytest.raises(DataError, match=f"data.xyz:0: {match}: .*--weights-key none"):
        read_structures(path)
    (s,) = read_structures(path, DataKeys(weights="none"))
    assert labels(s) == {"energy", "forces"}
    assert s.info[said.split("=")[0]] == float(said.split("=")[1])


@pytest.mark.parametrize("value", ["-1", "high", "nan", "inf", '"1 2"', "T"])
def test_what_is_no_weight(tmp_path, value):
    with pytest.raises(DataError, match=r"config_energy_weight=.* is no weight"):
        read_structures(write(tmp_path, f"config_energy_weight={value}"), DataKeys(weights="none"))


def test_weights_of_labels_that_are_not_read(tmp_path, recwarn):
    path = write(tmp_path, "config_stress_weight=0.5 config_energy_weight=3 config_dipole_weight=0")
    (s,) = read_structures(path, DataKeys(energy="none"))
    assert labels(s) == {"forces"}
    assert not recwarn


@pytest.mark.parametrize(
    ("column", "words", "there"),
    [
        ("force_mask:L:1", "FF", True),
        ("force_mask:L:1", "TT", False),
        ("force_mask:L:1", "FT", False),
        ("force_mask:I:1", "01", False),
        ("forces_weight:R:1", "11", True),
        ("forces_weight:R:1", "00", False),
        ("force_weight:R:1", "01", False),
        ("forces_mask:L:1", "TT", True),
    ],
)
def test_columns_that_leave_out_forces(tmp_path, column, words, there, recwarn):
    (s,) = read_structures(write(tmp_path, "", columns=f":{column}", words=words))
    assert labels(s) == ({"energy", "forces"} if there else {"energy"})
    assert [column.split(":")[0] in str(w.message) for w in recwarn] == ([] if there else [True])
    np.testing.assert_array_equal(s.positions[1], [0, 0, 1])


@pytest.mark.parametrize(
    ("column", "words"), [("forces_weight:R:1", ("1", "0.5")), ("forces_mask:L:1", "TF")]
)
def test_columns_of_other_weights_are_refused(tmp_path, column, words):
    path = write(tmp_path, "", columns=f":{column}", words=words)
    with pytest.raises(DataError, match=rf"{column.split(':')[0]}.*--weights-key none"):
        read_structures(path)
    assert labels(read_structures(path, DataKeys(weights="none"))[0]) == {"energy", "forces"}


def test_sigmas_of_gap_are_told(tmp_path):
    with pytest.warns(DataWarning, match="energy_sigma is not used"):
        read_structures(write(tmp_path, "energy_sigma=0.01"))
