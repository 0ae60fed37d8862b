"""σ of the energy without the members' forces: the bits of a full evaluation, and no gradients of members."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from lmlp import LMLPCalculator
from lmlp.calculators import prediction
from lmlp.calculators.backends import CoreBackend, PairResults

from tests.models import random_crystal, random_molecule

SYMBOLS = ["H", "C", "O"]
OF_ENERGY = {"energy_uncertainty", "energy_std", "member_energies"}
PLAIN = {"energy", "free_energy", "energies", "forces", "stress"}


@pytest.fixture
def evaluations(monkeypatch: pytest.MonkeyPatch) -> list[PairResults]:
    """What the core has given."""
    given: list[PairResults] = []
    evaluate = CoreBackend.evaluate

    def noting(self, *arguments, **options):
        given.append(evaluate(self, *arguments, **options))
        return given[-1]

    monkeypatch.setattr(CoreBackend, "evaluate", noting)
    return given


def results_of(model: Path, atoms: Atoms, **options: object) -> dict[str, object]:
    calculator = LMLPCalculator(model, threads=1, **options)
    calculator.get_property("forces", atoms)
    return dict(calculator.results)


@pytest.mark.parametrize("blocks", [False, True])
@pytest.mark.parametrize("precision", ["double", "mixed"])
@pytest.mark.parametrize("name", ["model_path", "mapped_path"])
def test_energies_have_the_bits_of_a_full_evaluation(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    evaluations: list[PairResults],
    name: str,
    precision: str,
    blocks: bool,
) -> None:
    """Of models with spread maps and without, in one piece and block by block."""
    model, atoms = request.getfixturevalue(name), random_crystal(SYMBOLS)
    if blocks:
        monkeypatch.setattr(prediction, "BLOCK_PAIRS", 300)
    full = results_of(model, atoms, precision=precision, uncertainty=True)
    n_full = len(evaluations)
    assert (n_full > 1) == blocks
    found = results_of(model, atoms, precision=precision, uncertainty="energy")
    of_distances = {"distance", "distances"} if name == "mapped_path" else set()
    assert set(found) == PLAIN | OF_ENERGY | of_distances
    assert found["energy_std"] > 1e-4
    for key, value in found.items():
        np.testing.assert_array_equal(value, full[key], err_msg=key)
    assert all(results.member_pair_gradients is not None for results in evaluations[:n_full])
    assert all(results.member_pair_gradients is None for results in evaluations[n_full:])


def test_what_needs_forces_is_computed_when_asked_for(
    mapped_path: Path, evaluations: list[PairResults]
) -> None:
    atoms = random_molecule(SYMBOLS)
    calculator = LMLPCalculator(mapped_path, uncertainty="energy")
    for name in [*sorted(OF_ENERGY), "distances", "forces"]:
        calculator.get_property(name, atoms)
    assert [results.member_pair_gradients for results in evaluations] == [None]
    sigma = calculator.get_property("sigma_forces", atoms)
    expected = LMLPCalculator(mapped_path).get_property("sigma_forces", atoms)
    np.testing.assert_array_equal(sigma, expected)
    assert calculator.get_property("grade", atoms) > 0.0


@pytest.mark.parametrize("name", ["model_path", "mapped_path"])
def test_torchscript(request: pytest.FixtureRequest, name: str) -> None:
    model, atoms = request.getfixturevalue(name), random_crystal(SYMBOLS)
    core = results_of(model, atoms, uncertainty="energy")
    found = results_of(model, atoms, uncertainty="energy", backend="torchscript")
    assert set(found) == set(core)
    for key, value in found.items():
        np.testing.assert_allclose(value, core[key], rtol=0, atol=1e-10, err_msg=key)
