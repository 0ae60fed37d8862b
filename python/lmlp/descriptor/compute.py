"""Evaluate a descriptor and its derivatives with the compiled core (numpy)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lmlp import _core
from lmlp.elements import atomic_number
from lmlp.environments import Environments
from lmlp.errors import InvalidArgumentError

RADIAL_NAMES: tuple[str, ...] = tuple(_core.radial_names())
ANGULAR_NAMES: tuple[str, ...] = tuple(_core.angular_names())
SCALING_NAMES: tuple[str, ...] = tuple(_core.scaling_names())


def _spec_json(spec: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(spec), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"descriptor is not plain JSON data: {error}") from error


def normalize_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Check a spec and return it with every default filled in.

    Raises:
        InvalidArgumentError: names the row, the key, what was given and what is allowed.
    """
    return dict(json.loads(_core.normalize_spec(_spec_json(spec))))


def element_weights(spec: Mapping[str, Any], elements: Sequence[str]) -> list[list[float]]:
    """Return the weights of each function for the given elements.

    Returns:
        Per function: radial functions one weight per element, angular ones one per unordered element pair,
        in the order (0,0), (0,1), (1,1), (0,2), …

    Raises:
        UnknownElementError: an element is not in the table of the spec.
    """
    numbers = [atomic_number(element) for element in elements]
    return [list(row) for row in _core.element_weights(_spec_json(spec), numbers)]


class Descriptor:
    """An ordered set of symmetry functions for a list of elements.

    Immutable, safe from many threads, can be pickled. Never forms a Jacobian: ``features`` G,
    ``backward`` g_ij = Σ_n v_n dG_n(i)/dr_ij, ``tangent`` dG_n(i) = Σ_j dG_n(i)/dr_ij · dr_ij. The same input
    gives the same bits for any number of threads and any division of the centers into blocks.
    Source: JCTC 2023, 19, 3509 (doi 10.1021/acs.jctc.3c00279).

    Args:
        spec: the ``descriptor`` block of a model file (docs/model-file.md).
        elements: chemical symbols in species order.
        path: ``moments`` or ``triples`` force one evaluation of the angular sums; ``automatic`` lets a cost
            model choose. They agree to 1e-12 relative.

    Raises:
        InvalidArgumentError: names the row, the key, what was given and what is allowed.
        UnknownElementError: an element is not in the table of the spec.
    """

    def __init__(self, spec: Mapping[str, Any], elements: Sequence[str], path: str = "automatic") -> None:
        self.elements: tuple[str, ...] = tuple(elements)
        numbers = [atomic_number(element) for element in self.elements]
        self._core = _core.Descriptor(_spec_json(spec), numbers, path)
        self.path = path

    def __reduce__(self) -> tuple[type[Descriptor], tuple[dict[str, Any], tuple[str, ...], str]]:
        return Descriptor, (self.spec, self.elements, self.path)

    @property
    def spec(self) -> dict[str, Any]:
        """The spec as the core understood it, with every default filled in."""
        return dict(json.loads(self._core.spec_json))

    @property
    def n_features(self) -> int:
        """Number of symmetry functions."""
        return int(self._core.n_features)

    @property
    def cutoff(self) -> float:
        """Cutoff radius in Å."""
        return float(self._core.cutoff)

    def features(
        self, environments: Environments, neighbor_species: np.ndarray, *, n_threads: int = 0
    ) -> np.ndarray:
        """Compute G.

        Args:
            environments: full pair list; pairs at or beyond the cutoff contribute exactly zero.
            neighbor_species: 0-based index into ``elements`` of each pair's neighbor ``[n_pairs]``.
            n_threads: 0 means OpenMP's default.

        Returns:
            float64 ``[n_centers, n_features]``.

        Raises:
            GeometryError: coincident atoms, NaN or infinite vectors; center and pair are named.
            UnknownElementError: a species out of range.
        """
        return self._core.features(
            environments.offsets, neighbor_species, environments.vectors, n_threads=n_threads
        )

    def backward(
        self,
        environments: Environments,
        neighbor_species: np.ndarray,
        grad: np.ndarray,
        *,
        n_threads: int = 0,
    ) -> np.ndarray:
        """Compute g_ij = Σ_n grad_n dG_n(i)/dr_ij.

        Args:
            environments: full pair list.
            neighbor_species: species of each pair's neighbor ``[n_pairs]``.
            grad: dE/dG, ``[n_centers, n_features]`` or several of them ``[r, n_centers, n_features]``.
            n_threads: 0 means OpenMP's default.

        Returns:
            float64 ``[n_pairs, 3]`` or ``[r, n_pairs, 3]``; F_i = Σ_j g_ij − Σ_k g_ki.
        """
        return self._core.backward(
            environments.offsets, neighbor_species, environments.vectors, grad, n_threads=n_threads
        )

    def tangent(
        self,
        environments: Environments,
        neighbor_species: np.ndarray,
        d_vectors: np.ndarray,
        *,
        n_threads: int = 0,
    ) -> np.ndarray:
        """Compute dG_n(i) = Σ_j dG_n(i)/dr_ij · dr_ij.

        Args:
            environments: full pair list.
            neighbor_species: species of each pair's neighbor ``[n_pairs]``.
            d_vectors: changes of the pair vectors, ``[n_pairs, 3]`` or several ``[r, n_pairs, 3]``.
            n_threads: 0 means OpenMP's default.

        Returns:
            float64 ``[n_centers, n_features]`` or ``[r, n_centers, n_features]``.
        """
        return self._core.tangent(
            environments.offsets, neighbor_species, environments.vectors, d_vectors, n_threads=n_threads
        )
