"""Free atoms: the energy of an atom without neighbors, and the way there, which no network can know.

The features of an atom without neighbors are 0, where a network says what it happens to extrapolate to. A
model with free atoms has the right energy there, for every member m and center i of element Z:

    E_{m,i} += δ_{m,Z} g(ρ_i / ρ_Z),   δ_{m,Z} = E_free[Z] − E_atom[Z] − NN_{m,Z}(0),
    ρ_i = Σ_j f(r_ij),   f(r) = (1 − (r/r_c)²)³ for r < r_c, else 0,   g(t) = (1 − t)³ for t < 1, else 0.

ρ_Z lies below the densities of all training atoms, so that nothing changes where data were; an atom without
neighbors has the energy E_free exactly. The term is twice continuously differentiable.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmlp.environments import Environments
from lmlp.errors import InvalidArgumentError

DENSITY_SHARE = 0.5
"""ρ_Z in smallest densities of training atoms."""

SMALLEST_DENSITY = 0.5 * (1.0 - 0.95**2) ** 3
"""ρ_Z is not chosen smaller: the way to the free atom would be too short, and forces there too large."""


@dataclass(frozen=True)
class FreeAtoms:
    """Energies of free atoms and where they begin to count, by species.

    Attributes:
        elements: chemical symbols in species order.
        energies: E_free in eV ``[n_elements]``, NaN where there is none.
        densities: ρ_Z ``[n_elements]``, 0 where there is none: no density is smaller.
    """

    elements: tuple[str, ...]
    energies: np.ndarray
    densities: np.ndarray

    def block(self) -> dict[str, dict[str, float]]:
        """Return the ``free_atoms`` block of ``lmlp.json``."""
        rows = zip(self.elements, self.energies.tolist(), self.densities.tolist(), strict=True)
        return {name: {"energy": e, "density": rho} for name, e, rho in rows if rho > 0.0}


def neighbor_density(environments: Environments, cutoff: float) -> np.ndarray:
    """Return ρ of every center ``[n_centers]``.

    Args:
        environments: full pair list; pairs at or beyond the cutoff count nothing.
        cutoff: of the descriptor in Å.
    """
    squared = np.einsum("pa,pa->p", environments.vectors, environments.vectors) / cutoff**2
    values = np.maximum(1.0 - squared, 0.0) ** 3
    return np.bincount(environments.centers, weights=values, minlength=environments.n_centers)


def switching_density(smallest: float) -> float:
    """Return ρ_Z for the smallest density of any training atom of an element."""
    return max(DENSITY_SHARE * smallest, SMALLEST_DENSITY)


def parse_free_atoms(block: Mapping[str, Any] | None, elements: Sequence[str]) -> FreeAtoms | None:
    """Read the ``free_atoms`` block of ``lmlp.json``; None for none.

    Raises:
        InvalidArgumentError: an element that the model does not have, an energy that is not a finite number
            or a density that is not a finite number above 0.
    """
    if block is None:
        return None
    if not isinstance(block, Mapping):
        raise InvalidArgumentError(f"free_atoms is {block!r}, not an object with elements as keys")
    foreign = [str(name) for name in block if name not in elements]
    if foreign:
        raise InvalidArgumentError(
            f"free_atoms has {', '.join(foreign)}, but the elements of the model are {', '.join(elements)}"
        )
    energies, densities = np.full(len(elements), np.nan), np.zeros(len(elements))
    for name, entry in block.items():
        if not isinstance(entry, Mapping) or set(entry) != {"energy", "density"}:
            raise InvalidArgumentError(
                f"free_atoms of {name} is {entry!r}, not an object with exactly the keys energy and density"
            )
        at = list(elements).index(name)
        energies[at] = _number(entry["energy"], f"free_atoms: energy of {name}")
        densities[at] = _number(entry["density"], f"free_atoms: density of {name}")
        if not densities[at] > 0.0:
            raise InvalidArgumentError(f"free_atoms: density of {name} is {entry['density']!r}, not above 0")
    return FreeAtoms(tuple(elements), energies, densities)


def _number(value: Any, name: str) -> float:
    """Return a finite number as float64."""
    try:
        number = math.nan if isinstance(value, str | bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise InvalidArgumentError(f"{name} is {value!r}, not a finite number")
    return number
