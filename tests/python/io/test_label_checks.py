"""Labels against what is possible, against each other, and against the geometry.

Every kind of wrong label is made from data whose labels fit (``fitting_labels``); those data raise nothing.
"""

import dataclasses

import numpy as np
import pytest
from fitting_labels import (
    changed,
    crystals,
    dimers,
    dynamics,
    equation_of_state,
    metal,
    molecules,
)
from lmlp.io import read_structures
from lmlp.io.energy_range import all_electron_energy
from lmlp.io.report import audit
from lmlp.io.torque import net_torque
from lmlp.units import BAR, BOHR, GPA, HARTREE, HARTREE_PER_BOHR, KCAL_PER_MOL, KJ_PER_MOL

replace = dataclasses.replace
CHECKS = {
    "impossible-energies",
    "length-unit",
    "placeholder",
    "constant-energies",
    "constant-forces",
    "constant-stress",
    "zero-forces",
    "zero-forces-of-atoms",
    "zero-stress",
    "net-torque",
    "impossible-stress",
    "stress-unit",
    "stress-sign",
    "stress-misfit",
    "forces-unit",
    "forces-sign",
    "forces-foreign",
    "forces-misfit",
}


def found(structures):
    return {f.code: f for f in audit(structures).findings if f.code in CHECKS}


def permuted(s):
    return replace(s, forces=np.roll(s.forces, 1, axis=0))


def turned(s):
    rng = np.random.default_rng(int(s.source.rpartition(":")[2]))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return replace(s, forces=s.forces @ turn * np.linalg.det(turn))


def slab(s):
    cell = s.cell + np.diag([0.0, 0.0, 10.0])
    return metal(s.numbers, s.positions, cell, s.source, (True, True, False))


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


# ---- forces ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [molecules, dynamics, lambda n: [slab(s) for s in dynamics(n)]])
def test_gradients_given_as_forces(made):
    data = [replace(s, forces=-s.forces) for s in made(40)]
    finding = found(data)["forces-sign"]
    assert "gradients" in finding.message
    assert len(finding.frames) == 40
    assert (
        "energies with the wrong sign"
        in found([replace(s, energy=-s.energy) for s in made(40)])["forces-sign"].message
    )


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda s: replace(s, forces=-s.forces), "forces-sign"),
        (lambda s: replace(s, forces=s.forces / HARTREE_PER_BOHR), "forces-unit"),
        (permuted, "forces-foreign"),
    ],
)
def test_forces_of_strained_crystals(spoil, code):
    """All cells differ: what the stress demands is taken off first."""
    assert len(found([spoil(s) for s in crystals(60, rattle=0.1)])[code].frames) == 60
    data, wrong = changed(crystals(60, rattle=0.1), spoil, 0.2)
    frames = found(data)["forces-misfit"].frames
    assert set(frames) <= wrong
    assert len(frames) >= 0.5 * len(wrong)


def test_one_structure_per_file_and_per_type():
    """As many calculations leave them: such structures are compared all the same."""
    data = [
        replace(s, forces=-s.forces, source=f"{i}/run.xyz:0", info={"config_type": f"run {i}"})
        for i, s in enumerate(dynamics(30))
    ]
    assert len(found(data)["forces-sign"].frames) == 30


def test_gradients_in_one_of_two_files():
    good = dynamics(30, seed=1, file="good.xyz")
    wrong = [replace(s, forces=-s.forces) for s in dynamics(30, seed=2, file="wrong.xyz")]
    mixed = [s for pair in zip(good, wrong, strict=True) for s in pair]
    finding = found(mixed)["forces-sign"]
    assert set(finding.frames) == {s.source for s in wrong}


def test_gradients_in_one_of_two_types_of_a_file():
    good = [replace(s, info={"config_type": "a"}) for s in dynamics(30, seed=1)]
    wrong = [
        replace(s, forces=-s.forces, info={"config_type": "b"}, source=f"d.xyz:{30 + i}")
        for i, s in enumerate(dynamics(30, seed=2))
    ]
    assert set(found([*good, *wrong])["forces-sign"].frames) == {s.source for s in wrong}


@pytest.mark.parametrize(
    ("energy", "force", "name"),
    [
        (1.0, 1 / HARTREE_PER_BOHR, "forces in Hartree/Bohr"),
        (1.0, 2 / HARTREE_PER_BOHR, "forces in Rydberg/Bohr"),
        (1.0, 1 / KCAL_PER_MOL, "forces in kcal/mol/Å"),
        (1.0, 1 / KJ_PER_MOL, "forces in kJ/mol/Å"),
        (1 / HARTREE, 1.0, "energies in Hartree"),
        (1 / HARTREE, 1 / HARTREE_PER_BOHR, "energies in Hartree and forces in Hartree/Bohr"),
        (1 / KCAL_PER_MOL, 1.0, "energies in kcal/mol"),
        (1 / KJ_PER_MOL, 1.0, "energies in kJ/mol"),
        (1000.0, 1.0, "energies in meV"),
    ],
)
@pytest.mark.parametrize("made", [molecules, dynamics])
def test_energies_and_forces_in_different_units(made, energy, force, name):
    data = [replace(s, energy=s.energy * energy, forces=s.forces * force) for s in made(40)]
    finding = found(data)["forces-unit"]
    assert name in finding.message
    assert len(finding.frames) == 40


def test_energies_per_atom():
    data = [replace(s, energy=s.energy / len(s)) for s in dynamics(40)]
    assert "energies per atom" in found(data)["forces-unit"].message


@pytest.mark.parametrize("spoil", [permuted, turned])
@pytest.mark.parametrize("made", [dynamics, lambda n: [slab(s) for s in dynamics(n)]])
def test_forces_of_other_atoms_or_of_another_orientation_in_crystals(made, spoil):
    assert len(found([spoil(s) for s in made(40)])["forces-foreign"].frames) == 40


def test_forces_of_other_structures():
    data = dynamics(40)
    other = [replace(s, forces=data[i - 1].forces) for i, s in enumerate(data)]
    assert len(found(other)["forces-foreign"].frames) == 40


@pytest.mark.parametrize("spoil", [permuted, turned])
@pytest.mark.parametrize("share", [1.0, 0.2])
def test_net_torques_of_molecules(spoil, share):
    data, wrong = changed(molecules(40), spoil, share)
    finding = found(data)["net-torque"]
    # by chance a wrong force may turn a molecule but little
    assert set(finding.frames) <= wrong
    assert len(finding.frames) >= 0.8 * len(wrong)


def test_torque_of_two_atoms_is_that_of_a_lever():
    (s,) = dimers(1)
    arm, force = s.positions[1] - s.positions[0], np.linalg.norm(s.forces[0])
    across = np.cross(arm, [1.0, 2.0, 3.0])
    across *= force / np.linalg.norm(across)
    share, lever = net_torque(replace(s, forces=np.array([-across, across])))
    assert share == pytest.approx(1.0, rel=1e-12)
    assert lever == pytest.approx(force, rel=1e-12)
    assert net_torque(s)[0] < 1e-12


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda s: replace(s, forces=-s.forces), "wrong sign"),
        (lambda s: replace(s, forces=s.forces / HARTREE_PER_BOHR), ""),
        (lambda s: replace(s, forces=s.forces / KCAL_PER_MOL), "kcal/mol/Å"),
        (permuted, "of other structures"),
    ],
)
@pytest.mark.parametrize("made", [molecules, dynamics])
def test_forces_are_wrong_in_a_fifth(made, spoil, words):
    data, wrong = changed(made(60), spoil, 0.2)
    finding = found(data)["forces-misfit"]
    assert set(finding.frames) <= wrong
    assert len(finding.frames) >= 0.7 * len(wrong)
    assert words in finding.message


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
