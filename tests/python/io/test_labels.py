"""Which entries of a frame are its labels, and what stress and virial mean."""

import numpy as np
import pytest
from lmlp.errors import DataError
from lmlp.io import DataKeys, read_structures

from tests.python.io.test_read import WATER, put


@pytest.mark.parametrize("key", ["energy", "REF_energy", "dft_energy", "TotEnergy", "free_energy"])
def test_energy_is_guessed(tmp_path, key):
    (one,) = read_structures(put(tmp_path, WATER.replace("energy=", f"{key}=")))
    assert one.energy == -1.5
    assert one.info["label_keys"]["energy"] == key


@pytest.mark.parametrize("key", ["forces", "REF_forces", "dft_forces", "force", "Forces"])
def test_forces_are_guessed(tmp_path, key):
    (one,) = read_structures(put(tmp_path, WATER.replace("forces", key)))
    assert one.forces[0, 2] == 0.3


def test_energy_is_preferred_over_free_energy_which_stays_visible(tmp_path):
    text = WATER.replace("energy=-1.5", "free_energy=-1.7 energy=-1.5")
    (one,) = read_structures(put(tmp_path, text))
    assert one.energy == -1.5
    assert one.info["free_energy"] == -1.7
    (one,) = read_structures(put(tmp_path, text), DataKeys(energy="free_energy"))
    assert one.energy == -1.7


def test_ambiguous_keys_are_named(tmp_path):
    path = put(tmp_path, WATER.replace("energy=-1.5", "energy=-1.5 REF_energy=-9.5"))
    with pytest.raises(DataError, match=r"data\.xyz:0: which is the energy: energy or REF_energy"):
        read_structures(path)
    assert read_structures(path, DataKeys(energy="REF_energy"))[0].energy == -9.5
    path = put(tmp_path, WATER.replace("energy=-1.5", "energy=-1.5 REF_energy=-1.5"))
    assert read_structures(path)[0].energy == -1.5


def test_wanted_key_that_no_frame_has(tmp_path):
    with pytest.raises(DataError, match=r"no frame has 'E0' for the energy; there are: config_type, energy"):
        read_structures(put(tmp_path, WATER), DataKeys(energy="E0"))


def test_key_none_leaves_a_label_out(tmp_path):
    (one,) = read_structures(put(tmp_path, WATER), DataKeys(forces="none"))
    assert one.forces is None
    assert one.energy == -1.5


CELL = 'Lattice="2 0 0 0 4 0 0 0 5" '


VIRIAL = "1 2 3 2 5 6 3 6 9"


def periodic(extra):
    return WATER.replace("Properties", f"{CELL}{extra} Properties").replace("F F F", "T T T")


def test_virial_is_minus_volume_times_stress(tmp_path):
    (one,) = read_structures(put(tmp_path, periodic(f'virial="{VIRIAL}"')))
    np.testing.assert_allclose(one.stress, -np.array([[1, 2, 3], [2, 5, 6], [3, 6, 9]]) / 40.0, rtol=1e-15)


def test_stress_in_voigt_order(tmp_path):
    (one,) = read_structures(put(tmp_path, periodic('REF_stress="1 2 3 4 5 6"')))
    np.testing.assert_array_equal(one.stress, [[1, 6, 5], [6, 2, 4], [5, 4, 3]])


def test_stress_and_virial_that_disagree(tmp_path):
    path = put(tmp_path, periodic(f'stress="{VIRIAL}" virial="{VIRIAL}"'))
    with pytest.raises(DataError, match="differ by"):
        read_structures(path)
    assert read_structures(path, DataKeys(virial="none"))[0].stress[0, 1] == 2.0
    negative = " ".join(str(-40.0 * float(x)) for x in VIRIAL.split())
    (one,) = read_structures(put(tmp_path, periodic(f'stress="{VIRIAL}" virial="{negative}"')))
    assert one.stress[1, 2] == 6.0


def test_asymmetric_stress(tmp_path):
    with pytest.raises(DataError, match="not symmetric"):
        read_structures(put(tmp_path, periodic('stress="1 2 3 9 5 6 3 6 9"')))
