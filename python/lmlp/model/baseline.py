"""The short-range baseline: screened nuclear repulsion that keeps atoms apart where no data do.

A model with a baseline is E = Σ_i [NN(G_i) + E_atom] + Σ_{i<j} V(r_ij): its networks learn the difference.
V is that of J. F. Ziegler, J. P. Biersack, U. Littmark, The Stopping and Range of Ions in Matter, vol. 1,
Pergamon 1985, with the switching of LAMMPS's ``pair_style zbl``:

    V(r) = k Z_i Z_j / r φ(r/a) + S(r),   a = 0.4685 Å / (Z_i^0.23 + Z_j^0.23),   V = 0 for r ≥ outer;
    S = C below the inner radius, C + A/3 (r − inner)³ + B/4 (r − inner)⁴ above it, with A, B, C such that V,
    V' and V'' vanish at the outer radius.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmlp.elements import atomic_number
from lmlp.errors import InvalidArgumentError
from lmlp.units import BOHR, HARTREE

COULOMB = HARTREE * BOHR
"""e²/(4πε₀) in eV·Å."""

SCREENING_LENGTH = 0.46850
SCREENING_POWER = 0.23
AMPLITUDES = (0.02817, 0.28022, 0.50986, 0.18175)
DECAYS = (0.20162, 0.40290, 0.94229, 3.19980)

OUTER_SHARE = 0.8
"""Default outer radius, in sums of covalent radii: below equilibrium distances, triple bonds apart."""

INNER_SHARE = 0.5
"""Default inner radius, in outer radii."""


def pair_name(a: str, b: str) -> str:
    """Return the name of a pair of elements in a ``pairs`` entry."""
    return f"{a}-{b}"


@dataclass(frozen=True)
class Zbl:
    """Radii of every pair of elements.

    Attributes:
        elements: chemical symbols in species order.
        inner: where the switching begins, Å, symmetric ``[n, n]``.
        outer: where V ends, Å, symmetric ``[n, n]``.
    """

    elements: tuple[str, ...]
    inner: np.ndarray
    outer: np.ndarray

    def block(self) -> dict[str, Any]:
        """Return the ``baseline`` block of ``lmlp.json``."""
        n = len(self.elements)
        pairs = {
            pair_name(self.elements[i], self.elements[j]): [float(self.inner[i, j]), float(self.outer[i, j])]
            for i in range(n)
            for j in range(i, n)
        }
        return {"type": "zbl", "pairs": pairs}

    @property
    def reach(self) -> float:
        """Largest outer radius in Å."""
        return float(self.outer.max())

    def coefficients(self) -> dict[str, np.ndarray]:
        """Return what V is made of, each ``[n, n]``.

        ``inner``, ``outer``; ``factor`` k Z_i Z_j in eV·Å and ``inverse_length`` 1/a; ``cubic`` A/3,
        ``quartic`` B/4 and ``constant`` C of the switching.
        """
        z = np.array([atomic_number(e) for e in self.elements], dtype=np.float64)
        power = z**SCREENING_POWER
        inverse = (power[:, None] + power[None, :]) / SCREENING_LENGTH
        factor = COULOMB * z[:, None] * z[None, :]
        value, first, second = _screened(factor, inverse, self.outer)
        width = self.outer - self.inner
        return {
            "inner": self.inner,
            "outer": self.outer,
            "factor": factor,
            "inverse_length": inverse,
            "cubic": (width * second - 3.0 * first) / (3.0 * width**2),
            "quartic": (2.0 * first - width * second) / (4.0 * width**3),
            "constant": -value + 0.5 * width * first - width**2 * second / 12.0,
        }

    def evaluate(self, a: np.ndarray, b: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return V in eV and dV/dr in eV/Å of pairs of species ``a [p]``, ``b [p]`` at ``r [p]`` Å."""
        c = {name: table[a, b] for name, table in self.coefficients().items()}
        value, first, _ = _screened(c["factor"], c["inverse_length"], r)
        t = np.maximum(r - c["inner"], 0.0)
        value = value + c["constant"] + t**3 * (c["cubic"] + c["quartic"] * t)
        first = first + t**2 * (3.0 * c["cubic"] + 4.0 * c["quartic"] * t)
        inside = r < c["outer"]
        return np.where(inside, value, 0.0), np.where(inside, first, 0.0)


def _screened(
    factor: np.ndarray, inverse: np.ndarray, r: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the screened Coulomb energy and its first and second derivative by r."""
    phi, first, second = np.zeros_like(r), np.zeros_like(r), np.zeros_like(r)
    for amplitude, decay in zip(AMPLITUDES, DECAYS, strict=True):
        rate = decay * inverse
        term = amplitude * np.exp(-rate * r)
        phi, first, second = phi + term, first - rate * term, second + rate**2 * term
    return (
        factor * phi / r,
        factor * (first - phi / r) / r,
        factor * (second - 2.0 * first / r + 2.0 * phi / r**2) / r,
    )


def parse_baseline(block: Mapping[str, Any] | None, elements: Sequence[str], cutoff: float) -> Zbl | None:
    """Read the ``baseline`` block of ``lmlp.json``; None for none.

    Raises:
        InvalidArgumentError: an unknown type, a pair missing or unknown, or radii that are not
            0 ≤ inner < outer ≤ cutoff.
    """
    if block is None:
        return None
    if block.get("type") != "zbl":
        raise InvalidArgumentError(
            f"baseline is of type {block.get('type')!r}, this lmlp knows zbl: update lmlp"
        )
    pairs = block.get("pairs")
    n = len(elements)
    names = {pair_name(elements[i], elements[j]): (i, j) for i in range(n) for j in range(i, n)}
    if set(block) != {"type", "pairs"} or not isinstance(pairs, Mapping) or set(pairs) != set(names):
        raise InvalidArgumentError(
            "baseline has not exactly the keys type and pairs, with one entry per pair of elements: "
            + ", ".join(names)
        )
    inner, outer = np.zeros((n, n)), np.zeros((n, n))
    for name, (i, j) in names.items():
        low, high = _radii(name, pairs[name], cutoff)
        inner[i, j] = inner[j, i] = low
        outer[i, j] = outer[j, i] = high
    return Zbl(tuple(elements), inner, outer)


def _radii(name: str, entry: Any, cutoff: float) -> tuple[float, float]:
    try:
        low, high = (float(value) for value in entry)
    except (TypeError, ValueError):
        raise InvalidArgumentError(
            f"baseline of {name} is {entry!r}, not an inner and an outer radius in Å"
        ) from None
    if not 0.0 <= low < high <= cutoff:
        raise InvalidArgumentError(
            f"baseline of {name} is [{low:g}, {high:g}] Å: allowed is 0 <= inner < outer <= cutoff of the "
            f"descriptor ({cutoff:g} Å)"
        )
    return low, high


def make_zbl(
    elements: Sequence[str],
    cutoff: float,
    *,
    inner: float | None = None,
    outer: float | None = None,
    pairs: Mapping[str, Sequence[float]] | None = None,
    shortest: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Make the ``baseline`` block of a new model.

    Args:
        elements: chemical symbols in species order.
        cutoff: of the descriptor in Å; no pair reaches farther.
        inner: inner radius of all pairs in Å; default: half of the outer one.
        outer: outer radius of all pairs in Å; default: 0.8 sums of covalent radii, within the cutoff and
            ``shortest``.
        pairs: ``{"H-O": (inner, outer)}`` in Å for single pairs, in either order.
        shortest: shortest distances in the training data in Å by pair, in species order; no default radius
            reaches farther, so that data never have to correct it.

    Raises:
        InvalidArgumentError: radii that are impossible, or a pair that is not one of the elements.
        UnknownElementError: an element without covalent radius and no outer radius given.
    """
    n = len(elements)
    given = {tuple(sorted(name.split("-"))): value for name, value in (pairs or {}).items()}
    known = {tuple(sorted((a, b))) for a in elements for b in elements}
    foreign = ["-".join(key) for key in given if key not in known]
    if foreign:
        raise InvalidArgumentError(
            f"baseline radii of {', '.join(foreign)}: write two of {', '.join(elements)}, e.g. "
            f"{pair_name(elements[0], elements[-1])}"
        )
    block: dict[str, Any] = {}
    for i in range(n):
        for j in range(i, n):
            a, b = elements[i], elements[j]
            entry: Any = given.get(tuple(sorted((a, b))))
            if entry is None:
                limit = min(cutoff, (shortest or {}).get(pair_name(a, b), cutoff))
                high = _default_outer(a, b, limit) if outer is None else outer
                entry = [INNER_SHARE * high if inner is None else inner, high]
            block[pair_name(a, b)] = list(_radii(pair_name(a, b), entry, cutoff))
    return {"type": "zbl", "pairs": block}


def _default_outer(a: str, b: str, limit: float) -> float:
    from lmlp.structure.radii import covalent_radii

    # six decimals of Å, downwards
    return math.floor(1e6 * min(OUTER_SHARE * float(covalent_radii([a, b]).sum()) + 1e-9, limit)) / 1e6


def extended_baseline(
    block: Mapping[str, Any] | None,
    elements: Sequence[str],
    cutoff: float,
    shortest: Mapping[str, float] | None = None,
) -> dict[str, Any] | None:
    """Return the baseline of a model that learns new elements: its pairs as they are, and new ones.

    New pairs get the radii of all others where these are the same, else the defaults of ``make_zbl``.
    """
    if block is None:
        return None
    known = block["pairs"]
    radii = {tuple(entry) for entry in known.values()}
    low, high = radii.pop() if len(radii) == 1 and len(known) > 1 else (None, None)
    return make_zbl(elements, cutoff, inner=low, outer=high, pairs=known, shortest=shortest)
