"""Large systems are evaluated in blocks of centers: what is computed does not depend on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from lmlp import LMLPCalculator
from lmlp.calculators import prediction
from lmlp.calculators.backends import CoreBackend

from tests.models import random_crystal


def with_lonely_atoms() -> Atoms:
    """Return a crystal without periodic images, with atoms that have no neighbors among the others."""
    atoms = random_crystal(["H", "C", "O"])
    atoms.set_pbc(False)
    first = Atoms("O", positions=[[100.0, 0.0, 0.0]], cell=[200.0] * 3)
    return first + atoms[:4] + Atoms("HC", positions=[[150.0, 0.0, 0.0], [0.0, 150.0, 0.0]]) + atoms[4:]


@pytest.mark.parametrize("pairs", [1, 37, 100])
@pytest.mark.parametrize("make", [lambda: random_crystal(["H", "C", "O"]), with_lonely_atoms])
def test_blocks_give_the_same_bits(
    model_path: Path, monkeypatch: pytest.MonkeyPatch, make, pairs: int
) -> None:
    sizes: list[int] = []
    evaluate = CoreBackend.evaluate

    def counting(self, environments, *arguments, **options):
        sizes.append(environments.n_pairs)
        return evaluate(self, environments, *arguments, **options)

    monkeypatch.setattr(CoreBackend, "evaluate", counting)
    results = []
    for limit in (10**9, pairs):
        monkeypatch.setattr(prediction, "BLOCK_PAIRS", limit)
        sizes.clear()
        atoms = make()
        atoms.calc = LMLPCalculator(model_path, uncertainty=True)
        atoms.get_stress()
        results.append(atoms.calc.results)
    # as many pairs as allowed, or those of one center
    largest_center = 150
    assert len(sizes) > 1
    assert max(sizes) <= max(pairs, largest_center)
    whole, blocks = results
    for name in ("energies", "forces", "energy_std", "forces_std", "forces_uncertainty", "grade"):
        np.testing.assert_array_equal(whole[name], blocks[name], err_msg=name)
    assert whole["energy"] == blocks["energy"]
    # summed over the blocks first
    np.testing.assert_allclose(blocks["stress"], whole["stress"], rtol=1e-11, atol=1e-16)
