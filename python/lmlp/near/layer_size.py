"""How many units a layer can use: the size from which on further units add little to its effective rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lmlp.errors import InvalidArgumentError
from lmlp.near.architecture import Activation, Architecture, Initialization
from lmlp.near.data import NearData
from lmlp.near.score import ScoreOptions, layer_ranks

Variant = Literal["slope", "authors"]
VARIANTS: tuple[Variant, ...] = ("slope", "authors")
DEFAULT_SIZES = (8, 16, 32, 48, 64, 96, 128, 192, 256)
_EXPONENTS = np.linspace(-4.0, 0.98, 499)


@dataclass(frozen=True)
class PowerLaw:
    """r(n) = level + slope (n^exponent − 1) / exponent; the logarithm where the exponent is 0.

    This is a + b n^c with c the exponent, b = slope/c and a = level − slope/c, written so that c = 0 does
    not diverge; the derivative is slope·n^(c − 1).
    """

    level: float
    slope: float
    exponent: float

    def __call__(self, n: float | np.ndarray) -> np.ndarray:
        """Evaluate r(n)."""
        return np.asarray(self.level + self.slope * _basis(np.asarray(n, dtype=float), self.exponent))

    def size(self, threshold: float, variant: Variant = "slope") -> float:
        """Return the n* from which on r falls by less than ``threshold`` per unit.

        Args:
            threshold: τ > 0.
            variant: ``slope``: n* = (τ/|b c|)^(1/(c − 1)), where |r'(n*)| = τ; ``authors``: as published
                code has it, without |b c|.

        Raises:
            InvalidArgumentError: τ not positive, unknown variant.
        """
        if not threshold > 0.0:
            raise InvalidArgumentError(f"slope threshold {threshold}: give a positive number, e.g. 0.005")
        if variant not in VARIANTS:
            raise InvalidArgumentError(f"variant {variant!r}: choose one of {', '.join(VARIANTS)}")
        power = 1.0 / (self.exponent - 1.0)
        if variant == "authors":
            return float(threshold**power)
        if self.slope == 0.0:
            return 0.0
        return float((threshold / abs(self.slope)) ** power)


def _basis(n: np.ndarray, exponent: float) -> np.ndarray:
    if abs(exponent) < 1e-9:
        return np.asarray(np.log(n))
    return np.asarray(np.expm1(exponent * np.log(n)) / exponent)


def fit_power_law(sizes: Sequence[float], ratios: Sequence[float]) -> PowerLaw:
    """Fit r = a + b n^c by least squares to the points and to (1, 1), −4 ≤ c ≤ 0.98.

    For each exponent the other two coefficients follow from a linear fit, so that only c is searched for: the
    result depends on no starting point.

    Raises:
        InvalidArgumentError: fewer than three different sizes above 1, or values that are not finite.
    """
    n = np.array([1.0, *sizes])
    r = np.array([1.0, *ratios])
    if len(sizes) != len(ratios) or len(set(n.tolist())) < 4 or n.min() < 1.0 or not np.isfinite(r).all():
        raise InvalidArgumentError(
            f"sizes {list(sizes)} with ratios {list(ratios)}: at least three different sizes above 1 with "
            "finite ratios are needed"
        )

    def fit(exponent: float) -> tuple[float, np.ndarray]:
        rows = np.stack([np.ones_like(n), _basis(n, exponent)], axis=1)
        solution = np.linalg.lstsq(rows, r, rcond=None)[0]
        return float(np.sum((rows @ solution - r) ** 2)), solution

    best = int(np.argmin([fit(c)[0] for c in _EXPONENTS]))
    low, high = _EXPONENTS[max(best - 1, 0)], _EXPONENTS[min(best + 1, len(_EXPONENTS) - 1)]
    for _ in range(60):  # golden section: one part in 10^12
        left, right = high - 0.618034 * (high - low), low + 0.618034 * (high - low)
        if fit(left)[0] < fit(right)[0]:
            high = right
        else:
            low = left
    exponent = float(0.5 * (low + high))
    level, slope = fit(exponent)[1]
    return PowerLaw(float(level), float(slope), exponent)


@dataclass(frozen=True)
class SizeEstimate:
    """Size of one layer for one element.

    Attributes:
        layer: 1 for the first hidden layer.
        element: chemical symbol.
        sizes: that were tried.
        ratios: (erank(pre) + erank(post)) / (2 n) at these sizes.
        law: their fit.
        size: n*, a real number.
    """

    layer: int
    element: str
    sizes: tuple[int, ...]
    ratios: tuple[float, ...]
    law: PowerLaw
    size: float

    @property
    def extrapolated(self) -> bool:
        """Whether n* is outside the sizes that were tried."""
        return not min(self.sizes) <= self.size <= max(self.sizes)


@dataclass(frozen=True)
class SizeOptions:
    """How layer sizes are estimated.

    Attributes:
        n_layers: number of hidden layers.
        sizes: to try; default those of ``DEFAULT_SIZES`` for which every element has enough atoms.
        threshold: τ.
        variant: of n*, see :meth:`PowerLaw.size`.
        activation: as in :class:`Architecture`.
        initialization: as in :class:`Architecture`.
    """

    n_layers: int = 2
    sizes: tuple[int, ...] | None = None
    threshold: float = 0.005
    variant: Variant = "slope"
    activation: str | Activation = "bounded-ssilu"
    initialization: str | Initialization = "normal"


def estimate_sizes(
    data: NearData, options: SizeOptions | None = None, scores: ScoreOptions | None = None
) -> tuple[Architecture, list[SizeEstimate]]:
    """Estimate the layer sizes of a network, one layer after the other.

    The first layer's size is found on the inputs, then kept while the second is found, and so on. All
    elements of a model share their sizes: each layer gets the largest n* among the elements, rounded, but
    no more units than there are atoms of the rarest element: beyond that no rank can be measured.

    Returns:
        the architecture, and one estimate per layer and element.

    Raises:
        InvalidArgumentError: too few atoms for the sizes.
    """
    options, scores = options or SizeOptions(), scores or ScoreOptions()
    sizes = _sizes(data, options)
    hidden: tuple[int, ...] = ()
    estimates: list[SizeEstimate] = []
    for layer in range(1, options.n_layers + 1):
        ratios: dict[str, list[float]] = {e: [] for e in data.elements}
        for n in sizes:
            tried = Architecture((*hidden, n), options.activation, options.initialization)
            for element, ranks in layer_ranks(tried, data, scores).items():
                ratios[element].append(ranks[-1].relative)
        found = []
        for element, values in ratios.items():
            law = fit_power_law(sizes, values)
            size = law.size(options.threshold, options.variant)
            found.append(SizeEstimate(layer, element, sizes, tuple(values), law, size))
        estimates += found
        hidden = (*hidden, _rounded(max(e.size for e in found), data))
    return Architecture(hidden, options.activation, options.initialization), estimates


def _sizes(data: NearData, options: SizeOptions) -> tuple[int, ...]:
    rarest = min(data.inputs, key=lambda e: len(data.inputs[e]))
    n_atoms = len(data.inputs[rarest])
    if options.n_layers < 1:
        raise InvalidArgumentError(f"n_layers={options.n_layers}: at least 1 is needed")
    sizes = options.sizes if options.sizes is not None else tuple(n for n in DEFAULT_SIZES if n <= n_atoms)
    if len(set(sizes)) < 3 or min(sizes) < 2:
        raise InvalidArgumentError(
            f"layer sizes {list(sizes)} to try: at least three different ones above 1 are needed"
            + ("" if options.sizes is not None else f"; the data have only {n_atoms} atoms of {rarest}")
        )
    if max(sizes) > n_atoms:
        raise InvalidArgumentError(
            f"a layer of {max(sizes)} units needs as many atoms of {rarest}, the data have {n_atoms}"
        )
    return tuple(sorted(set(sizes)))


def _rounded(size: float, data: NearData) -> int:
    """Return a whole number of units, at most as many as there are atoms of the rarest element."""
    return int(min(max(round(size), 1), *(len(x) for x in data.inputs.values())))
