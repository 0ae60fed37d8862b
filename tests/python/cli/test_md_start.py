"""What ``lmlp md`` starts from is read as data are read."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from lmlp.cli.md import _read_start
from lmlp.errors import DataError, UnknownElementError

from tests.models import random_crystal

SYMBOLS = ["H", "C", "O"]


@pytest.mark.parametrize("name", ["start.xyz", "start.txt"])
def test_keys_in_lower_case(tmp_path: Path, name: str) -> None:
    atoms = random_crystal(SYMBOLS, n_atoms=6, spacing=2.6)
    ase.io.write(tmp_path / "right.xyz", atoms)
    text = (tmp_path / "right.xyz").read_text().replace("Lattice=", "lattice=")
    (tmp_path / name).write_text(text.replace(' pbc="T T T"', ""))
    found = _read_start(str(tmp_path / name))
    assert found.pbc.all()
    np.testing.assert_array_equal(found.cell.array, ase.io.read(tmp_path / "right.xyz").cell.array)
    np.testing.assert_array_equal(found.numbers, atoms.numbers)


def test_the_last_frame_or_the_named_one(tmp_path: Path) -> None:
    frames = [random_crystal(SYMBOLS, n_atoms=6, spacing=spacing) for spacing in (2.5, 2.6, 2.7)]
    ase.io.write(tmp_path / "start.xyz", frames)
    for name, k in (("start.xyz", 2), ("start.xyz@0", 0), ("start.xyz@1:2", 1)):
        found = _read_start(str(tmp_path / name))
        np.testing.assert_allclose(found.positions, frames[k].positions, atol=1e-7)  # as written
        np.testing.assert_allclose(found.cell.array, frames[k].cell.array, atol=1e-7)
    with pytest.raises(DataError, match="3 frames"):
        _read_start(str(tmp_path / "start.xyz@:"))


DUMP = """ITEM: TIMESTEP
0
ITEM: NUMBER OF ATOMS
2
ITEM: BOX BOUNDS pp pp pp
0 5
0 5
0 5
ITEM: ATOMS id {columns} x y z
1 {first} 1 1 1
2 {second} 2 2 2
"""


def test_elements_of_a_dump_are_never_made_up(tmp_path: Path) -> None:
    (tmp_path / "a.lammpstrj").write_text(DUMP.format(columns="type", first="1", second="2"))
    with pytest.raises((DataError, UnknownElementError), match="element"):
        _read_start(str(tmp_path / "a.lammpstrj"))
    (tmp_path / "b.lammpstrj").write_text(DUMP.format(columns="type element", first="1 Cu", second="2 O"))
    found = _read_start(str(tmp_path / "b.lammpstrj"))
    assert found.get_chemical_formula() == "CuO"
    assert found.pbc.all()
    assert found.cell.lengths() == pytest.approx([5, 5, 5])
