"""Distances along paths from the training data to nonsense: they grow, and do not fall back."""

from itertools import combinations_with_replacement

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from lmlp.descriptor.compute import Descriptor
from lmlp.descriptor.presets import make_preset
from lmlp.model.distance_fit import fit_distance
from lmlp.model.scaling import feature_moments

ELEMENTS = ["H", "C", "O"]
THRESHOLD = 3.0


class Judge:
    """Distances by the functions of structures of ethanol, atoms moved by 0.05 Å in each direction."""

    def __init__(self) -> None:
        self.start = molecule("CH3CH2OH")
        self.descriptor = Descriptor(make_preset("eeacsf-153", ELEMENTS), ELEMENTS)
        self.training = [self._shaken(np.random.default_rng(seed)) for seed in range(250)]
        chunks = [(self.descriptor.features(a), self.species(a)) for a in self.training]
        moments = feature_moments(chunks, len(ELEMENTS), chunks[0][0].shape[1])
        self.distance = fit_distance(moments, chunks).distance

    def _shaken(self, rng: np.random.Generator) -> Atoms:
        atoms = self.start.copy()
        atoms.positions += rng.normal(0.0, 0.05, (len(atoms), 3))
        return atoms

    def species(self, atoms: Atoms) -> np.ndarray:
        return np.array([ELEMENTS.index(s) for s in atoms.symbols])

    def __call__(self, atoms: Atoms) -> np.ndarray:
        return self.distance(self.descriptor.features(atoms), self.species(atoms))

    def others(self, number: int) -> np.ndarray:
        return np.array([self(self._shaken(np.random.default_rng(1000 + k))).max() for k in range(number)])


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge()


def test_what_is_like_the_training_data_is_near(judge: Judge) -> None:
    inside = np.concatenate([judge(atoms) for atoms in judge.training])
    assert 0.0 < (inside > 1.0).sum() <= 0.001 * len(inside) + len(ELEMENTS)
    others = judge.others(100)
    assert np.median(others) < 1.0
    assert others.max() < 2.0


def test_compression(judge: Judge) -> None:
    largest = []
    for factor in np.linspace(1.0, 0.5, 26):
        atoms = judge.start.copy()
        atoms.positions *= factor
        largest.append(judge(atoms).max())
    assert largest[0] < 1.0
    assert (np.diff(largest) > 0.0).all()
    assert largest[15] > THRESHOLD  # 0.7
    assert largest[-1] > 3.0 * THRESHOLD


def test_a_broken_bond(judge: Judge) -> None:
    oxygen = int(np.flatnonzero(judge.start.numbers == 8)[0])
    hydrogens = np.flatnonzero(judge.start.numbers == 1)
    hydrogen = hydrogens[judge.start.get_distances(oxygen, hydrogens).argmin()]
    bond = judge.start.positions[hydrogen] - judge.start.positions[oxygen]
    largest = []
    for stretch in np.linspace(1.0, 6.0, 24):
        atoms = judge.start.copy()
        atoms.positions[hydrogen] = atoms.positions[oxygen] + stretch * bond
        largest.append(judge(atoms).max())
    assert (np.diff(largest) > 0.0).all()
    assert largest[6] > THRESHOLD  # 2.3 times its length


@pytest.mark.parametrize("pair", list(combinations_with_replacement(ELEMENTS, 2)))
def test_two_atoms_alone(judge: Judge, pair: tuple[str, str]) -> None:
    for apart in np.arange(0.3, 12.0, 0.1):  # beyond the cutoff all functions are zero
        assert judge(Atoms(pair, [(0, 0, 0), (0, 0, apart)])).max() > THRESHOLD
