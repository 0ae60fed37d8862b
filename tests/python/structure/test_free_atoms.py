"""What a free atom is, and what the data report says of them."""

import dataclasses

import numpy as np
import pytest
from lmlp.audit.report import audit
from lmlp.descriptor.presets import make_preset
from lmlp.elements import atomic_number
from lmlp.structure import Structure
from lmlp.structure.free_atoms import (
    DEFAULT_CUTOFF,
    disagreements,
    free_atom,
    from_plain,
    ground_states,
    is_free_atom,
    other_references,
    set_apart,
    to_plain,
)

FCC = 1.8 * (np.ones((3, 3)) - np.eye(3))


def atom(element="H", energy=-13.6, cell=None, pbc=False, source="a.xyz:0", **info) -> Structure:
    return Structure(
        np.array([atomic_number(element)], np.int32),
        np.zeros((1, 3)),
        np.zeros((3, 3)) if cell is None else np.asarray(cell, float),
        np.broadcast_to(np.array(pbc), 3).copy(),
        energy=energy,
        source=source,
        info=info,
    )


def water(energy=-2076.0, source="w.xyz:0", shift=0.0, **info) -> Structure:
    positions = np.array([[0, 0, 0], [0.76 + shift, 0.59, 0], [-0.76, 0.59, 0]], float)
    numbers = np.array([8, 1, 1], np.int32)
    return Structure(
        numbers, positions, np.zeros((3, 3)), np.zeros(3, bool), energy, source=source, info=info
    )


def found(structures, **options):
    return {f.code: f for f in audit(structures, **options).findings}


def test_the_default_cutoff_is_that_of_the_default_functions():
    assert make_preset("eeacsf-resolved", ["H"])["cutoff"] == DEFAULT_CUTOFF


@pytest.mark.parametrize(
    ("structure", "free"),
    [
        (atom(), True),
        (atom(cell=20 * np.eye(3), pbc=True), True),
        (atom("Cu", cell=FCC, pbc=True), False),
        (atom("Fe", cell=2.87 * (np.ones((3, 3)) / 2 - np.eye(3)), pbc=True), False),
        (atom("Cu", cell=FCC, pbc=False), True),  # a cell without periodicity has no images
        (atom("C", cell=np.diag([2.5, 2.5, 20.0]), pbc=[True, True, False]), False),  # a layer
        (atom("C", cell=np.diag([20.0, 20.0, 1.3]), pbc=[False, False, True]), False),  # a chain
        (atom("Cu", cell=5.99 * np.eye(3), pbc=True), False),
        (atom("Cu", cell=6.01 * np.eye(3), pbc=True), True),
        (atom("Cu", cell=5.0 * np.eye(3), pbc=True, config_type="IsolatedAtom"), True),
        (atom("Cu", cell=FCC, pbc=True, config_type="eos"), False),
        (water(), False),
        (water(config_type="IsolatedAtom"), False),
    ],
)
def test_free_means_no_neighbor_within_the_cutoff(structure, free):
    assert is_free_atom(structure, 6.0) is free


@pytest.mark.parametrize(
    "name", ["IsolatedAtom", "isolated_atom", "ISOLATEDATOM", "isolated-atom", "Isolated Atom"]
)
def test_files_call_free_atoms_in_many_ways(name):
    assert is_free_atom(atom("Cu", cell=5.0 * np.eye(3), pbc=True, config_type=name), 6.0)


def test_set_apart_keeps_the_order():
    given = [water(source="w:0"), atom(source="a:0"), water(source="w:1"), atom("O", source="a:1")]
    rest, free = set_apart(given, 6.0)
    assert [s.source for s in rest] == ["w:0", "w:1"]
    assert [(a.element, a.source) for a in free] == [("H", "a:0"), ("O", "a:1")]


def test_crystals_stretched_beyond_the_cutoff_contradict_nothing():
    """The end of an equation of state: no neighbor within the cutoff, energies that still change."""
    cells = [atom("Cu", -1.5 + 0.3 * k, (6.1 + 0.8 * k) * np.eye(3), True, f"e.xyz:{k}") for k in range(4)]
    finding = found(cells, cutoff=6.0)["isolated-atoms-differ"]
    assert finding.level == "warning"
    assert "-0.6 eV of e.xyz:3" in finding.message
    free = atom("Cu", -0.2, 20 * np.eye(3), True, "a.xyz:0")
    assert ground_states(set_apart([*cells, free], 6.0)[1])["Cu"].source == "a.xyz:0"
    # the same box twice
    twice = [atom("Cu", e, 15 * np.eye(3), True, f"b.xyz:{e}") for e in (-0.2, -0.9)]
    assert found(twice, cutoff=6.0)["isolated-atoms-differ"].level == "error"


def test_bulk_cells_of_one_atom_are_not_called_isolated():
    cells = [atom("Cu", -3.7 - 0.02 * k, (1 + 0.01 * k) * FCC, True, f"e.xyz:{k}") for k in range(9)]
    assert not any(code.startswith("isolated") for code in found(cells))


def test_the_energy_is_the_lowest_of_neutral_atoms():
    atoms = [
        atom(energy=-13.5, source="a:0"),
        atom(energy=-13.6, source="a:1"),
        atom(energy=-14.4, source="a:2", charge=-1),
        atom("O", None, source="a:3"),
        atom("Na", -4000.0, source="a:4", total_charge=1.0),
    ]
    chosen = ground_states([free_atom(s, 6.0) for s in atoms])
    assert {e: a.source for e, a in chosen.items()} == {"H": "a:1", "Na": "a:4"}


@pytest.mark.parametrize(
    ("first", "second", "level"),
    [
        ({}, {}, None),
        ({"energy": -13.6 + 1e-8}, {}, None),
        ({"energy": -13.59}, {}, "warning"),
        ({"energy": -12.9}, {}, "error"),
        ({"energy": -12.9, "source": "b.xyz:3"}, {}, "warning"),  # another file may be of another code
        ({"energy": -12.9, "spin": 2}, {"spin": 0}, None),
        ({"energy": 0.5, "charge": 1}, {"charge": 0}, None),
        ({"energy": None}, {}, None),
    ],
)
def test_several_energies_of_one_element(first, second, level):
    data = [atom(**{"source": "a.xyz:7", **first}), atom(**second), water(), water(-2076.1, "w.xyz:1", 0.1)]
    finding = found(data).get("isolated-atoms-differ")
    assert (finding and finding.level) == level
    if finding:
        assert finding.frames == [data[0].source, "a.xyz:0"]
        assert "of H" in finding.message
        assert "-13.6" in finding.message
        assert f"{data[0].energy:g}" in finding.message
    # one sentence for one thing
    assert not {"contradiction", "duplicates", "mixed-levels", "energy-outliers"} & set(found(data))


@pytest.mark.parametrize(
    "energies",
    [
        {"H": -0.05, "O": -0.3},  # energies of interaction beside total energies
        {"H": -0.5, "O": -75.0},  # Hartree
        {"H": -313.6, "O": -47000.0},  # kcal/mol
        {"H": -13.6, "O": -0.3},
    ],
)
def test_free_atoms_of_another_reference(energies):
    data = [atom(e, energy, source=f"a.xyz:{e}") for e, energy in energies.items()]
    data += [water(source=f"w.xyz:{k}", shift=0.01 * k) for k in range(5)]
    finding = found(data)["other-reference"]
    assert finding.level == "warning"
    assert finding.frames == ["a.xyz:H", "a.xyz:O"]


def test_energies_of_formation_beside_total_energies_of_atoms():
    data = [
        atom("H", -13.6),
        atom("O", -2042.0),
        *[water(-9.5 + 0.1 * k, f"w.xyz:{k}", 0.01 * k) for k in range(5)],
    ]
    assert found(data)["other-reference"].level == "warning"


def test_only_the_wrong_element_is_named():
    counts = np.array([[2, 1, 0], [4, 2, 0], [2, 1, 1]])
    free = {"H": -13.6, "O": -2042.0, "S": -10.0}
    energies = counts @ np.array([-13.6, -2042.0, -10800.0]) - 3.0 * counts.sum(axis=1)
    assert list(other_references(free, ["H", "O", "S"], counts, energies)) == ["S"]
    assert other_references({"H": -13.6}, ["H", "O", "S"], counts, energies) == {}  # nothing can be said
    assert other_references({}, ["H", "O", "S"], counts, np.full(3, np.nan)) == {}


@pytest.mark.parametrize("bond", [-9.0, -3.0, 0.0, 1.5])
def test_honest_references_raise_no_alarm(bond):
    data = [atom("H", -13.6), atom("O", -2042.0, source="a.xyz:1")]
    data += [water(-2069.2 + 3 * bond + 0.1 * k, f"w.xyz:{k}", 0.02 * k) for k in range(5)]
    assert not [f for f in audit(data).findings if f.level != "note" and f.code != "no-forces"]


def test_notes_say_what_is_odd():
    given = [
        atom("Cu", -3.5, 5.0 * np.eye(3), True, config_type="IsolatedAtom"),
        water(config_type="IsolatedAtom"),
        atom("O", None, source="a.xyz:5"),
    ]
    notes = found(given, cutoff=6.0)
    assert notes["isolated-atoms"].frames == ["a.xyz:0", "a.xyz:5"]
    assert "within 6 Å" in notes["isolated-atoms"].message
    assert notes["isolated-atoms-crowded"].frames == ["a.xyz:0"]
    assert notes["not-isolated"].frames == ["w.xyz:0"]
    assert notes["isolated-atoms-no-energy"].frames == ["a.xyz:5"]
    assert {notes[k].level for k in notes if "isolated" in k} == {"note"}


def test_fitted_energies_of_the_report_are_not_those_of_free_atoms():
    cells = [atom("Cu", -4.0, FCC, True, f"e.xyz:{k}") for k in range(3)]
    assert audit([*cells, atom("Cu", -0.2)]).elements[0].atomic_energy == pytest.approx(-4.0, abs=1e-3)


def test_a_free_atom_in_training_and_test_data_is_no_overlap():
    train = [atom(), *[water(source=f"w.xyz:{k}", shift=0.05 * k) for k in range(3)]]
    test = [dataclasses.replace(atom(), source="t.xyz:0"), water(source="t.xyz:1", shift=0.3)]
    assert "overlap" not in {f.code for f in audit(test, known=train).findings}


def test_plain_data_and_back():
    one = free_atom(atom(charge=1, spin=2), 6.0)
    assert from_plain(to_plain(one)) == one
    assert one.charged
    assert disagreements([one, one]) == []
