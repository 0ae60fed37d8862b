"""Units that a file names are obeyed or refused."""

import numpy as np
import pytest
from lmlp.errors import DataError, DataWarning, InvalidArgumentError
from lmlp.io import DataKeys, read_structures, write_structures
from lmlp.io.unit_text import parse_unit
from lmlp.units import BOHR, GPA, HARTREE, KCAL_PER_MOL, KJ_PER_MOL

STRESS = ' Lattice="3 0 0 0 3 0 0 0 3" pbc="T T T" stress="0.1 0 0 0 0.2 0 0 0 0.3"'


def read(tmp_path, said, keys=None, energy="energy=-2.0"):
    path = tmp_path / "data.xyz"
    path.write_text(
        f"2\nProperties=species:S:1:pos:R:3:forces:R:3 {energy} {said}\nH 0 0 0 1 0 0\nH 0 0 1 0 2 0\n"
    )
    return read_structures(path, keys)[0]


@pytest.mark.parametrize(
    ("text", "factor", "powers"),
    [
        ("eV", 1.0, (1, 0)),
        ("Hartree", HARTREE, (1, 0)),
        ("Ha", HARTREE, (1, 0)),
        ("Ry", HARTREE / 2, (1, 0)),
        ("meV", 1e-3, (1, 0)),
        ("kcal/mol", KCAL_PER_MOL, (1, 0)),
        ("kcal_mol", KCAL_PER_MOL, (1, 0)),
        ("kcal mol^-1", KCAL_PER_MOL, (1, 0)),
        ("kJ/mol", KJ_PER_MOL, (1, 0)),
        ("eV/A", 1.0, (1, -1)),
        ("eV/Å", 1.0, (1, -1)),
        ("eV Angstrom^-1", 1.0, (1, -1)),
        ("eV*A**-1", 1.0, (1, -1)),
        ("eV·Å⁻¹", 1.0, (1, -1)),
        ("eV per Angstrom", 1.0, (1, -1)),
        ("hartree/bohr", HARTREE / BOHR, (1, -1)),
        ("Eh/a0", HARTREE / BOHR, (1, -1)),
        ("kcal/mol/Ang", KCAL_PER_MOL, (1, -1)),
        ("kcal/(mol*A)", KCAL_PER_MOL, (1, -1)),
        ("eV/nm", 0.1, (1, -1)),
        ("GPa", GPA, (1, -3)),
        ("kbar", 0.1 * GPA, (1, -3)),
        ("eV/Ang^3", 1.0, (1, -3)),
        ("eV/A3", 1.0, (1, -3)),
        ("Ha/Bohr³", HARTREE / BOHR**3, (1, -3)),
        ("bohr", BOHR, (0, 1)),
        ("nm", 10.0, (0, 1)),
    ],
)
def test_units_as_people_write_them(text, factor, powers):
    found, dimensions = parse_unit(text)
    assert found == pytest.approx(factor, rel=1e-12)  # a few roundings
    assert dimensions == (*powers, 0, 0)


@pytest.mark.parametrize(
    "text", ["", "foo", "eV/", "/eV", "(eV", "eV)", "eV//A", "ev^99", "3", "eV/Å/furlong"]
)
def test_what_is_no_unit(text):
    with pytest.raises(ValueError):  # noqa: PT011 the caller says what is wrong
        parse_unit(text)


@pytest.mark.parametrize(
    ("said", "energy", "force", "length"),
    [
        ("energy-unit=hartree force-unit=hartree/bohr", HARTREE, HARTREE / BOHR, 1.0),
        ("energy_unit=Ha forces_unit=Ha/Bohr", HARTREE, HARTREE / BOHR, 1.0),
        ("Energy_Units=Ry Force_Units=Ry/Bohr", HARTREE / 2, HARTREE / 2 / BOHR, 1.0),
        ('energyunit="kcal/mol" forceunit="kcal/mol/A"', KCAL_PER_MOL, KCAL_PER_MOL, 1.0),
        ("unit_energy=kJ/mol unit_force=kJ/mol/nm", KJ_PER_MOL, KJ_PER_MOL / 10, 1.0),
        ("energy-unit=au force-unit=a.u. pos_unit=au", HARTREE, HARTREE / BOHR, BOHR),
        ("energy-unit=eV force-unit=eV/Bohr length_unit=Bohr", 1.0, 1 / BOHR, BOHR),
        ("energy_unit=eV/atom", 2.0, 1.0, 1.0),
        ("energy_unit=hartree/atom force_unit=eV/A", 2 * HARTREE, 1.0, 1.0),
    ],
)
def test_declared_units_are_converted_and_told(tmp_path, said, energy, force, length):
    with pytest.warns(DataWarning, match="converted to"):
        s = read(tmp_path, said)
    # a few roundings
    assert s.energy == pytest.approx(-2.0 * energy, rel=1e-12)
    np.testing.assert_allclose(s.forces, force * np.array([[1, 0, 0], [0, 2, 0]]), rtol=1e-12)
    np.testing.assert_allclose(s.positions[1], [0, 0, length], rtol=1e-12)
    assert not any("unit" in key.lower() for key in s.info)
    write_structures(tmp_path / "again.xyz", [s])
    assert read_structures(tmp_path / "again.xyz")[0].energy == s.energy


def test_stress_and_virial_are_converted(tmp_path):
    with pytest.warns(DataWarning, match="stress_unit=GPa: the stress is converted"):
        s = read(tmp_path, "stress_unit=GPa" + STRESS)
    np.testing.assert_allclose(np.diag(s.stress), GPA * np.array([0.1, 0.2, 0.3]), rtol=1e-12)
    said = "energy-unit=hartree force-unit=hartree/bohr" + STRESS.replace("stress", "virial")
    with pytest.warns(DataWarning, match="energy-unit=hartree"):
        s = read(tmp_path, said)
    np.testing.assert_allclose(np.diag(s.stress), -HARTREE / 27 * np.array([0.1, 0.2, 0.3]), rtol=1e-12)


@pytest.mark.parametrize(
    "said",
    [
        "energy-unit=eV force-unit=eV/Angstrom",
        "energy_unit=ev forces_units=eV/A length_unit=Å",
        'units="eV, Angstrom"',
        "unit=eV/A",
        "units=metal",
        "unit=3",
        "stress_unit=furlong",  # there is no stress
        "cutoff_energy_unit=Ry",
    ],
)
def test_own_units_change_nothing(tmp_path, said, recwarn):
    s = read(tmp_path, said)
    assert (s.energy, s.forces[1, 1], s.positions[1, 2]) == (-2.0, 2.0, 1.0)
    assert not recwarn


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("energy-unit=furlong", r"energy-unit=furlong: not a unit of energy"),
        ("energy_unit=kcal", r"energy_unit=kcal"),
        ("energy_unit=bohr", r"energy_unit=bohr"),
        ("energy_unit=27.2", r"energy_unit=27.2"),
        ("force_unit=eV", r"force_unit=eV"),
        ("energy-unit=hartree", r"energy-unit=hartree, but nothing says in which unit the forces"),
        ("force-unit=hartree/bohr", r"nothing says in which unit the energy"),
        ("energy_unit=hartree energy-unit=eV", r"energy_unit=hartree and energy-unit=eV differ"),
        ("units=eV energy-unit=hartree force-unit=hartree/bohr", r"units=eV and energy-unit=hartree differ"),
        ("units=hartree", r"units=hartree"),
        ("units=atomic", r"units=atomic"),
        ("units=real", r"units=real"),
        ("units=metal" + STRESS, r"units=metal"),
    ],
)
def test_what_is_not_certain_is_refused_by_name(tmp_path, said, message):
    with pytest.raises(DataError, match=f"data.xyz:0: .*{message}") as caught:
        read(tmp_path, said)
    assert "--units-key none" in str(caught.value) or "differ" in str(caught.value)
    assert read(tmp_path, said, DataKeys(units="none")).energy == -2.0


def test_units_of_a_label_that_is_not_read_make_the_others_uncertain(tmp_path):
    with pytest.raises(DataError, match="energy-unit=hartree, but nothing says in which unit the forces"):
        read(tmp_path, "energy-unit=hartree", DataKeys(energy="none"))


@pytest.mark.parametrize("key", ["energy.unit", "energy:unit", "Energy-Units"])
def test_other_joints(tmp_path, key):
    with pytest.warns(DataWarning, match="the energy is converted"):
        s = read(tmp_path, f"{key}=meV force_unit=meV/A")
    assert s.energy == pytest.approx(-0.002)


def test_units_as_a_table(tmp_path):
    table = '"_JSON {\\"energy\\": \\"Ha\\", \\"forces\\": \\"Ha/bohr\\", \\"program\\": \\"x\\"}"'
    with pytest.warns(DataWarning, match="units: energy=Ha"):
        s = read(tmp_path, f"units={table}")
    assert s.energy == pytest.approx(-2 * HARTREE)
    assert "units" not in s.info


def test_units_of_the_name_that_is_read(tmp_path):
    with pytest.warns(DataWarning, match="REF_energy_unit=hartree"):
        s = read(tmp_path, "REF_energy_unit=hartree", DataKeys(forces="none"), energy="REF_energy=-2.0")
    assert s.energy == pytest.approx(-2 * HARTREE)


def test_the_only_choice_is_none():
    with pytest.raises(InvalidArgumentError, match="units: 'hartree'"):
        DataKeys(units="hartree")
