"""Random environments and specs of every form."""

from __future__ import annotations

from typing import Any

import numpy as np
from lmlp.environments import Environments

ELEMENTS = ["H", "C", "O", "Fe"]
# A new form of the core has no test before it is here (test_forms.py).
RADIAL: dict[str, list[dict[str, float]]] = {
    "bump": [{"eta": 0.5}, {"eta": 2.0}],
    "gaussian_bump": [{"eta": 0.0}, {"eta": 0.3}],
    "gaussian_cos": [{"eta": 0.0}, {"eta": 0.3}],
    "gaussian_shift": [{"eta": 0.4, "shift": 0.8}, {"eta": 1.5, "shift": 3.0}],
}
JUMPING_ROOTS = ["gaussian_cos"]  # with the scaling sqrt the forces jump at the cutoff
ANGULAR: dict[str, list[dict[str, Any]]] = {
    "cos_int": [{"lambda": 1, "zeta": 1}, {"lambda": -1, "zeta": 4}],
    "cos": [
        {"lambda": 1, "zeta": 2, "xi": 1},
        {"lambda": -1, "zeta": 1, "xi": 3},
        {"lambda": -1, "zeta": 3, "xi": 2},
    ],
    "bump": [{"lambda": 0, "xi": 0.5}, {"lambda": 1, "xi": 2.0}],
    "legendre": [{"l": 0}, {"l": 1}, {"l": 3}],
}
SCALINGS = ["linear", "sqrt", "crss"]
WEIGHTS = [
    {"weight": "1"},
    {"weight": "s", "combine": "difference"},
    {"weight": "11-d", "combine": "difference"},
    {"weight": "n", "combine": "product", "weight2": "s"},
]


def all_forms() -> list[tuple[str, str, str]]:
    """Every combination that the core accepts."""
    forms = [(r, a, s) for r in RADIAL for a in ANGULAR for s in SCALINGS]
    return [(r, a, s) for r, a, s in forms if not (a == "legendre" and s != "linear")]


def make_spec(
    radial: str, angular: str, scaling: str, cutoff: float = 5.0, angular_cutoff: float | None = None
) -> dict[str, Any]:
    """A spec with every weight, parameter set and combination of the forms."""
    functions: list[dict[str, Any]] = []
    for parameters in RADIAL[radial]:
        functions += [{"kind": "radial", "weight": w, **parameters} for w in ("1", "s", "11-d")]
        functions += [
            {"kind": "angular", **parameters, **weight, **row}
            for weight in WEIGHTS
            for row in ANGULAR[angular]
        ]
    spec = {"type": "eeACSF", "cutoff": cutoff, "radial": radial, "angular": angular, "scaling": scaling}
    if angular_cutoff is not None:
        spec["angular_cutoff"] = angular_cutoff
    return {**spec, "table": "h-xe", "allow_nonsmooth": True, "functions": functions}


def make_element_spec(elements: list[str], cutoff: float = 5.0) -> dict[str, Any]:
    """Element mode: plain ACSFs of every element and element pair."""
    functions: list[dict[str, Any]] = [
        {"kind": "radial", "weight": e, "eta": eta} for e in elements for eta in (0.0, 0.4)
    ]
    functions += [
        {"kind": "angular", "weight": a, "weight2": b, "eta": 0.1, "lambda": lam, "zeta": zeta}
        for i, a in enumerate(elements)
        for b in elements[i:]
        for lam, zeta in ((1, 1), (-1, 2), (1, 8))
    ]
    forms = {"radial": "gaussian_cos", "angular": "cos_int", "scaling": "linear"}
    return {"type": "ACSF", "cutoff": cutoff, **forms, "functions": functions}


def random_environments(
    seed: int, counts: list[int], n_species: int = len(ELEMENTS), reach: float = 5.5
) -> tuple[Environments, np.ndarray]:
    """Centers with the given numbers of neighbors, 0.8 to ``reach`` Å away, directions at random."""
    rng = np.random.default_rng(seed)
    n = sum(counts)
    u = rng.normal(size=(n, 3))
    vectors = u / np.linalg.norm(u, axis=1)[:, None] * rng.uniform(0.8, reach, (n, 1))
    species = rng.integers(0, n_species, n).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return make(vectors, offsets), species


def make(vectors: Any, offsets: Any = None) -> Environments:
    """Environments from vectors; one center unless offsets are given."""
    vectors = np.asarray(vectors, dtype=float).reshape(-1, 3)
    if offsets is None:
        offsets = [0, len(vectors)]
    n = len(vectors)
    return Environments(
        np.asarray(offsets, dtype=np.int64),
        np.zeros(n, dtype=np.int64),
        vectors,
        np.zeros((n, 3), dtype=np.int32),
    )


def with_vectors(environments: Environments, vectors: np.ndarray) -> Environments:
    return Environments(environments.offsets, environments.neighbors, vectors, environments.shifts)
