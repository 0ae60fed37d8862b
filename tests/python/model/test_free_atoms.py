"""The term of free atoms itself: densities, where it switches, what a block may be."""

import numpy as np
import pytest
from ase import Atoms
from lmlp.errors import InvalidArgumentError
from lmlp.model.free_atoms import neighbor_density, parse_free_atoms, switching_density
from lmlp.neighbors import find_neighbors

CUTOFF = 4.0


def densities(positions, cell=None, cutoff=CUTOFF, listed=CUTOFF):
    pairs = find_neighbors(np.asarray(positions, float), cell, cell is not None, listed)
    return neighbor_density(pairs, cutoff)


def test_density_by_hand():
    # distances 2, 3 and √13 Å: (1 − 4/16)³, (1 − 9/16)³ and (1 − 13/16)³
    near, middle, far = 0.75**3, (7 / 16) ** 3, (3 / 16) ** 3
    expected = [near + middle, near + far, middle + far, 0.0]
    found = densities([[0, 0, 0], [2, 0, 0], [0, 3, 0], [9, 9, 9]])
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_images_count_and_pairs_beyond_the_cutoff_do_not():
    # one atom per cell: six images at 3 Å, twelve at 3√2 Å, which are beyond the cutoff
    cell = 3.0 * np.eye(3)
    for listed in (4.0, 6.5):
        found = densities([[0.1, 0.2, 0.3]], cell, listed=listed)
        assert found == pytest.approx([6 * (7 / 16) ** 3], rel=1e-14)
    assert (densities([[0, 0, 0], [CUTOFF, 0, 0]], listed=6.0) == 0.0).all()
    assert densities(np.zeros((0, 3))).shape == (0,)


def test_the_switching_lies_below_the_data_and_is_wide_enough():
    assert switching_density(3.0) == 1.5
    # atoms that hardly feel each other do not make a wall: 5 % of the cutoff are left for the way
    limit = switching_density(1e-9)
    assert limit == switching_density(0.0) == pytest.approx(0.5 * (1 - 0.95**2) ** 3)
    assert switching_density(2.0 * limit) == limit


def test_block_there_and_back():
    block = {"O": {"energy": -2040, "density": 2}, "H": {"energy": -13.5, "density": 0.25}}
    free = parse_free_atoms(block, ["H", "C", "O"])
    np.testing.assert_array_equal(free.densities, [0.25, 0.0, 2.0])
    np.testing.assert_array_equal(free.energies, [-13.5, np.nan, -2040.0])
    assert free.block() == block
    assert parse_free_atoms(None, ["H"]) is None
    assert parse_free_atoms({}, ["H"]).block() == {}


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ([1], r"free_atoms is \[1\], not an object"),
        ({"C": {"energy": 0, "density": 1}}, "free_atoms has C, but the elements of the model are H, O"),
        ({"H": -13.6}, "free_atoms of H is -13.6, not an object"),
        ({"H": {"energy": 0}}, "exactly the keys energy and density"),
        ({"H": {"energy": 0, "density": 1, "radius": 1}}, "exactly the keys energy and density"),
        *(
            ({"O": {"energy": bad, "density": 1}}, "energy of O is .*, not a finite number")
            for bad in (float("nan"), float("inf"), 10**400, "-13.6", True, None, [1.0])
        ),
        *(
            ({"O": {"energy": 0, "density": bad}}, "density of O is .*, not")
            for bad in (0, -1, -0.0, float("nan"), float("inf"), 10**400, "1", True, None, [1.0])
        ),
    ],
)
def test_impossible_blocks_are_refused(block, message):
    with pytest.raises(InvalidArgumentError, match=message):
        parse_free_atoms(block, ["H", "O"])


def test_dimer_and_crystal_are_told_apart():
    # copper at 3.6 Å and its dimer at 2.2 Å, cutoff 6 Å: the bond of a dimer is no crystal
    from ase.build import bulk

    atoms = bulk("Cu", a=3.6)
    crystal = densities(atoms.positions, atoms.cell.array, cutoff=6.0, listed=6.0)[0]
    dimer = densities(Atoms("Cu2", [[0, 0, 0], [0, 0, 2.2]]).positions, cutoff=6.0, listed=6.0)[0]
    assert dimer < 0.1 * crystal
