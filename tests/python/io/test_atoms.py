"""``structures_of``: Atoms give what their file gives, and nothing of another structure."""

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from lmlp.errors import DataError, DataWarning, GeometryError
from lmlp.io import DataKeys, read_structures, structures_of, write_structures

from tests.python.training.toy import crystals


def test_as_their_file(tmp_path: Path) -> None:
    path = tmp_path / "data.xyz"
    write_structures(path, crystals(4))
    for ours, theirs in zip(structures_of(ase.io.read(path, ":")), read_structures(path), strict=True):
        assert ours.energy == theirs.energy
        for name in ("numbers", "positions", "cell", "pbc", "forces"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)
        np.testing.assert_allclose(ours.stress, theirs.stress, rtol=1e-12)
        assert ours.source.startswith("atoms:")


def hydrogen(**labels: object) -> Atoms:
    atoms = Atoms("H2", [[0, 0, 0], [0, 0, 0.8]])
    atoms.calc = SinglePointCalculator(atoms, **labels)
    return atoms


def test_labels_from_everywhere() -> None:
    atoms = hydrogen(energy=-1.0)
    atoms.arrays["REF_forces"] = np.ones((2, 3))
    atoms.info["config_type"] = "dimer"
    (one,) = structures_of([atoms])
    assert one.energy == -1.0
    np.testing.assert_array_equal(one.forces, np.ones((2, 3)))
    assert one.info["config_type"] == "dimer"
    atoms.info["dft_energy"] = -2.0
    with pytest.raises(DataError, match="atoms:0: which is the energy"):
        structures_of([atoms])
    assert structures_of([atoms], DataKeys(energy="dft_energy"))[0].energy == -2.0
    with pytest.raises(DataError, match="mine: no frame has 'other' for the energy"):
        structures_of([atoms], DataKeys(energy="other"), name="mine")


def test_units_and_weights_are_told() -> None:
    first, second = hydrogen(energy=-1.0), hydrogen(energy=-1.0)
    first.info["energy_unit"] = second.info["energy_unit"] = "kJ/mol"
    second.info["config_weight"] = 0.0
    with pytest.warns(DataWarning) as told:
        (only,) = structures_of([first, second])
    assert only.energy == pytest.approx(-1.0 / 96.485332, rel=1e-6)
    assert len(told) == 2


def test_raw_forces_and_constraints() -> None:
    atoms = hydrogen(forces=np.ones((2, 3)))
    atoms.set_constraint(FixAtoms([1]))
    (one,) = structures_of([atoms])
    np.testing.assert_array_equal(one.forces, np.ones((2, 3)))
    assert one.info["constrained_atoms"] == [1]


def test_a_shared_calculator_has_results_of_one() -> None:
    calculator = LennardJones()
    images = [hydrogen(), hydrogen()]
    images[1].positions[1, 2] = 1.1
    for atoms in images:
        atoms.calc = calculator
        atoms.get_potential_energy()
    with pytest.raises(DataError, match=r"atoms:0: .* another structure \(positions differ\)"):
        structures_of(images)
    assert structures_of(images[1:])[0].energy == images[1].get_potential_energy()


def test_nothing_is_computed() -> None:
    atoms = hydrogen()
    atoms.calc = LennardJones()
    assert structures_of([atoms])[0].energy is None
    assert not atoms.calc.results


def test_impossible_structures_are_named() -> None:
    with pytest.raises(GeometryError, match=r"atoms:1: pbc="):
        structures_of([hydrogen(), Atoms("H", pbc=True)])
    with pytest.raises(DataError, match="atoms:0: a frame without atoms"):
        structures_of([Atoms()])
    with pytest.raises(DataError, match="atoms: the selection holds no frame"):
        structures_of([])
