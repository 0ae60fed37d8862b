"""One random model per preset, one of them with spread maps and a distance, and one with free atoms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from ase import Atoms
from lmlp import LMLPCalculator

from tests.models import FREE_ATOMS, PRESET_ELEMENTS, random_crystal, random_molecule, write_random_model


@dataclass(frozen=True)
class Model:
    path: Path
    elements: list[str]
    free_atoms: bool = False
    mapped: bool = False

    def calculator(self, **options: object) -> LMLPCalculator:
        # one thread: a shared machine stalls OpenMP's barriers, and bits do not depend on it
        return LMLPCalculator(self.path, **{"threads": 1, **options})

    def crystal(self, n_atoms: int = 14, seed: int = 0, spacing: float = 2.3) -> Atoms:
        atoms = random_crystal(self.elements, n_atoms, seed, spacing)
        atoms.calc = self.calculator()
        return atoms

    def molecule(self, n_atoms: int = 9, seed: int = 0) -> Atoms:
        atoms = random_molecule(self.elements, n_atoms, seed)
        atoms.calc = self.calculator()
        return atoms


@pytest.fixture(scope="session", params=[*PRESET_ELEMENTS, "free atoms"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    path = tmp_path_factory.mktemp("models") / f"{request.param}.pt"
    if request.param == "free atoms":
        elements = ["H", "C", "O"]
        return Model(write_random_model(path, "eeacsf-153", elements, free_atoms=FREE_ATOMS), elements, True)
    elements, mapped = PRESET_ELEMENTS[request.param], request.param == "eeacsf-correlation"
    write_random_model(path, request.param, elements, spread_maps=mapped, distance=mapped)
    return Model(path, elements, mapped=mapped)
