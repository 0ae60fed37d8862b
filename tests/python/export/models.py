"""Small random models for the tests of this folder."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from lmlp.export.random_model import RandomModelOptions, random_model
from lmlp.model.data import ModelData
from lmlp.model.spread import SpreadMap, SpreadMaps


def small_descriptor(**more: Any) -> dict[str, Any]:
    """Eight functions: two radial forms on two weights, four angular ones."""
    functions: list[dict[str, Any]] = [
        {"kind": "radial", "weight": weight, "eta": eta} for weight in ("1", "n") for eta in (0.0, 0.4)
    ]
    functions += [
        {"kind": "angular", "weight": "s", "combine": combine, "eta": 0.1, "lambda": lam, "zeta": 1, "xi": 2}
        for combine in ("sum", "difference")
        for lam in (1, -1)
    ]
    return {
        "type": "eeACSF",
        "cutoff": 4.0,
        "radial": "gaussian_bump",
        "angular": "cos",
        "scaling": "sqrt",
        "table": "h-xe",
        "functions": functions,
        **more,
    }


def small_model(n_members: int = 3, elements: tuple[str, ...] = ("H", "O"), **more: Any) -> ModelData:
    """A model with E_atom that float32 cannot hold."""
    energies = {"H": -13.587222780835477, "O": -2041.3996280290497, "Cl": -12516.100000000007}
    options = RandomModelOptions(
        n_members=n_members, hidden_layers=(6, 5), n_atoms=16, atomic_energies=energies, **more
    )
    return random_model(small_descriptor(), list(elements), options)


def same_bits(a: ModelData, b: ModelData) -> bool:
    """Whether two models have the same weights, bit by bit."""
    pairs = [(a.scale, b.scale), (a.shift, b.shift), (a.atomic_energies, b.atomic_energies)]
    pairs += [*zip(a.weights, b.weights, strict=True), *zip(a.biases, b.biases, strict=True)]
    return all(np.asarray(x).tobytes() == np.asarray(y).tobytes() for x, y in pairs)


def with_uncertainty(model: ModelData, n_axes: int = 3, seed: int = 7) -> ModelData:
    """The same model with spread maps and a distance, whose axes take away most of what lies along them."""
    rng = np.random.default_rng(seed)
    n_elements, n = len(model.elements), model.n_features
    axes = np.stack([np.linalg.qr(rng.normal(size=(n, n)))[0][:n_axes] for _ in range(n_elements)])
    shares = np.sqrt(1.0 - rng.uniform(1e-3, 0.5, (n_elements, n_axes, 1)))
    maps = SpreadMaps(
        SpreadMap(0.002, 1.25),
        tuple(SpreadMap(0.01 * (e + 1), 1.5 + e) for e in range(n_elements)),
        SpreadMap(0.003, 0.75),
    )
    return replace(
        model,
        spread_maps=maps.block(model.elements),
        distance={"quantile": 0.999, "atoms": dict.fromkeys(model.elements, 100)},
        distance_shift=model.shift[0].copy(),
        distance_scale=model.scale[0] / np.sqrt(n),
        distance_axes=shares * axes,
    )
