"""An atom that leaves its last neighbors arrives at the energy of the free atom, smoothly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.md.verlet import VelocityVerlet
from lmlp import LMLPCalculator

from tests.models import write_random_model
from tests.physics.test_derivatives import derivative

ELEMENTS = ["H", "C", "O"]
CUTOFF = 6.0
# a dimer begins to be switched where its density is that of its element: at 3.0, 4.8 Å and, of O, never
FREE = {
    "H": {"energy": -1.25, "density": (1 - 3.0**2 / CUTOFF**2) ** 3},
    "C": {"energy": 0.75, "density": (1 - 4.8**2 / CUTOFF**2) ** 3},
}
EDGES = {"H": 3.0, "C": 4.8}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("free") / "model.pt"
    write_random_model(path, "eeacsf-153", ELEMENTS, free_atoms=FREE)
    assert LMLPCalculator(path).facts.cutoff == CUTOFF
    return path


class Dimer:
    """Energy and force along a bond."""

    def __init__(self, path: Path, symbols: str, backend: str = "core") -> None:
        self.calculator = LMLPCalculator(path, backend=backend, threads=1)
        self.symbols = symbols

    def atoms(self, r: float) -> Atoms:
        direction = np.array([2.0, -1.0, 2.0]) / 3.0
        return Atoms(self.symbols, [np.zeros(3), r * direction], calculator=self.calculator)

    def energy(self, r: float) -> float:
        return self.atoms(r).get_potential_energy()

    def slope(self, r: float) -> float:
        forces = self.atoms(r).get_forces()
        np.testing.assert_allclose(forces[0], -forces[1], rtol=0, atol=1e-14)
        return float(-forces[1] @ np.array([2.0, -1.0, 2.0]) / 3.0)


@pytest.mark.parametrize("symbols", ["HH", "CC", "HC", "HO"])
def test_forces_along_a_dissociation(path: Path, symbols: str) -> None:
    dimer = Dimer(path, symbols)
    # inside, at and around the begin of the switching, in it, and on both sides of the cutoff
    edges = [EDGES.get(s, 3.0) for s in symbols]
    for r in (2.0, *edges, edges[0] - 3e-4, edges[0] + 3e-4, 3.9, 5.3, 5.999, CUTOFF, CUTOFF + 1e-4, 6.5):
        expected = derivative(lambda h, r=r: dimer.energy(r + h), 3e-4)
        # measured: 1e-9 where derivatives go on; third ones jump at the begin and at the cutoff
        assert dimer.slope(r) == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize(
    ("symbols", "backend"), [("HH", "core"), ("CC", "core"), ("HC", "core"), ("HC", "torchscript")]
)
def test_dissociation_ends_at_the_free_atoms(path: Path, symbols: str, backend: str) -> None:
    dimer = Dimer(path, symbols, backend)
    free = sum(FREE[s]["energy"] for s in symbols)
    assert dimer.energy(CUTOFF) == dimer.energy(100.0) == free
    assert dimer.slope(CUTOFF) == 0.0
    before = dimer.energy(CUTOFF - 1e-4)
    # with the third power of the distance to the cutoff
    assert before == pytest.approx(free, abs=1e-9)
    gaps = np.array([0.04, 0.02, 0.01])
    slopes = np.abs([dimer.slope(CUTOFF - gap) for gap in gaps])
    assert (slopes < gaps).all()
    assert (slopes[1:] < 0.3 * slopes[:-1]).all()


@pytest.mark.parametrize("edge", [3.0, 4.8, CUTOFF])
def test_second_derivatives_do_not_jump(path: Path, edge: float) -> None:
    dimer = Dimer(path, "HC")
    h = 1e-4
    left = (dimer.slope(edge) - dimer.slope(edge - h)) / h
    right = (dimer.slope(edge + h) - dimer.slope(edge)) / h
    inside = max(abs(dimer.slope(r + h) - dimer.slope(r)) / h for r in (3.5, 4.0, 5.0))
    assert inside > 1e-2
    assert left == pytest.approx(right, abs=5e-3 * inside)


@pytest.mark.parametrize("symbols", ["HH", "HC", "HCH"])
def test_energy_is_conserved_when_a_molecule_falls_apart(path: Path, symbols: str) -> None:
    positions = np.array([[0.0, 0, 0], [2.2, 0, 0], [0.3, 2.1, 0]])[: len(symbols)]
    atoms = Atoms(symbols, positions, calculator=LMLPCalculator(path, threads=1))
    # 2 eV of each atom, away from the others
    away = positions - atoms.get_center_of_mass()
    away /= np.linalg.norm(away, axis=1)[:, None]
    atoms.set_momenta(np.sqrt(2.0 * 2.0 * atoms.get_masses())[:, None] * away)
    start, potential = atoms.get_total_energy(), atoms.get_potential_energy()
    dynamics = VelocityVerlet(atoms, 0.1 * units.fs)
    found = []
    dynamics.attach(lambda: found.append(atoms.get_total_energy()), interval=5)
    dynamics.run(800)
    assert atoms.get_all_distances()[np.triu_indices(len(atoms), 1)].min() > CUTOFF
    assert atoms.get_potential_energy() == pytest.approx(sum(FREE[s]["energy"] for s in symbols), abs=1e-12)
    change = abs(atoms.get_potential_energy() - potential)
    assert change > 0.1
    # measured: 5e-4 on the way, of the second order of the time step, and 1.5e-5 eV in the end
    assert np.ptp(found) < 2e-3
    assert found[-1] == pytest.approx(start, abs=1e-4)


def test_an_unknown_element_is_not_touched(path: Path, tmp_path: Path) -> None:
    bare = write_random_model(tmp_path / "bare.pt", "eeacsf-153", ELEMENTS)
    for r in (1.5, 4.0, 5.5, 7.0):
        assert Dimer(path, "OO").energy(r) == Dimer(bare, "OO").energy(r)
