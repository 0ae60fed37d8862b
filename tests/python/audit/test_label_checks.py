"""Labels against what is possible, against each other, and against the geometry.

Every kind of wrong label is made from data whose labels fit (``fitting_labels``); those data raise nothing.
"""

import dataclasses

import numpy as np
import pytest
from fitting_labels import (
    CHECKS,
    changed,
    crystals,
    dimers,
    dynamics,
    equation_of_state,
    found,
    molecules,
    permuted,
    slab,
)
from lmlp.audit.energy_range import all_electron_energy
from lmlp.audit.report import audit
from lmlp.io import read_structures
from lmlp.units import BAR, BOHR, GPA, HARTREE, HARTREE_PER_BOHR, KCAL_PER_MOL, KJ_PER_MOL

replace = dataclasses.replace
# ---- data without fault -------------------------------------------------------------------------------

HONEST = {
    "molecules": lambda: molecules(60),
    "hot molecules": lambda: molecules(60, amplitude=0.1),
    "cohesive energies": lambda: molecules(60, energy=-28.0),
    "energies near zero": lambda: molecules(60, energy=0.0),
    "relaxed to the last digit": lambda: [
        replace(s, forces=np.round(s.forces, 8)) for s in molecules(9, amplitude=1e-10)
    ],
    "noise in small forces": lambda: [
        replace(s, forces=s.forces + 0.003 * np.random.default_rng(i).normal(size=(6, 3)))
        for i, s in enumerate(molecules(40, amplitude=1e-4))
    ],
    "crystals": lambda: crystals(60),
    "crystals without forces": lambda: [replace(s, forces=None) for s in crystals(60)],
    "crystals under 200 GPa": lambda: crystals(40, lattice=3.05),
    "stretched crystals": lambda: crystals(40, lattice=4.6),
    "a toy in its own units": lambda: crystals(60, lattice=3.5 / 2.87, rattle=0.02, scale=1 / 2.87),
    "stress in few digits": lambda: [
        replace(s, stress=np.round(s.stress, 3) + 0.0) for s in crystals(60, rattle=0.01, strain=0.003)
    ],
    "dynamics": lambda: dynamics(30),
    "slabs": lambda: [slab(s) for s in dynamics(30)],
    "equation of state": lambda: equation_of_state(),
    "equation of state of a cubic cell": lambda: equation_of_state(atoms=4),
    "two atoms": lambda: dimers(),
    "one molecule": lambda: molecules(1),
    "one crystal": lambda: crystals(1),
    "two molecules": lambda: molecules(2),
    "energies only": lambda: [replace(s, forces=None) for s in molecules(20)],
    "energies in 10 meV": lambda: [replace(s, energy=round(s.energy, 2)) for s in molecules(200)],
    "turned copies": lambda: [
        replace(s, positions=s.positions[:, [1, 2, 0]], forces=s.forces[:, [1, 2, 0]], source=f"t.xyz:{i}")
        for i, s in enumerate(molecules(8) * 3)
    ],
    "all together": lambda: [
        *molecules(60),
        *crystals(60),
        *dynamics(20),
        *equation_of_state(),
        *equation_of_state(atoms=4),
        *dimers(),
    ],
}


@pytest.mark.parametrize("name", HONEST)
def test_labels_that_fit_raise_nothing(name):
    assert found(HONEST[name]()) == {}


# ---- energies -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("z", "expected"),  # Hartree; exact, Hartree-Fock or Dirac-Fock energies of free atoms
    [(1, -0.5), (2, -2.904), (8, -75.07), (18, -527.5), (29, -1640), (54, -7447), (79, -19040), (92, -28070)],
)
def test_energies_of_all_electrons(z, expected):
    # 10 % is what the check's margin of 1.3 rests on
    assert all_electron_energy(np.array([z]))[0] == pytest.approx(HARTREE * expected, rel=0.1)


@pytest.mark.parametrize(
    ("unit", "name"),
    [
        (1 / KCAL_PER_MOL, "kcal/mol"),
        (1 / KJ_PER_MOL, "kJ/mol"),
        (1000.0, "meV"),
        (HARTREE, "Hartree"),
        (2.0, "Rydberg"),
    ],
)
@pytest.mark.parametrize("share", [1.0, 0.2])
def test_energies_below_all_electrons(unit, name, share):
    data, wrong = changed(molecules(40), lambda s: replace(s, energy=s.energy * unit), share)
    finding = found(data)["impossible-energies"]
    assert finding.level == "warning"
    assert set(finding.frames) == wrong
    assert name in finding.message


def test_energies_below_all_electrons_of_one_molecule_and_of_a_crystal():
    (one,) = molecules(1)
    assert (
        "kcal/mol" in found([replace(one, energy=one.energy / KCAL_PER_MOL)])["impossible-energies"].message
    )
    solid = [replace(s, energy=-45000.0 * len(s) / KJ_PER_MOL) for s in crystals(3)]
    assert "kJ/mol" in found(solid)["impossible-energies"].message


@pytest.mark.parametrize("energy", [-3148.0, -28.0])
@pytest.mark.parametrize("made", [molecules, crystals])
def test_angstrom_and_ev_read_as_bohr_and_hartree(made, energy):
    """With or without the core electrons in the energies, distances tell."""
    data = [
        replace(
            s,
            positions=s.positions * BOHR,
            cell=s.cell * BOHR,
            energy=s.energy * HARTREE,
            forces=s.forces * HARTREE_PER_BOHR,
            stress=None,
        )
        for s in (molecules(20, energy=energy) if made is molecules else crystals(20))
    ]
    finding = found(data)["length-unit"]
    assert "--runner-units angstrom-ev" in finding.message
    assert len(finding.frames) == 20


@pytest.mark.parametrize(("unit", "name"), [(0.1, "nm"), (1 / BOHR, "Bohr")])
def test_positions_in_other_units(unit, name):
    data = [replace(s, positions=s.positions * unit) for s in molecules(20)]
    assert name in found(data)["length-unit"].message


@pytest.mark.parametrize("value", [-1e6, 99999.0, -999999.0, 1e10, 1e30])
@pytest.mark.parametrize("label", ["energy", "forces", "stress"])
def test_numbers_that_stand_for_nothing(label, value):
    def spoil(s):
        return replace(s, **{label: value if label == "energy" else np.full_like(getattr(s, label), value)})

    data, wrong = changed(crystals(40), spoil, 0.1)
    assert set(found(data)["placeholder"].frames) == wrong


@pytest.mark.parametrize("value", [0.0, -3147.5])
@pytest.mark.parametrize(("share", "level"), [(1.0, "error"), (0.95, "warning"), (0.2, "warning")])
def test_energies_that_do_not_change_with_the_geometry(value, share, level):
    data, wrong = changed(molecules(40), lambda s: replace(s, energy=value), share)
    finding = found(data)["constant-energies"]
    assert finding.level == level
    assert set(finding.frames) == wrong
    assert "forces-foreign" not in found(data)


def test_forces_and_stress_of_another_structure_written_again():
    data = crystals(30)
    for label in ("forces", "stress"):
        stale = [
            replace(s, **{label: getattr(data[20], label)}) if i in (21, 22) else s
            for i, s in enumerate(data)
        ]
        assert found(stale)[f"constant-{label}"].frames == ["c.xyz:20", "c.xyz:21", "c.xyz:22"]


# ---- zeros ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [molecules, crystals, dynamics])
@pytest.mark.parametrize("share", [1.0, 0.2])
def test_forces_of_zero(made, share):
    data, wrong = changed(made(30), lambda s: replace(s, forces=np.zeros_like(s.forces)), share)
    finding = found(data)["zero-forces"]
    assert set(finding.frames) == wrong
    assert ("all structures" in finding.message) == (share == 1.0)


def test_forces_of_some_atoms_are_zero():
    def hold(s):
        forces = s.forces.copy()
        forces[:3] = 0.0
        return replace(s, forces=forces)

    data, wrong = changed(dynamics(30), hold, 0.3)
    assert set(found(data)["zero-forces-of-atoms"].frames) == wrong
    known = [replace(s, info={"constrained_atoms": [0, 1, 2]}) for s in data]
    assert "zero-forces-of-atoms" not in found(known)


@pytest.mark.parametrize("made", [crystals, dynamics, equation_of_state])
@pytest.mark.parametrize("share", [1.0, 0.3])
def test_stress_of_zero(made, share):
    data, wrong = changed(made(20), lambda s: replace(s, stress=-0.0 * s.stress), share)
    assert set(found(data)["zero-stress"].frames) == wrong


# ---- stress ---------------------------------------------------------------------------------------------

STRESS = {
    "GPa": lambda s: s.stress / GPA,
    "kbar": lambda s: s.stress * 10 / GPA,
    "bar": lambda s: s.stress / BAR,
    "Hartree/Bohr³": lambda s: s.stress * BOHR**3 / HARTREE,
    "eV (a virial)": lambda s: s.stress * s.volume,
}


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("unit", STRESS)
@pytest.mark.parametrize("made", [crystals, equation_of_state])
def test_stress_in_other_units(made, unit, sign):
    data = [replace(s, stress=sign * STRESS[unit](s)) for s in made(40)]
    finding = found(data)["stress-unit"]
    assert unit in finding.message
    assert ("compression positive" in finding.message) == (sign < 0)
    assert len(finding.frames) == 40


@pytest.mark.parametrize("made", [crystals, equation_of_state])
def test_stress_with_the_wrong_sign(made):
    finding = found([replace(s, stress=-s.stress) for s in made(40)])["stress-sign"]
    assert "compression positive" in finding.message
    assert len(finding.frames) == 40


@pytest.mark.parametrize("unit", ["kbar", "bar"])
def test_stress_beyond_what_solids_bear_needs_no_other_labels(unit):
    data = [replace(s, stress=STRESS[unit](s), energy=None, forces=None) for s in crystals(20)]
    finding = found(data)["impossible-stress"]
    assert unit in finding.message
    assert len(finding.frames) > 5


@pytest.mark.parametrize("unit", ["kbar", "GPa", "sign"])
def test_stress_is_wrong_in_a_fifth(unit):
    spoil = (lambda s: -s.stress) if unit == "sign" else STRESS[unit]
    data, wrong = changed(equation_of_state(60), lambda s: replace(s, stress=spoil(s)), 0.2)
    finding = found(data)["stress-misfit"]
    assert set(finding.frames) <= wrong
    assert len(finding.frames) >= 0.5 * len(wrong)
    assert ("compression positive" if unit == "sign" else unit) in finding.message


# ---- public data ----------------------------------------------------------------------------------------

# what the checks said before they looked at labels: outliers that are there, missing labels, small sets
KNOWN = {"no-forces", "mixed-levels", "large-forces", "energy-outliers", "no-stress", "duplicates"}


@pytest.mark.data
@pytest.mark.parametrize("folder", ["3bpa", "acac", "mlearn", "nbmotaw", "tiny", "tio2"])
def test_public_data_raise_no_alarm(data_folder, folder):
    """Each file alone, and all together as benchmarks join them."""
    files = sorted((data_folder / folder).glob("*.xyz*"))
    sets = [read_structures(f) for f in files]
    for data in (*sets, [s for part in sets for s in part]):
        report = audit(data)
        assert {f.code for f in report.findings if f.level != "note"} <= KNOWN
        assert not CHECKS & KNOWN


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "share", "spoil", "code"),
    [
        ("3bpa/train_300K", 1.0, lambda s: replace(s, forces=-s.forces), "forces-sign"),
        ("acac/train_600K", 1.0, lambda s: replace(s, energy=s.energy / HARTREE), "forces-unit"),
        ("mlearn/Si_train", 1.0, permuted, "forces-foreign"),
        ("mlearn/Ge_train", 0.2, lambda s: replace(s, forces=-s.forces), "forces-misfit"),
        ("nbmotaw/TaW_train", 1.0, lambda s: replace(s, stress=-s.stress), "stress-sign"),
        ("nbmotaw/W_train", 1.0, lambda s: replace(s, stress=s.stress / GPA), "stress-unit"),
        ("tio2/TiO2_train", 1.0, lambda s: replace(s, energy=s.energy / KCAL_PER_MOL), "forces-unit"),
    ],
)
def test_public_data_made_wrong(data_folder, name, share, spoil, code):
    data, wrong = changed(read_structures(data_folder / f"{name}.xyz.xz"), spoil, share)
    assert code in found(data)
    assert set(found(data)[code].frames) <= wrong
