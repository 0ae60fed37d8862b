"""Small random models and structures that many tests share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from lmlp.descriptor.presets import make_preset
from lmlp.export.random_model import RandomModelOptions, random_model
from lmlp.export.writing import write_model_file
from lmlp.model.data import ModelData

# one preset each, elements of several blocks; small networks keep the tests quick
PRESET_ELEMENTS = {
    "eeacsf-153": ["H", "C", "O"],
    "eeacsf-bump": ["O", "Ti", "Sr"],
    "eeacsf-resolved": ["H", "N", "Si"],
    "eeacsf-correlation": ["H", "C", "Fe"],
}
# of H, C, O in the structures below (densities of 2 to 5): no H reaches its density, some C do, O has none
FREE_ATOMS = {"H": {"energy": -1.25, "density": 8.0}, "C": {"energy": 0.75, "density": 5.1}}


def write_random_model(
    path: Path,
    preset: str,
    elements: list[str],
    members: int = 3,
    seed: int = 1,
    free_atoms: dict[str, Any] | None = None,
    *,
    spread_maps: bool = False,
    distance: bool = False,
) -> Path:
    """Write a random model with small networks, unverified: the export's own tests verify."""
    options = RandomModelOptions(n_members=members, hidden_layers=(14, 9), seed=seed, n_atoms=24)
    model = replace(random_model(make_preset(preset, elements), elements, options), free_atoms=free_atoms)
    if spread_maps:
        model = replace(model, spread_maps=some_spread_maps(elements))
    if distance:
        model = with_distance(model)
    write_model_file(model, path, verify=False)
    return path


def some_spread_maps(elements: list[str]) -> dict[str, Any]:
    """Return a ``spread_maps`` block whose numbers all differ."""
    forces = {name: {"floor": 0.02 * (e + 1), "factor": 1.5 + 0.5 * e} for e, name in enumerate(elements)}
    return {
        "energy": {"floor": 0.002, "factor": 1.25},
        "forces": forces,
        "stress": {"floor": 0.003, "factor": 0.75},
    }


def with_distance(model: ModelData, n_axes: int = 5, seed: int = 3) -> ModelData:
    """Give a model distances of the order of 1, with random axes."""
    rng = np.random.default_rng(seed)
    shape = (len(model.elements), model.n_features, n_axes)
    axes = np.stack([np.linalg.qr(rng.normal(size=shape[1:]))[0].T for _ in model.elements])
    shares = np.sqrt(1.0 - rng.uniform(1e-3, 0.5, (shape[0], n_axes, 1)))
    return replace(
        model,
        distance={"quantile": 0.999, "atoms": dict.fromkeys(model.elements, 1000)},
        distance_shift=model.shift[0],
        distance_scale=0.7 / np.sqrt(model.n_features) * model.scale[0],
        distance_axes=shares * axes,
    )


def single_members(model: ModelData) -> list[ModelData]:
    """Return each member as a model of its own."""
    return [
        replace(
            model,
            scale=model.scale[m : m + 1],
            shift=model.shift[m : m + 1],
            weights=[w[m : m + 1] for w in model.weights],
            biases=[b[m : m + 1] for b in model.biases],
            spread_maps=None,
        )
        for m in range(model.n_members)
    ]


def random_crystal(symbols: list[str], n_atoms: int = 14, seed: int = 0, spacing: float = 2.3) -> Atoms:
    """Make a triclinic periodic structure without short distances."""
    rng = np.random.default_rng(seed)
    side = int(np.ceil(n_atoms ** (1.0 / 3.0)))
    grid = np.array([(i, j, k) for i in range(side) for j in range(side) for k in range(side)], float)
    chosen = grid[rng.permutation(len(grid))[:n_atoms]] / side
    cell = side * spacing * np.array([[1.0, 0.0, 0.0], [0.17, 1.06, 0.0], [-0.12, 0.21, 0.95]])
    positions = chosen @ cell + rng.uniform(-0.2, 0.2, (n_atoms, 3))
    names = [symbols[i % len(symbols)] for i in range(n_atoms)]
    return Atoms(names, positions, cell=cell, pbc=True)


def random_molecule(symbols: list[str], n_atoms: int = 9, seed: int = 0) -> Atoms:
    """Make a cluster without a cell."""
    atoms = random_crystal(symbols, n_atoms, seed, spacing=1.6)
    return Atoms(atoms.symbols, atoms.positions)
