"""Forces against energies, and net torques; made wrong from data whose labels fit (``fitting_labels``)."""

import dataclasses

import numpy as np
import pytest
from fitting_labels import changed, crystals, dimers, dynamics, found, molecules, permuted, slab, turned
from lmlp.audit.torque import net_torque
from lmlp.units import HARTREE, HARTREE_PER_BOHR, KCAL_PER_MOL, KJ_PER_MOL

replace = dataclasses.replace


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
