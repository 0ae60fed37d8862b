"""Counted operations of each stage, and the time they take at the ceilings of the same run: the floor.

Counted is what the linear-scaling evaluation (docs/descriptor.md) cannot do without, for a center with n
neighbors of G elements: L the largest degree of its polynomials, P = (L+1)(L+2)/2 harmonics with m >= 0, A
radial functions with angular functions. A slot is one multiply, add or fused multiply-add of one number; a
core does half as many per second as its floating-point operations with fused multiply-adds.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ceilings import Ceilings
from common import HIDDEN, N_AXES

# Slots per neighbor of distances, unit vectors and sorting by element; a root and a division are 8 each.
GEOMETRY, GEOMETRY_BACKWARD = 20, 20
RADIAL = 4  # slots per radial function and neighbor beside its exp
PAIR_INPUT, PAIR_OUTPUT = 28, 24  # bytes per neighbor: vector and species, gradient


@dataclass(frozen=True)
class Sizes:
    """What the operations depend on."""

    n_features: int
    n_radials: int  # distinct radial functions
    n_angular_radials: int  # A
    n_combos: int  # distinct angular functions, times their radial functions
    n_radial_rows: int
    degree: int  # L
    n_groups: int  # G

    @property
    def harmonics(self) -> int:
        return (self.degree + 1) * (self.degree + 2) // 2

    @property
    def n_pairs_of_groups(self) -> int:
        return self.n_groups * (self.n_groups + 1) // 2


def sizes_of(spec: dict[str, Any], n_groups: int) -> Sizes:
    """Read the sizes from a spec with polynomial angles."""
    radial = [row for row in spec["functions"] if row["kind"] == "radial"]
    angular = [row for row in spec["functions"] if row["kind"] == "angular"]
    of_angular = {(row["eta"], row.get("shift", 0.0)) for row in angular}
    of_radial = {(row["eta"], row.get("shift", 0.0)) for row in radial}
    cutoff = spec["cutoff"]
    if spec.get("angular_cutoff", cutoff) != cutoff:
        raise ValueError("an angular cutoff of its own is not counted")
    functions = {(row.get("lambda"), row.get("zeta"), row.get("xi"), row.get("l")) for row in angular}
    combos = {
        (row["eta"], *f) for row in angular for f in [tuple(map(row.get, ("lambda", "zeta", "xi", "l")))]
    }
    degree = max(int(f[3]) if f[3] is not None else int(f[1] * (f[2] or 1)) for f in functions)
    return Sizes(
        n_features=len(radial) + len(angular),
        n_radials=len(of_angular | of_radial),
        n_angular_radials=len(of_angular),
        n_combos=len(combos),
        n_radial_rows=len(radial),
        degree=degree,
        n_groups=n_groups,
    )


def feature_slots(s: Sizes, neighbors: float) -> float:
    """Slots of one center's features, without the exp of the radial functions."""
    p, rows, a = s.harmonics, s.degree + 1, s.n_angular_radials
    # recurrence of q_lm 2, its sums with cosine and sine weights 2 A (no sine for m = 0); powers 4, weights
    # 2 A for each m
    harmonics = p * (2 + 2 * a) - rows * a + rows * (4 + 2 * a)
    per_neighbor = GEOMETRY + s.n_radials * (RADIAL + 1) + harmonics
    # power spectra of pairs of elements: 2 products and a norm per harmonic; expansion in angular functions
    spectra = s.n_pairs_of_groups * (a * 3 * p + s.n_combos * rows)
    weights = s.n_radial_rows * s.n_groups + (s.n_features - s.n_radial_rows) * s.n_pairs_of_groups
    return neighbors * per_neighbor + spectra + weights


def backward_slots(s: Sizes, neighbors: float, sides: int = 1) -> float:
    """Slots from gradients of the features to those of the pair vectors, `sides` of them at once."""
    p, rows, a = s.harmonics, s.degree + 1, s.n_angular_radials
    # sums over l of both parts and both slopes (Newton's form) 4 A; for each m the radial functions 2 A,
    # their sums 4 A, three directions 6; powers 4 once
    harmonics = rows * 4 + sides * (4 * a * p - 2 * a * rows + rows * (6 * a + 6))
    per_neighbor = harmonics + sides * (s.n_radials * 2 + GEOMETRY_BACKWARD)
    newton = s.n_groups * 2 * a * rows * (rows + 1) * (rows + 2) // 6  # triangular products
    spectra = s.n_pairs_of_groups * s.n_combos * rows + s.n_groups * a * p * (2 * s.n_groups + 2) + newton
    weights = s.n_radial_rows * s.n_groups + (s.n_features - s.n_radial_rows) * s.n_pairs_of_groups
    return neighbors * per_neighbor + sides * (spectra + weights)


@dataclass(frozen=True)
class Floor:
    """Least times in microseconds per atom at measured rates."""

    sizes: Sizes
    ceilings: Ceilings

    def slots(self, n: float) -> float:
        return n / (self.ceilings.fma["double"] / 2) / 1e3

    def traffic(self, n_bytes: float) -> float:
        return n_bytes / self.ceilings.memory / 1e3

    def features(self, neighbors: float) -> float:
        exp = neighbors * self.sizes.n_radials * self.ceilings.exp["double"] / 1e3
        return self.slots(feature_slots(self.sizes, neighbors)) + exp + self.traffic(PAIR_INPUT * neighbors)

    def backward(self, neighbors: float, sides: int = 1) -> float:
        """Without the geometry, which features have left."""
        arithmetic = self.slots(backward_slots(self.sizes, neighbors, sides))
        return arithmetic + self.traffic(PAIR_OUTPUT * sides * neighbors)

    def backward_alone(self, neighbors: float) -> float:
        """As a call of its own: slopes of the square root need the sums, so features come first."""
        return self.features(neighbors) + self.backward(neighbors)

    def networks(self, members: int, precision: str = "double") -> float:
        """Energies and input gradients; products at the rates of products, tanh and its slope beside them."""
        kind = "single" if precision == "mixed" else precision
        total = 0.0
        for (a, b), rates in self.ceilings.products[kind].items():
            total += 2e-3 * a * b * (1 / rates[0] + 1 / rates[1])
        neurons = sum(HIDDEN)
        slope = 3 * neurons / (self.ceilings.fma[kind] / 2) / 1e3
        output = 4 * HIDDEN[-1] / self.ceilings.fma[kind] / 1e3
        return members * (total + neurons * self.ceilings.tanh[kind] / 1e3 + slope + output)

    def evaluation(self, neighbors: float, members: int, precision: str = "double", sides: int = 1) -> float:
        """E + F; sides: right-hand sides of the descriptor's backward, 1 or 1 + members."""
        descriptor = self.features(neighbors) + self.backward(neighbors, sides)
        return descriptor + self.networks(members, precision)

    def distances(self) -> float:
        """From known features: a product with the axes, beside it the standardization and two squares."""
        return self.slots(self.sizes.n_features * (N_AXES + 3) + N_AXES)

    def network_flops(self, members: int) -> float:
        return 4.0 * members * sum(a * b for a, b in pairwise([self.sizes.n_features, *HIDDEN, 1]))
