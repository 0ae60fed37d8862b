"""Core and TorchScript, thread counts, skins: one result."""

from __future__ import annotations

import numpy as np
import pytest

from tests.physics.conftest import Model

NAMES = ("energy", "energies", "forces", "stress", "energy_std", "forces_std", "energy_uncertainty", "grade")
NAMES += ("forces_uncertainty", "sigma_forces", "grades", "stress_std", "pressure_std", "member_energies")
OF_MAPPED = ("stress_uncertainty", "pressure_uncertainty", "distances", "distance")


def names_of(model: Model) -> tuple[str, ...]:
    return NAMES + OF_MAPPED if model.mapped else NAMES


def test_core_and_torchscript_agree(model: Model) -> None:
    atoms = model.crystal()
    core = model.calculator(uncertainty=True)
    script = model.calculator(backend="torchscript", uncertainty=True)
    for name in names_of(model):
        np.testing.assert_allclose(
            core.get_property(name, atoms), script.get_property(name, atoms), rtol=1e-10, atol=1e-10
        )


def test_thread_counts_give_the_same_bits(model: Model) -> None:
    atoms = model.crystal(n_atoms=27)
    one, two = (model.calculator(threads=n, uncertainty=True) for n in (1, 2))
    for name in names_of(model):
        np.testing.assert_array_equal(one.get_property(name, atoms), two.get_property(name, atoms))


def test_asking_for_uncertainty_changes_no_bit(model: Model) -> None:
    atoms = model.crystal()
    plain, watched = model.calculator(), model.calculator(uncertainty=True)
    np.testing.assert_array_equal(plain.get_property("forces", atoms), watched.get_property("forces", atoms))
    assert plain.get_property("energy", atoms) == watched.get_property("energy", atoms)


def test_skin_does_not_matter(model: Model) -> None:
    rng = np.random.default_rng(7)
    atoms = model.crystal()
    reused, fresh = model.calculator(skin=1.0), model.calculator(skin=0.0)
    for _ in range(25):
        atoms.positions += rng.normal(0.0, 0.02, atoms.positions.shape)
        np.testing.assert_allclose(
            reused.get_property("forces", atoms), fresh.get_property("forces", atoms), rtol=0.0, atol=1e-11
        )
    assert reused.n_neighbor_builds < 5
    assert fresh.n_neighbor_builds == 25


@pytest.mark.parametrize("backend", ["core", "torchscript"])
def test_isolated_atoms(model: Model, backend: str) -> None:
    from ase import Atoms

    atoms = Atoms(model.elements[:2], [[0, 0, 0], [50, 0, 0]])
    atoms.calc = model.calculator(backend=backend)
    np.testing.assert_array_equal(atoms.get_forces(), 0.0)
    assert np.isfinite(atoms.get_potential_energy())
