"""Shortest distances of pairs of elements."""

import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list
from lmlp.errors import GeometryError
from lmlp.structure.distances import joined_distances, shortest_distances

from tests.python.training.toy import clusters, crystals


def test_shortest_distances_of_each_pair():
    structures = crystals(4) + clusters(2)
    expected = {}
    for s in structures:
        atoms = Atoms(s.numbers, s.positions, cell=s.cell, pbc=s.pbc)
        for i, j, d in zip(*neighbor_list("ijd", atoms, 1.7), strict=True):
            name = "-".join(sorted((atoms.symbols[i], atoms.symbols[j])))
            expected[name] = min(d, expected.get(name, 9.0))
    found = shortest_distances(structures, ["H", "O"], 3.5)
    assert found == pytest.approx(expected)
    assert set(found) == {"H-H", "H-O", "O-O"}
    assert shortest_distances(structures[:1], ["H", "O"], 0.1) == {}
    # the other order of species names the mixed pair the other way round; that of the files does not matter
    other = shortest_distances(structures[::-1], ["O", "H"], 3.5)
    assert other == {"O-O": found["O-O"], "O-H": found["H-O"], "H-H": found["H-H"]}


def test_coincident_atoms_are_named():
    broken = clusters(3)
    broken[1].positions[1] = broken[1].positions[0]
    with pytest.raises(GeometryError, match=r"toy\.xyz:1"):
        shortest_distances(broken, ["H", "O"])


def test_joined():
    assert joined_distances({"H-H": 0.8, "H-O": 1.0}, {"H-O": 0.9, "O-O": 1.3}) == {
        "H-H": 0.8,
        "H-O": 0.9,
        "O-O": 1.3,
    }
