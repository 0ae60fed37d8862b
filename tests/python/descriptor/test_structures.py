"""Symmetry functions of a structure: neighbors and species are found inside."""

import numpy as np
import pytest
from ase import Atoms
from lmlp.descriptor import Descriptor, make_preset
from lmlp.environments import Environments
from lmlp.errors import GeometryError, InvalidArgumentError, UnknownElementError
from lmlp.neighbors import find_neighbors
from lmlp.structure import Structure

from tests.models import PRESET_ELEMENTS, random_crystal, random_molecule


def pairs_of(atoms: Atoms, elements: list[str], cutoff: float) -> tuple[Environments, np.ndarray]:
    pairs = find_neighbors(atoms.positions, atoms.cell.array, atoms.pbc, cutoff)
    species = np.array([elements.index(symbol) for symbol in atoms.symbols], dtype=np.int32)
    return pairs, species[pairs.neighbors]


@pytest.mark.parametrize("name", PRESET_ELEMENTS)
@pytest.mark.parametrize("make", [random_crystal, random_molecule])
def test_same_as_pair_lists(name, make):
    elements = list(reversed(PRESET_ELEMENTS[name]))  # species are not in the order of atomic numbers
    descriptor = Descriptor.from_preset(name, elements)
    assert descriptor.spec == Descriptor(make_preset(name, elements), elements).spec
    atoms = make(elements)
    expected = descriptor.features(*pairs_of(atoms, elements, descriptor.cutoff))
    np.testing.assert_array_equal(descriptor.features(atoms), expected)
    structure = Structure(atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc)
    np.testing.assert_array_equal(descriptor.features(structure), expected)


def test_options_of_presets():
    wide = Descriptor.from_preset("eeacsf-resolved", ["H", "O"], 5.5, n_radial=7)
    assert wide.spec == Descriptor(make_preset("eeacsf-resolved", ["H", "O"], 5.5, n_radial=7), "HO").spec
    with pytest.raises(InvalidArgumentError, match="unknown preset 'eeacsf'; allowed are"):
        Descriptor.from_preset("eeacsf", ["H"])


def test_what_does_not_go_together():
    descriptor = Descriptor.from_preset("eeacsf-153", ["H", "O"])
    atoms = random_molecule(["H", "O"])
    pairs, species = pairs_of(atoms, ["H", "O"], descriptor.cutoff)
    with pytest.raises(InvalidArgumentError, match="neighbor_species: not given beside a pair list"):
        descriptor.features(pairs)
    with pytest.raises(InvalidArgumentError, match="neighbor_species: given beside a structure"):
        descriptor.features(atoms, species)
    with pytest.raises(UnknownElementError, match="C, Fe: not an element of this descriptor, which has H, O"):
        descriptor.features(Atoms("CFeH", [[0, 0, 0], [0, 0, 2], [0, 2, 0]]))
    with pytest.raises(GeometryError):
        descriptor.features(Atoms("H2", [[0, 0, 0], [0, 0, 0]]))
