"""A model of the original prediction program through the calculator: its energies, forces, uncertainties."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from lmlp import LMLPCalculator
from lmlp.export.original import import_original
from lmlp.export.writing import write_model_file

DATA = Path(__file__).resolve().parents[2] / "data" / "original_format"
STRUCTURES = json.loads((DATA / "expected.json").read_text())["structures"]
# sums of some thousand terms in float64 on both sides; measured agreement is 1e-14
TOLERANCE = 1e-11


@pytest.fixture(scope="module")
def original_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("original") / "model.pt"
    write_model_file(import_original(DATA / "model.ini"), path, verify=False)
    return path


@pytest.mark.parametrize("backend", ["core", "torchscript"])
@pytest.mark.parametrize("case", STRUCTURES, ids=lambda case: case["name"])
def test_original_values(case: dict[str, Any], backend: str, original_path: Path) -> None:
    atoms = Atoms(case["symbols"], case["positions"], cell=case["cell"], pbc=case["cell"] is not None)
    atoms.calc = LMLPCalculator(original_path, backend=backend)
    for name in ("energy", "forces", "energy_uncertainty", "forces_uncertainty"):
        np.testing.assert_allclose(
            atoms.calc.get_property(name, atoms), case[name], rtol=TOLERANCE, atol=TOLERANCE
        )
    facts, n = atoms.calc.facts, len(atoms)
    grade = max(
        case["energy_uncertainty"] / (n * facts.energy_rmse),
        np.max(case["forces_uncertainty"]) / facts.force_rmse,
    )
    assert atoms.calc.get_property("grade", atoms) == pytest.approx(grade, rel=TOLERANCE)
