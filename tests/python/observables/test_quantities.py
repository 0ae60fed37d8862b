"""Quantities of frames by name."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from lmlp.errors import DataError, InvalidArgumentError
from lmlp.observables import parse_quantities, parse_quantity

from tests.models import random_crystal, random_molecule


def test_names() -> None:
    found = parse_quantities("energy, distance:0-1,rdf:O-H:8")
    assert [q.name for q in found] == ["energy", "distance:0-1", "rdf:O-H:8"]
    assert [q.is_energy for q in found] == [True, False, False]
    assert [q.unit for q in found] == ["eV", "Å", ""]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no observable"),
        (" , ", "no observable"),
        ("entropy", "'entropy' is not an observable; there are energy, volume"),
        ("energy:1", "'energy:1' is not"),
        ("energy,energy", "energy is named twice"),
        ("distance", "give 2 different atoms"),
        ("distance:0", "give 2 different atoms"),
        ("distance:0-0", "give 2 different atoms"),
        ("distance:-1-2", "give 2 different atoms"),
        ("angle:0-1", "give 3 different atoms"),
        ("rdf:O", "give two elements"),
        ("rdf:O-Xx", "give two elements"),
        ("rdf:O-H:0", "give two elements"),
        ("rdf:O-H:far", "give two elements"),
        ("rdf:O-H:nan", "give two elements"),
    ],
)
def test_unknown_names(text: str, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        parse_quantities(text)


def test_numbers_of_a_frame() -> None:
    water = Atoms("OH2", [[0.1, 0, 0], [9.1, 0, 0], [0.1, 1.2, 0]], cell=[10, 11, 12], pbc=True)
    for name, value in (
        ("distance:0-1", 1.0),  # over the boundary
        ("angle:1-0-2", 90.0),
        ("volume", 1320.0),
        ("density", 18.015 / 1320.0 / 0.60221408),  # g/mol/Å³ over mol·Å³/cm³
    ):
        assert parse_quantity(name)(water) == pytest.approx(value, rel=1e-8), name


def test_frames_without_the_quantity() -> None:
    molecule = random_molecule(["H", "O"], 4)
    for name, message in (
        ("volume", "three cell vectors"),
        ("density", "three cell vectors"),
        ("distance:0-4", "there are 4 atoms"),
        ("rdf:O-H", "periodic in three directions"),
    ):
        with pytest.raises(DataError, match=message):
            parse_quantity(name)(molecule)
    crystal = random_crystal(["H", "C"], 8)
    for name in ("rdf:O-H", "rdf:O-O"):
        with pytest.raises(DataError, match="no such pair"):
            parse_quantity(name)(crystal)


@pytest.mark.parametrize("pair", ["H-O", "O-H", "H-H"])
def test_rdf_counts_all_pairs(pair: str) -> None:
    atoms = random_crystal(["H", "O", "H"], 60, spacing=2.6)
    quantity = parse_quantity(f"rdf:{pair}:4")
    numbers = [{"H": 1, "O": 8}[symbol] for symbol in pair.split("-")]
    first, second = (int((atoms.numbers == z).sum()) for z in numbers)
    n_pairs = first * second - (first if numbers[0] == numbers[1] else 0)
    expected = np.zeros(80)  # 0.05 Å each
    for distance in _all_distances(atoms, numbers, 4.0):
        expected[int(distance / 0.05)] += 1.0
    edges = 0.05 * np.arange(81)
    expected *= atoms.get_volume() / n_pairs / (4.0 / 3.0 * np.pi * np.diff(edges**3))
    assert np.count_nonzero(expected) > 20
    np.testing.assert_allclose(quantity(atoms), expected, rtol=1e-9)


def _all_distances(atoms: Atoms, numbers: list[int], longest: float) -> list[float]:
    """All distances from the first to the second element, over images, by brute force."""
    found = []
    images = [
        np.array([i, j, k]) @ atoms.cell.array for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1)
    ]
    for a in np.flatnonzero(atoms.numbers == numbers[0]):
        for b in np.flatnonzero(atoms.numbers == numbers[1]):
            for shift in images:
                d = float(np.linalg.norm(atoms.positions[b] + shift - atoms.positions[a]))
                if 1e-9 < d < longest:
                    found.append(d)
    return found


def test_rdf_of_an_ideal_gas_is_one() -> None:
    rng = np.random.default_rng(0)
    frames = [Atoms("Ar200", rng.uniform(0, 12, (200, 3)), cell=[12] * 3, pbc=True) for _ in range(20)]
    mean = np.mean([parse_quantity("rdf:Ar-Ar:5")(frame) for frame in frames], axis=0)
    # 20·200·199/2 pairs; the last third of the shells has 1e4 each
    assert np.abs(mean[-30:] - 1.0).max() < 0.06
    assert mean[-50:].mean() == pytest.approx(1.0, abs=0.01)


def test_rdf_of_a_crystal() -> None:
    copper = bulk("Cu", a=3.6, cubic=True) * (3, 3, 3)
    quantity = parse_quantity("rdf:Cu-Cu:3")
    (peak,) = np.flatnonzero(quantity(copper))
    assert quantity.axis[peak] == pytest.approx(3.6 / np.sqrt(2), abs=0.025)
