"""Fixed maps in front of the networks: standardization, decorrelation, and the energies of the atoms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from lmlp.errors import InvalidArgumentError
from lmlp.units import HARTREE

# Of the largest range of any function. Standardizing what varies by less would enlarge rounding differences
# between instruction sets (1e-12) to parts of an input, and any change off the data to far more.
_HARDLY = 1e-8
FLOOR = 0.3
"""Of the median σ of an element's functions, added to each σ in quadrature.

The tail of a pair function at the largest distances in the data can vary by 10⁻⁷ of the others, and be
10⁴ σ off in a hotter molecule.
"""


@dataclass(frozen=True)
class FeatureMoments:
    """First and second moments of the features of each element's atoms, in float64.

    Attributes:
        count: atoms per element ``[n_elements]``.
        mean: ``[n_elements, n_features]``.
        scatter: Σ (G − mean)(G − mean)ᵀ ``[n_elements, n_features, n_features]``.
        minimum: ``[n_elements, n_features]``.
        maximum: ``[n_elements, n_features]``.
    """

    count: np.ndarray
    mean: np.ndarray
    scatter: np.ndarray
    minimum: np.ndarray
    maximum: np.ndarray

    def select(self, columns: np.ndarray) -> FeatureMoments:
        """Return the moments of some features only."""
        return FeatureMoments(
            self.count,
            self.mean[:, columns],
            self.scatter[:, columns][:, :, columns],
            self.minimum[:, columns],
            self.maximum[:, columns],
        )


def feature_moments(
    chunks: Iterable[tuple[np.ndarray, np.ndarray]], n_elements: int, n_features: int
) -> FeatureMoments:
    """Gather moments over chunks (features ``[n, n_features]``, species ``[n]``) without cancellation."""
    count = np.zeros(n_elements)
    mean = np.zeros((n_elements, n_features))
    scatter = np.zeros((n_elements, n_features, n_features))
    minimum = np.full((n_elements, n_features), np.inf)
    maximum = np.full((n_elements, n_features), -np.inf)
    for features, species in chunks:
        for e in range(n_elements):
            rows = features[species == e]
            n = len(rows)
            if n == 0:
                continue
            center = rows.mean(axis=0)
            rest = rows - center
            step = center - mean[e]
            total = count[e] + n
            scatter[e] += rest.T @ rest + np.outer(step, step) * (count[e] * n / total)
            mean[e] += step * (n / total)
            count[e] = total
            np.minimum(minimum[e], rows.min(axis=0), out=minimum[e])
            np.maximum(maximum[e], rows.max(axis=0), out=maximum[e])
    return FeatureMoments(count, mean, scatter, minimum, maximum)


def useful_columns(moments: FeatureMoments) -> tuple[np.ndarray, list[int], list[tuple[int, int]]]:
    """Find features that carry information of their own.

    Returns:
        indices of the columns to keep, those that are constant to rounding for every element, and pairs
        (dropped, kept twin).
    """
    n_features = moments.mean.shape[1]
    present = moments.count > 0
    constant = np.flatnonzero(~varying(moments).any(axis=0))
    power = np.einsum("e,enm->nm", present.astype(float), moments.scatter)
    power += np.einsum("e,en,em->nm", moments.count, moments.mean, moments.mean)
    square = np.diag(power)
    twins: list[tuple[int, int]] = []
    kept: list[int] = []
    gone = set(constant.tolist())
    for n in range(n_features):
        if n in gone:
            continue
        before = np.array(kept, dtype=int)
        distance = square[before] + square[n] - 2 * power[before, n]
        same = np.flatnonzero(distance <= 1e-12 * square[n])
        if same.size:
            twins.append((n, kept[int(same[0])]))
        else:
            kept.append(n)
    return np.array(kept, dtype=int), constant.tolist(), twins


def varying(moments: FeatureMoments) -> np.ndarray:
    """Tell for which elements a feature is not constant to rounding, bool ``[n_elements, n_features]``.

    Constant are also features that vary by less than 1e-8 of what any feature varies by: far tails.
    """
    present = (moments.count > 0)[:, None]
    spread = np.where(present, moments.maximum - moments.minimum, 0.0)
    size = np.where(present, np.maximum(abs(moments.maximum), abs(moments.minimum)), 0.0)
    return np.asarray((spread > 1e-14 * size) & (spread > _HARDLY * spread.max()))


@dataclass(frozen=True)
class InputMap:
    """Fixed map from features to network inputs per element: x = matrix · ((G − shift) ∘ scale).

    Attributes:
        scale: 1/σ (1 for a feature without spread), float64 ``[n_elements, n_features]``.
        shift: mean, float64 ``[n_elements, n_features]``.
        matrix: decorrelation, float64 ``[n_elements, n_inputs, n_features]``.
    """

    scale: np.ndarray
    shift: np.ndarray
    matrix: np.ndarray

    @property
    def n_inputs(self) -> int:
        """Number of network inputs."""
        return int(self.matrix.shape[1])

    @property
    def linear(self) -> np.ndarray:
        """dx/dG ``[n_elements, n_inputs, n_features]``."""
        return np.asarray(self.matrix * self.scale[:, None, :])

    def __call__(self, features: np.ndarray, species: np.ndarray) -> np.ndarray:
        """Map features ``[n, n_features]`` to inputs ``[n, n_inputs]`` in float64."""
        inputs = np.empty((len(features), self.n_inputs))
        linear = self.linear
        for e in range(len(self.scale)):
            rows = np.flatnonzero(species == e)
            inputs[rows] = (features[rows] - self.shift[e]) @ linear[e].T
        return inputs


def standardization(
    moments: FeatureMoments, floor: float = FLOOR
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scale, shift and whether a feature varies beyond rounding, ``[n_elements, n_features]``.

    The scale is 1/√(σ² + (floor · m)²), m the median of the element's σ.
    """
    count = np.maximum(moments.count, 1.0)[:, None]
    sigma = np.sqrt(np.diagonal(moments.scatter, axis1=1, axis2=2) / count)
    size = np.maximum(abs(moments.mean), 1e-300)
    varies = (sigma > 1e-12 * size) & (moments.count[:, None] > 1) & varying(moments)
    least = [
        floor * np.median(row[mask]) if mask.any() else 0.0 for row, mask in zip(sigma, varies, strict=True)
    ]
    width = np.hypot(sigma, np.array(least)[:, None])
    return np.where(varies, 1.0 / np.where(varies, width, 1.0), 1.0), moments.mean.copy(), varies


def fit_input_map(
    moments: FeatureMoments, epsilon: float | None, keep: float = 0.0, floor: float = FLOOR
) -> InputMap:
    """Fit standardization and decorrelation (C + ε·1)^(−1/2), C the correlation matrix of each element's
    features.

    ε bounds how strongly directions of little variance are amplified: small values fit noise, 0.1 to 10
        are sensible.
    Inputs are along the principal axes; directions with an eigenvalue below ``keep`` times the largest are
    left out.

    Args:
        moments: of the training features.
        epsilon: ε, or None for standardization alone.
        keep: relative eigenvalue below which a direction is dropped, the same number for every element.
        floor: of σ, of the element's median.

    Raises:
        InvalidArgumentError: ε not positive.
    """
    scale, shift, varies = standardization(moments, floor)
    n_elements, n_features = scale.shape
    if epsilon is None:
        return InputMap(scale, shift, np.stack([np.diag(v.astype(float)) for v in varies]))
    if not epsilon > 0:
        raise InvalidArgumentError(
            f"decorrelation epsilon={epsilon!r}: give a positive number, or null for none"
        )
    values = np.zeros((n_elements, n_features))
    axes = np.zeros((n_elements, n_features, n_features))
    for e in range(n_elements):
        scaled = moments.scatter[e] / max(moments.count[e], 1.0) * np.outer(scale[e], scale[e])
        correlation = np.where(np.outer(varies[e], varies[e]), scaled, 0.0)
        value, vector = np.linalg.eigh(correlation)
        values[e], axes[e] = np.maximum(value[::-1], 0.0), vector[:, ::-1].T
    strong = values > np.maximum(keep, 1e-14) * values.max(axis=1, keepdims=True)
    n_inputs = max(int(strong.sum(axis=1).max()), 1)
    whiten = np.where(strong, 1.0 / np.sqrt(values + epsilon), 0.0)
    matrix = (whiten[:, :, None] * axes)[:, :n_inputs] * varies[:, None, :]
    return InputMap(scale, shift, matrix)


def left_over(counts: np.ndarray, energies: np.ndarray, atomic_energies: np.ndarray) -> np.ndarray:
    """Return what the energies of the elements lack of a free fit to total energies, in eV ``[n_elements]``.

    The smallest such shifts; 0 (to rounding) if all energies were fitted.

    Args:
        counts: atoms of each element per structure ``[n_structures, n_elements]``.
        energies: total energies in eV ``[n_structures]``, finite.
        atomic_energies: eV ``[n_elements]``.
    """
    counts = np.asarray(counts, dtype=np.float64)
    n_atoms = counts.sum(axis=1)
    rest = (np.asarray(energies, dtype=np.float64) - counts @ atomic_energies) / n_atoms
    return np.asarray(np.linalg.lstsq(counts / n_atoms[:, None], rest, rcond=1e-8)[0])


def fit_atomic_energies(
    counts: np.ndarray, energies: np.ndarray, numbers: list[int], given: dict[int, float] | None = None
) -> np.ndarray:
    """Fit one energy per element to total energies by least squares of the energy per atom.

    Where compositions leave the values undetermined (one molecule only), those closest to a guess are taken:
    neutral all-electron atoms (−Z^2.4/2 Hartree) if that explains the energies better than zero does, else
    zero.

    Args:
        counts: atoms of each element per structure ``[n_structures, n_elements]``.
        energies: total energies in eV ``[n_structures]``, finite.
        numbers: atomic number of each element.
        given: energies in eV by atomic number that are not to be fitted.

    Returns:
        float64 ``[n_elements]`` in eV.
    """
    counts = np.asarray(counts, dtype=np.float64)
    energies = np.asarray(energies, dtype=np.float64)
    fixed = {numbers.index(z): value for z, value in (given or {}).items() if z in numbers}
    result = np.zeros(len(numbers))
    for e, value in fixed.items():
        result[e] = value
    free = [e for e in range(len(numbers)) if e not in fixed]
    if not free or len(energies) == 0:
        return result
    n_atoms = counts.sum(axis=1)
    rows = counts[:, free] / n_atoms[:, None]
    target = (energies - counts @ result) / n_atoms
    guess = -0.5 * HARTREE * np.array([numbers[e] for e in free], dtype=float) ** 2.4
    if np.sum((target - rows @ guess) ** 2) > np.sum(target**2):
        guess = np.zeros(len(free))
    # lstsq returns the smallest solution among all best fits: here the smallest relative change of the guess
    size = np.where(guess == 0.0, 1.0, abs(guess))
    change = np.linalg.lstsq(rows * size, target - rows @ guess, rcond=1e-8)[0]
    result[free] = guess + size * change
    return result


def anchored_energies(counts: np.ndarray, atomic_energies: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Move E_atom toward free atoms as far as no structure's energy changes.

    One molecule does not tell how its energy divides among its elements; dissociation does. Where all
    elements have a free atom, the differences that are left become as equal as can be, else as small.

    Args:
        counts: atoms of each element per structure ``[n_structures, n_elements]``.
        atomic_energies: E_atom in eV ``[n_elements]``.
        free: energies of free atoms in eV ``[n_elements]``, NaN where there is none.

    Returns:
        float64 ``[n_elements]``; the energies themselves where the compositions leave nothing open.
    """
    known = np.isfinite(free)
    if not known.any():
        return atomic_energies
    rows = np.unique(np.asarray(counts, dtype=np.float64), axis=0)
    rows = rows / np.maximum(rows.sum(axis=1, keepdims=True), 1.0)
    _, sizes, directions = np.linalg.svd(np.linalg.qr(rows, mode="r"))
    open_ones = directions[int((sizes > 1e-8 * sizes.max(initial=0.0)).sum()) :].T
    if open_ones.shape[1] == 0:
        return atomic_energies
    columns = open_ones[known]
    if known.all():
        columns = np.hstack([columns, np.ones((len(free), 1))])
    best = np.linalg.lstsq(columns, (free - atomic_energies)[known], rcond=1e-8)[0]
    return np.asarray(atomic_energies + open_ones @ best[: open_ones.shape[1]])
