"""From the spread of the members to σ: spread maps, found from held-out data (docs/uncertainty.md).

s is the standard deviation of the members (ddof = 1): of the force on an atom the length √(Σ_k s_k²) of that
of its components, which does not depend on how the axes lie; of an energy that per atom. The root mean square
of the error is, given s,

    σ = √(floor² + (factor · s)²).

A few members can agree by chance, so that their spread alone is no error: that is the floor's part. Far from
the data σ grows in proportion to s.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmlp.errors import InvalidArgumentError

RAW_FACTOR = 2.0
"""Where no held-out data tell."""


@dataclass(frozen=True)
class SpreadMap:
    """σ = √(floor² + (factor · s)²).

    Attributes:
        floor: of s = 0, in eV/atom or eV/Å.
        factor: of large s.
    """

    floor: float = 0.0
    factor: float = RAW_FACTOR

    def __call__(self, spread: np.ndarray | float) -> np.ndarray:
        """Return σ of spreads of any shape, in their unit."""
        return np.asarray(np.hypot(self.floor, self.factor * np.asarray(spread, dtype=np.float64)))

    def block(self) -> dict[str, float]:
        """Return it as ``lmlp.json`` has it."""
        return {"floor": float(self.floor), "factor": float(self.factor)}


@dataclass(frozen=True)
class SpreadMaps:
    """All maps of a model.

    Attributes:
        energy: of energies per atom, eV/atom.
        forces: of lengths of force vectors in eV/Å, by species.
        stress: of a component of the virial per atom, eV/atom.
    """

    energy: SpreadMap
    forces: tuple[SpreadMap, ...]
    stress: SpreadMap

    @classmethod
    def raw(cls, n_elements: int) -> SpreadMaps:
        """Return the maps of a model without held-out data."""
        return cls(SpreadMap(), (SpreadMap(),) * n_elements, SpreadMap())

    def sigma_energy(self, spread: float, n_atoms: int) -> float:
        """Return σ of a total energy in eV, from the spread of the total energies in eV."""
        return float(n_atoms * self.energy(spread / n_atoms)) if n_atoms else 0.0

    def sigma_forces(self, spread: np.ndarray, species: np.ndarray) -> np.ndarray:
        """Return \\|σ_F\\| of atoms in eV/Å ``[n]``, from the lengths of their spreads ``[n]``."""
        floor = np.array([m.floor for m in self.forces])[species]
        factor = np.array([m.factor for m in self.forces])[species]
        return np.asarray(np.hypot(floor, factor * spread))

    def sigma_stress(self, spread: np.ndarray, n_atoms: int, volume: float) -> np.ndarray:
        """Return σ of components of the stress (or of the pressure) in eV/Å³ from their spreads."""
        return np.asarray(self.stress(np.asarray(spread) * (volume / n_atoms)) * (n_atoms / volume))

    def block(self, elements: Sequence[str]) -> dict[str, Any]:
        """Return the ``spread_maps`` block of ``lmlp.json``."""
        return {
            "energy": self.energy.block(),
            "forces": {name: m.block() for name, m in zip(elements, self.forces, strict=True)},
            "stress": self.stress.block(),
        }


def parse_spread_maps(block: Mapping[str, Any] | None, elements: Sequence[str]) -> SpreadMaps | None:
    """Read the ``spread_maps`` block of ``lmlp.json``; None for none.

    Raises:
        InvalidArgumentError: an element is missing or foreign, or a number is not finite or negative.
    """
    if block is None:
        return None
    if not isinstance(block, Mapping) or set(block) != {"energy", "forces", "stress"}:
        raise InvalidArgumentError(
            f"spread_maps is {block!r}, not an object with exactly the keys energy, forces and stress"
        )
    forces = block["forces"]
    if not isinstance(forces, Mapping) or set(forces) != set(elements):
        given = ", ".join(map(str, forces)) if isinstance(forces, Mapping) else repr(forces)
        raise InvalidArgumentError(
            f"spread_maps.forces is of {given}, but the elements of the model are {', '.join(elements)}"
        )
    return SpreadMaps(
        _parse(block["energy"], "spread_maps.energy"),
        tuple(_parse(forces[name], f"spread_maps.forces of {name}") for name in elements),
        _parse(block["stress"], "spread_maps.stress"),
    )


def _parse(entry: Any, name: str) -> SpreadMap:
    if not isinstance(entry, Mapping) or set(entry) != {"floor", "factor"}:
        raise InvalidArgumentError(
            f"{name} is {entry!r}, not an object with exactly the keys floor and factor"
        )
    numbers = {}
    for key, value in entry.items():
        ok = isinstance(value, int | float) and not isinstance(value, bool)
        if not ok or not math.isfinite(value) or value < 0.0:
            raise InvalidArgumentError(
                f"{name}: {key} is {value!r}, not a finite number that is not negative"
            )
        numbers[key] = float(value)
    return SpreadMap(**numbers)
