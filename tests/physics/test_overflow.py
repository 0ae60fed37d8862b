"""Weights that overflow give an error in every door, never a NaN or an infinite force."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lmlp import LMLPCalculator, _core
from lmlp.errors import NotFiniteError
from lmlp.export.model_file import read_model_file, write_model_file
from lmlp.neighbors import find_neighbors

from tests.models import random_crystal, write_random_model

ELEMENTS = ["H", "C", "O"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Models whose energies, forces or nothing but uncertainties overflow."""
    folder = tmp_path_factory.mktemp("overflow")
    model = read_model_file(write_random_model(folder / "sound.pt", "eeacsf-153", ELEMENTS))
    last, first = model.weights[-1], model.weights[0]
    size = np.abs(last).max()
    models = {
        "energy": replace(model, weights=[*model.weights[:-1], last / size * 1.7e308]),
        # saturated units: derivative 0 times infinite weights
        "forces": replace(model, weights=[first * 1e200, *model.weights[1:]], scale=model.scale * 1e200),
        # squares of deviations overflow, the numbers themselves do not
        "sigma": replace(model, weights=[*model.weights[:-1], last / size * 1e200]),
    }
    for name, data in models.items():
        write_model_file(data, folder / f"{name}.pt", verify=False)
    return {name: folder / f"{name}.pt" for name in ("sound", *models)}


@pytest.mark.parametrize("name", ["energy", "forces"])
@pytest.mark.parametrize("threads", [1, 2])
def test_core(files: dict[str, Path], name: str, threads: int) -> None:
    atoms = random_crystal(ELEMENTS, 40)
    potential = _core.Potential(str(files[name]))
    pairs = find_neighbors(atoms.positions, atoms.cell.array, True, potential.info()["cutoff"])
    species = np.array([ELEMENTS.index(s) for s in atoms.symbols], dtype=np.int32)
    arguments = (pairs.offsets, species, species[pairs.neighbors], pairs.vectors)
    # of the first element's first bad center, whatever the number of threads
    with pytest.raises(NotFiniteError, match=r"of center 0 \(H\) is not a finite number"):
        potential.evaluate(*arguments, n_threads=threads)


@pytest.mark.parametrize("backend", ["core", "torchscript"])
@pytest.mark.parametrize("name", ["energy", "forces", "sigma"])
def test_calculator(files: dict[str, Path], name: str, backend: str) -> None:
    atoms = random_crystal(ELEMENTS)
    atoms.calc = LMLPCalculator(files[name], backend=backend, threads=1)
    if name == "sigma":
        assert np.isfinite(atoms.get_forces()).all()
        with (
            np.errstate(over="ignore", invalid="ignore"),
            pytest.raises(NotFiniteError, match="uncertainty of the"),
        ):
            atoms.calc.get_property("forces_uncertainty", atoms)
        return
    with pytest.raises(NotFiniteError, match=r"not.*finite"):
        atoms.get_forces()


def test_sound_model(files: dict[str, Path]) -> None:
    atoms = random_crystal(ELEMENTS)
    atoms.calc = LMLPCalculator(files["sound"], threads=1)
    assert np.isfinite(atoms.calc.get_property("forces_uncertainty", atoms)).all()
