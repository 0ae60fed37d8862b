"""Slow, obvious symmetry functions in pure torch: oracle of the core and source of the exported model.

Formulas: JCTC 2023, 19, 3509 (doi 10.1021/acs.jctc.3c00279). Everything here can be scripted by TorchScript,
runs on any device and may be differentiated twice. Nothing here shares code with the C++ core.

A quantity that is singular at a point where its limit is known is guarded by ``torch.where`` on a harmless
inner value: the gradient of a branch that is not taken would otherwise turn into NaN.
"""

# No `from __future__ import annotations`: TorchScript reads the types of attributes as objects.
import math
from typing import Any

import torch
from torch import Tensor, nn

from lmlp.descriptor.reference_correlation import CorrelationSums
from lmlp.descriptor.reference_weights import angular_weight, radial_weight
from lmlp.errors import InvalidArgumentError

RADIAL_FORMS = ("bump", "gaussian_bump", "gaussian_cos", "gaussian_shift")
ANGULAR_FORMS = ("cos_int", "cos", "bump", "legendre")
SCALING_FORMS = ("linear", "sqrt", "crss")


def not_vanishing(x: Tensor) -> Tensor:
    """Tell where exp(−1/x) counts: it is below 1e-434 for x < 1e-3, which is treated as x = 0."""
    return x >= 1e-3


def radial_function(form: str, distance: Tensor, cutoff: float, eta: Tensor, shift: Tensor) -> Tensor:
    """Evaluate f(R), cutoff included.

    Args:
        form: one of ``RADIAL_FORMS``.
        distance: R in Å ``[n]``, all below ``cutoff``.
        cutoff: R_c in Å.
        eta: ``[k]``, Å⁻² (dimensionless for ``bump``).
        shift: R_s in Å ``[k]``, used by forms that have one.

    Returns:
        ``[n, k]``.
    """
    r = distance.unsqueeze(1)
    if form == "gaussian_cos":
        return torch.exp(-eta * r * r) * (0.5 + 0.5 * torch.cos(math.pi / cutoff * r))
    x = 1.0 - (r / cutoff) ** 2
    inside = not_vanishing(x)
    x = torch.where(inside, x, torch.ones_like(x))
    if form == "bump":
        f = torch.exp(eta - eta / x)
    elif form == "gaussian_bump":
        f = torch.exp(-eta * r * r) * torch.exp(1.0 - 1.0 / x)
    else:  # gaussian_shift
        f = torch.exp(-eta * (r - shift) ** 2) * torch.exp(1.0 - 1.0 / x)
    return torch.where(inside, f, torch.zeros_like(f))


def angle(cosine: Tensor) -> Tensor:
    """Evaluate θ = arccos(c) with derivative 0 at θ = 0 and π, where dc/dr vanishes."""
    sine2 = (1.0 - cosine) * (1.0 + cosine)
    collinear = sine2 <= 0.0
    sine = torch.sqrt(torch.where(collinear, torch.ones_like(sine2), sine2))
    straight = torch.where(cosine < 0.0, torch.full_like(cosine, math.pi), torch.zeros_like(cosine))
    return torch.where(collinear, straight, torch.atan2(sine, cosine))


def chebyshev(degree: int, cosine: Tensor) -> Tensor:
    """Evaluate T_degree(c) = cos(degree · θ)."""
    previous = torch.ones_like(cosine)
    current = cosine
    for _ in range(degree - 1):
        previous, current = current, 2.0 * cosine * current - previous
    return previous if degree == 0 else current


def legendre(degree: int, cosine: Tensor) -> Tensor:
    """Evaluate P_degree(c)."""
    previous = torch.ones_like(cosine)
    current = cosine
    for l in range(2, degree + 1):  # noqa: E741 - the name of the degree in every formula
        previous, current = current, ((2 * l - 1) * cosine * current - (l - 1) * previous) / l
    return previous if degree == 0 else current


def angular_function(form: str, cosine: Tensor, lam: float, zeta: int, xi: float) -> Tensor:
    """Evaluate a(θ) of one symmetry function; ``zeta`` holds the degree l for ``legendre``.

    Args:
        form: one of ``ANGULAR_FORMS``.
        cosine: cos θ in [−1, 1] ``[n]``.
        lam: λ.
        zeta: ζ, or l.
        xi: ξ.

    Returns:
        ``[n]``.
    """
    if form == "legendre":
        return legendre(zeta, cosine)
    if form == "bump":
        x = lam - angle(cosine) / math.pi
        y = (1.0 - x) * (1.0 + x)
        inside = y > xi / 700.0  # exp(−700) is nothing
        y = torch.where(inside, y, torch.ones_like(y))
        return torch.where(inside, torch.exp(xi - xi / y), torch.zeros_like(y))
    # Rounding may leave X a hair below 0, where powers and roots do not belong.
    if form == "cos_int":
        return torch.clamp(0.5 + 0.5 * lam * cosine, min=0.0) ** zeta
    return torch.clamp(0.5 + 0.5 * lam * chebyshev(zeta, cosine), min=0.0) ** xi


def scaling_function(form: str, total: Tensor) -> Tensor:
    """Evaluate T(Σ); the derivative of ``sqrt`` at Σ = 0 is 0."""
    if form == "linear":
        return total
    if form == "crss":
        return 3.0 * ((total + 1.0) ** (1.0 / 3.0) - 1.0)
    zero = total <= 0.0
    root = torch.sqrt(torch.where(zero, torch.ones_like(total), total))
    return torch.where(zero, torch.zeros_like(total), root)


def list_triples(center: Tensor) -> tuple[Tensor, Tensor]:
    """List every unordered pair of pairs with the same center once, whatever the order of the pair list.

    Args:
        center: center of each pair, int64 ``[n_pairs]``.

    Returns:
        the two pair indices of each triple, int64 ``[n_triples]`` each.
    """
    order = torch.argsort(center, stable=True)
    grouped = center[order]
    n_later = (
        torch.searchsorted(grouped, grouped, right=True)
        - torch.arange(len(grouped), device=center.device)
        - 1
    )
    first = torch.repeat_interleave(n_later)
    start = torch.cumsum(n_later, 0) - n_later
    second = first + 1 + torch.arange(len(first), device=center.device) - start[first]
    return order[first], order[second]


def sum_by_element(values: Tensor, center: Tensor, group: Tensor, n_centers: int, n_groups: int) -> Tensor:
    """Sum rows of ``values`` ``[n, k]`` with equal center and group into ``[n_centers, n_groups, k]``."""
    flat = torch.zeros((n_centers * n_groups, values.size(1)), dtype=values.dtype, device=values.device)
    flat = flat.index_add(0, center * n_groups + group, values)
    return flat.view(n_centers, n_groups, values.size(1))


class ReferenceDescriptor(nn.Module):
    """Symmetry functions of one descriptor block (docs/model-file.md) for the elements of a model.

    G = T(Σ_j w(Z_j) f(R_ij)) and T(Σ_{j<k} w(Z_j, Z_k) f(R_ij) f(R_ik) a(θ_jik)) over neighbors with R < R_c.
    """

    order: Tensor
    radial_eta: Tensor
    radial_shift: Tensor
    radial_form: Tensor
    radial_weight: Tensor
    angular_eta: Tensor
    angular_shift: Tensor
    angular_lambda: list[float]
    angular_zeta: list[int]
    angular_xi: list[float]
    product_radial: Tensor
    product_angular: Tensor
    angular_product: Tensor
    angular_weight: Tensor

    def __init__(self, spec: dict[str, Any], elements: list[str]) -> None:
        super().__init__()
        for key, known in (("radial", RADIAL_FORMS), ("angular", ANGULAR_FORMS), ("scaling", SCALING_FORMS)):
            if (spec.get(key) or known[0]) not in known:
                raise InvalidArgumentError(
                    f"descriptor: {key} {spec[key]!r} is not one of {', '.join(known)}"
                )
        self.cutoff = float(spec["cutoff"])
        self.angular_cutoff = float(spec.get("angular_cutoff") or self.cutoff)
        self.radial = str(spec["radial"])
        self.angular = str(spec.get("angular") or "cos")
        self.scaling = str(spec["scaling"])
        self.n_elements = len(elements)
        self.n_features = len(spec["functions"])
        radial = [i for i, row in enumerate(spec["functions"]) if row["kind"] == "radial"]
        angular = [i for i, row in enumerate(spec["functions"]) if row["kind"] == "angular"]
        correlation = [i for i, row in enumerate(spec["functions"]) if row["kind"] == "correlation"]
        order = torch.empty(self.n_features, dtype=torch.int64)
        order[torch.tensor(radial + angular + correlation, dtype=torch.int64)] = torch.arange(self.n_features)
        self.register_buffer("order", order)  # column of each function in [radial | angular | correlation]
        self._set_radial(spec, [spec["functions"][i] for i in radial], elements)
        self._set_angular(spec, [spec["functions"][i] for i in angular], elements)
        rows = [spec["functions"][i] for i in correlation]
        self.correlation = CorrelationSums(spec, rows, elements)

    def _set_radial(self, spec: dict[str, Any], rows: list[dict[str, Any]], elements: list[str]) -> None:
        """Keep each distinct f once (``radial_eta``, ``radial_shift``) and w of every function."""
        forms = [_radial_form(row) for row in rows]
        distinct = sorted(set(forms))
        self.register_buffer("radial_eta", _float([eta for eta, _ in distinct]))
        self.register_buffer("radial_shift", _float([shift for _, shift in distinct]))
        self.register_buffer("radial_form", _int([distinct.index(form) for form in forms]))
        weights = [[radial_weight(spec, row, element) for row in rows] for element in elements]
        self.register_buffer("radial_weight", _float(weights).view(len(elements), len(rows)))

    def _set_angular(self, spec: dict[str, Any], rows: list[dict[str, Any]], elements: list[str]) -> None:
        """Keep each distinct f, a and product f·f·a once, and w of every function for element pairs."""
        radial = [_radial_form(row) for row in rows]
        angular = [_angular_form(self.angular, row) for row in rows]
        products = list(zip(radial, angular, strict=True))
        some_radial, some_angular = sorted(set(radial)), sorted(set(angular))
        some_products = sorted(set(products))
        self.register_buffer("angular_eta", _float([eta for eta, _ in some_radial]))
        self.register_buffer("angular_shift", _float([shift for _, shift in some_radial]))
        self.angular_lambda = [form[0] for form in some_angular]
        self.angular_zeta = [form[1] for form in some_angular]
        self.angular_xi = [form[2] for form in some_angular]
        self.register_buffer("product_radial", _int([some_radial.index(r) for r, _ in some_products]))
        self.register_buffer("product_angular", _int([some_angular.index(a) for _, a in some_products]))
        self.register_buffer("angular_product", _int([some_products.index(p) for p in products]))
        weights = [[angular_weight(spec, row, a, b) for row in rows] for a in elements for b in elements]
        self.register_buffer("angular_weight", _float(weights).view(len(elements) ** 2, len(rows)))

    def check_vectors(self, center: Tensor, vectors: Tensor) -> None:
        """Refuse pair vectors that are zero or not finite."""
        square = (vectors * vectors).sum(1)
        wrong = torch.logical_not(torch.isfinite(square) & (square > 0.0))
        if bool(wrong.any()):
            p = int(torch.nonzero(wrong)[0, 0])
            x, y, z = float(vectors[p, 0]), float(vectors[p, 1]), float(vectors[p, 2])
            raise RuntimeError(
                f"pair {p} of center {int(center[p])}: vector ({x}, {y}, {z}) is zero or not finite; "
                "two atoms at the same place, or invalid positions"
            )

    def forward(self, n_centers: int, center: Tensor, neighbor_species: Tensor, vectors: Tensor) -> Tensor:
        """Evaluate the features.

        Args:
            n_centers: number of centers.
            center: center of each pair, int64 ``[n_pairs]``, in any order; pairs are listed from both sides.
            neighbor_species: species of the neighbor, int64 ``[n_pairs]``.
            vectors: r_ij = r_j − r_i + S·cell in Å ``[n_pairs, 3]``; pairs beyond the cutoff count nothing.

        Returns:
            G ``[n_centers, n_features]``.

        Raises:
            RuntimeError: two atoms at the same place, or a vector that is not finite.
        """
        self.check_vectors(center, vectors)
        square = (vectors * vectors).sum(1)
        within = square < self.cutoff * self.cutoff
        center, neighbor_species, vectors = center[within], neighbor_species[within], vectors[within]
        distance = torch.sqrt(square[within])
        radial = self.radial_sums(n_centers, center, neighbor_species, distance)
        within = distance < self.angular_cutoff
        center, neighbor_species = center[within], neighbor_species[within]
        vectors, distance = vectors[within], distance[within]
        angular = self.angular_sums(n_centers, center, neighbor_species, vectors, distance)
        correlation = self.correlation_sums(n_centers, center, neighbor_species, vectors, distance)
        total = torch.cat([radial, angular, correlation], 1)[:, self.order]
        return scaling_function(self.scaling, total)

    def correlation_sums(
        self, n_centers: int, center: Tensor, species: Tensor, vectors: Tensor, distance: Tensor
    ) -> Tensor:
        """Evaluate the correlation functions: ``[n_centers, number of correlation functions]``."""
        if self.correlation.n_functions == 0:
            return vectors.new_zeros((n_centers, 0))
        f = radial_function(
            self.radial, distance, self.angular_cutoff, self.correlation.eta, self.correlation.shift
        )
        return self.correlation(  # type: ignore[no-any-return]
            n_centers, center, species, vectors / distance.unsqueeze(1), f
        )

    def radial_sums(self, n_centers: int, center: Tensor, species: Tensor, distance: Tensor) -> Tensor:
        """Sum w(Z_j) f(R_ij) over neighbors: ``[n_centers, number of radial functions]``."""
        f = radial_function(self.radial, distance, self.cutoff, self.radial_eta, self.radial_shift)
        by_element = sum_by_element(f, center, species, n_centers, self.n_elements)
        return (by_element[:, :, self.radial_form] * self.radial_weight).sum(1)

    def angular_sums(
        self, n_centers: int, center: Tensor, species: Tensor, vectors: Tensor, distance: Tensor
    ) -> Tensor:
        """Sum w(Z_j, Z_k) f(R_ij) f(R_ik) a(θ) over triples: ``[n_centers, number of angular functions]``."""
        if len(self.angular_lambda) == 0:
            return vectors.new_zeros((n_centers, 0))
        f = radial_function(self.radial, distance, self.angular_cutoff, self.angular_eta, self.angular_shift)
        j, k = list_triples(center)
        unit = vectors / distance.unsqueeze(1)
        cosine = (unit.index_select(0, j) * unit.index_select(0, k)).sum(1)
        cosine = torch.clamp(cosine, min=-1.0, max=1.0)
        a = [
            angular_function(self.angular, cosine, lam, self.angular_zeta[i], self.angular_xi[i])
            for i, lam in enumerate(self.angular_lambda)
        ]
        # index_select, not f[j][:, n]: the derivative of general indexing is ten times slower
        f = f.index_select(1, self.product_radial)
        f_f = f.index_select(0, j) * f.index_select(0, k)
        product = f_f * torch.stack(a, 1).index_select(1, self.product_angular)
        pair = species[j] * self.n_elements + species[k]
        by_pair = sum_by_element(product, center[j], pair, n_centers, self.n_elements * self.n_elements)
        return (by_pair[:, :, self.angular_product] * self.angular_weight).sum(1)


def _radial_form(row: dict[str, Any]) -> tuple[float, float]:
    return float(row["eta"]), float(row.get("shift", 0.0))


def _angular_form(form: str, row: dict[str, Any]) -> tuple[float, int, float]:
    """Return (λ, ζ, ξ) of one angular function, with what its form does not use at a fixed value."""
    if form == "legendre":
        return 1.0, int(row["l"]), 1.0
    if form == "bump":
        return float(row["lambda"]), 1, float(row["xi"])
    if form == "cos_int":
        return float(row["lambda"]), int(row["zeta"]), 1.0
    return float(row["lambda"]), int(row["zeta"]), float(row["xi"])


def _float(values: list[Any]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _int(values: list[int]) -> Tensor:
    return torch.tensor(values, dtype=torch.int64)
