"""Correlation functions in pure torch: means of products of densities over points on the unit sphere.

G = 1/(4π) ∫ ρ_1(n) … ρ_N(n) dn with ρ_k(n) = Σ_j w_k(Z_j) f_k(R_ij) P_l_k(u_ij·n): densities are evaluated at
the points as they stand here, from Legendre polynomials of every neighbor. No spherical harmonics: nothing is
shared with the core, which is checked against this.
"""

# No `from __future__ import annotations`: TorchScript reads the types of attributes as objects.
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lmlp.descriptor.reference_weights import radial_weight


def sphere_points(degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points on the whole unit sphere and weights, exact for polynomials up to a degree.

    Args:
        degree: of the polynomial.

    Returns:
        points ``[n, 3]``, weights ``[n]`` with sum 1: Gauss–Legendre in z times equal steps in φ.
    """
    z, weight = np.polynomial.legendre.leggauss(degree // 2 + 1)
    phi = 2 * np.pi * np.arange(degree + 1) / (degree + 1)
    radius = np.sqrt(1 - z**2)
    x, y = np.outer(radius, np.cos(phi)), np.outer(radius, np.sin(phi))
    points = np.stack([x, y, np.broadcast_to(z[:, None], x.shape)], axis=-1).reshape(-1, 3)
    return points, np.repeat(weight / 2 / (degree + 1), degree + 1)


class CorrelationSums(nn.Module):
    """All functions of kind ``correlation`` of one spec.

    Args:
        spec: normalized descriptor block.
        rows: its correlation functions.
        elements: chemical symbols in species order.
    """

    points: Tensor
    point_weight: Tensor
    eta: Tensor
    shift: Tensor
    density_radial: Tensor
    density_weight: Tensor
    field_density: Tensor
    field_l: Tensor
    factor: Tensor

    def __init__(self, spec: dict[str, Any], rows: list[dict[str, Any]], elements: list[str]) -> None:
        super().__init__()
        factors = [[_factor(f) for f in row["factors"]] for row in rows]
        fields = sorted({f for row in factors for f in row})
        densities = sorted({f[:3] for f in fields})
        radial = sorted({d[1:] for d in densities})
        self.n_functions = len(rows)
        self.n_elements = len(elements)
        self.l_max = max((f[3] for f in fields), default=0)
        degree = max((sum(f[3] for f in row) for row in factors), default=0)
        points, weight = sphere_points(degree)
        self.register_buffer("points", torch.from_numpy(points))
        self.register_buffer("point_weight", torch.from_numpy(weight))
        self.register_buffer("eta", _float([eta for eta, _ in radial]))
        self.register_buffer("shift", _float([shift for _, shift in radial]))
        self.register_buffer("density_radial", _int([radial.index(d[1:]) for d in densities]))
        weights = [[radial_weight(spec, {"weight": d[0]}, e) for d in densities] for e in elements]
        self.register_buffer("density_weight", _float(weights).view(len(elements), len(densities)))
        self.register_buffer("field_density", _int([densities.index(f[:3]) for f in fields]))
        self.register_buffer("field_l", _int([f[3] for f in fields]))
        # of the largest intermediate arrays
        self.numbers_per_pair = len(weight) * len(densities)
        self.numbers_per_center = len(weight) * max(len(rows), (self.l_max + 1) * len(densities))
        # functions of fewer factors than others are filled up with a field that is 1
        most = max((len(row) for row in factors), default=2)
        table = [[fields.index(f) for f in row] + [len(fields)] * (most - len(row)) for row in factors]
        self.register_buffer("factor", _int(table).view(len(rows), most))

    def forward(self, n_centers: int, center: Tensor, species: Tensor, unit: Tensor, f: Tensor) -> Tensor:
        """Evaluate the functions.

        Args:
            n_centers: number of centers.
            center: center of each pair within the angular cutoff, int64 ``[n_pairs]``.
            species: species of the neighbor, int64 ``[n_pairs]``.
            unit: r_ij / R_ij ``[n_pairs, 3]``.
            f: radial functions of ``eta`` and ``shift`` ``[n_pairs, n]``.

        Returns:
            ``[n_centers, n_functions]``.
        """
        cosine = torch.matmul(unit, self.points.t())
        weighted = f.index_select(1, self.density_radial) * self.density_weight.index_select(0, species)
        n_points, n_densities = cosine.size(1), weighted.size(1)
        previous, current = torch.ones_like(cosine), cosine
        by_degree: list[Tensor] = []
        for l in range(self.l_max + 1):  # noqa: E741 - the name of the degree in every formula
            legendre = previous
            if l == 1:
                legendre = current
            if l > 1:
                previous, current = current, ((2 * l - 1) * cosine * current - (l - 1) * previous) / l
                legendre = current
            value = (legendre.unsqueeze(1) * weighted.unsqueeze(2)).flatten(1)
            total = torch.zeros((n_centers, value.size(1)), dtype=value.dtype, device=value.device)
            by_degree.append(total.index_add(0, center, value).view(n_centers, n_densities, n_points))
        density = torch.cat(by_degree, 1)
        fields = density.index_select(1, self.field_l * n_densities + self.field_density)
        fields = torch.cat([fields, torch.ones_like(fields[:, :1])], 1)
        product = self.point_weight.view(1, 1, -1)
        for k in range(self.factor.size(1)):
            product = product * fields.index_select(1, self.factor[:, k])
        return product.sum(2)


def _factor(factor: dict[str, Any]) -> tuple[str, float, float, int]:
    return str(factor["weight"]), float(factor["eta"]), float(factor.get("shift", 0.0)), int(factor["l"])


def _float(values: list[Any]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _int(values: list[Any]) -> Tensor:
    return torch.tensor(values, dtype=torch.int64)
