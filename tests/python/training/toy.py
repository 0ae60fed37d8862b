"""Small clusters and crystals of a pair potential: references that are exact and cheap."""

from pathlib import Path
from typing import Any

import numpy as np
from lmlp.config.validate import merge
from lmlp.io import write_structures
from lmlp.structure import Structure
from lmlp.training import Observer, TrainConfig, make_config
from lmlp.training.context import Context
from lmlp.training.fresh import fresh_plan
from lmlp.training.run import Run

OFFSET = {1: -13.0, 8: -430.0}
DEPTH = 2.0
LENGTH = {(1, 1): 0.9, (1, 8): 1.1, (8, 8): 1.4}


def label(numbers, positions, cell=None, reach=3.4, source="", stress=False) -> Structure:
    """Energy, forces and stress of a sum of smooth pair terms plus an energy per atom."""
    periodic = cell is not None
    cell = np.zeros((3, 3)) if cell is None else np.asarray(cell, float)
    images = [(0, 0, 0)]
    if periodic:
        images = [(a, b, c) for a in (-1, 0, 1) for b in (-1, 0, 1) for c in (-1, 0, 1)]
    energy = float(sum(OFFSET[int(z)] for z in numbers))
    forces = np.zeros((len(numbers), 3))
    virial = np.zeros((3, 3))
    for i in range(len(numbers)):
        for j in range(len(numbers)):
            for image in images:
                d = positions[j] + np.array(image) @ cell - positions[i]
                r = np.linalg.norm(d)
                if r < 1e-9 or r >= reach:
                    continue
                r0 = LENGTH[tuple(sorted((int(numbers[i]), int(numbers[j]))))]
                x, dx = np.exp(-(r - r0)), -np.exp(-(r - r0))
                f, df = (1 - (r / reach) ** 2) ** 3, -6 * r / reach**2 * (1 - (r / reach) ** 2) ** 2
                v, dv = DEPTH * (x * x - 2 * x), DEPTH * (2 * x - 2) * dx
                energy += 0.5 * v * f
                slope = 0.5 * (dv * f + v * df)
                forces[i] += slope * d / r
                forces[j] -= slope * d / r
                virial += slope * np.outer(d, d) / r
    volume = abs(np.linalg.det(cell)) if periodic else 1.0
    return Structure(
        numbers=np.array(numbers, np.int32),
        positions=np.array(positions, float),
        cell=cell,
        pbc=np.array([periodic] * 3),
        energy=energy,
        forces=forces,
        stress=virial / volume if stress else None,
        source=source,
    )


def clusters(n: int, seed: int = 0, sizes=(3, 4, 5)) -> list[Structure]:
    """Distorted H/O clusters of different size and composition."""
    rng = np.random.default_rng(seed)
    result = []
    for k in range(n):
        size = sizes[k % len(sizes)]
        grid = 1.15 * np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0)], float)[:size]
        numbers = [8, *rng.choice([1, 8], size - 1)]
        rng.shuffle(numbers)
        result.append(label(numbers, grid + rng.normal(0, 0.12, (size, 3)), source=f"toy.xyz:{k}"))
    return result


def crystals(n: int, seed: int = 0) -> list[Structure]:
    """Distorted, strained cells of two atoms with stress."""
    rng = np.random.default_rng(seed)
    result = []
    for k in range(n):
        cell = 2.6 * (np.eye(3) + rng.normal(0, 0.05, (3, 3)))
        positions = np.array([(0, 0, 0), (0.5, 0.5, 0.5)]) @ cell + rng.normal(0, 0.1, (2, 3))
        result.append(label([1, 8], positions, cell, source=f"crystal.xyz:{k}", stress=True))
    return result


SPEC = {
    "type": "eeACSF",
    "cutoff": 3.5,
    "radial": "gaussian_bump",
    "angular": "cos_int",
    "scaling": "linear",
    "table": "h-xe",
    "functions": [
        *({"kind": "radial", "weight": w, "eta": eta} for w in ("1", "n") for eta in (0.0, 0.4, 1.5)),
        *(
            {"kind": "angular", "weight": w, "combine": "sum", "eta": 0.1, "lambda": lam, "zeta": 2}
            for w in ("1", "n")
            for lam in (1, -1)
        ),
    ],
}


def settings(folder: Path, structures: list[Structure], **more: Any) -> TrainConfig:
    """A small configuration whose data lie in ``folder``."""
    data = folder / "train.xyz"
    if not data.exists():
        write_structures(data, structures)
    values: dict[str, Any] = {
        "data": str(data),
        "output": str(folder / "model.pt"),
        "descriptor": {"spec": SPEC},
        "model": {"members": 2, "hidden": [6, 5]},
        "batch_size": 3,
        "epochs": 3,
        "dtype": "float64",
        "threads": 1,
        "valid_fraction": 0.2,
        "holdout_fraction": 0.1,
    }
    return make_config(merge(values, more))


def prepared(config: TrainConfig, observer: Observer | None = None, **more: Any) -> Run:
    """A run that is ready to train; ``more`` is told its context."""
    context = Context(config, observer, **more)
    return Run(fresh_plan(config, context), context)
