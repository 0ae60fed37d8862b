"""Evaluate a descriptor and its derivatives with the compiled core (numpy)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lmlp import _core
from lmlp.descriptor.presets import make_preset
from lmlp.descriptor.spec import spec_json
from lmlp.elements import atomic_number, symbol
from lmlp.environments import AtomsLike, Environments
from lmlp.errors import InvalidArgumentError, UnknownElementError
from lmlp.neighbors import find_neighbors

RADIAL_NAMES: tuple[str, ...] = tuple(_core.radial_names())
ANGULAR_NAMES: tuple[str, ...] = tuple(_core.angular_names())
SCALING_NAMES: tuple[str, ...] = tuple(_core.scaling_names())


class Descriptor:
    """An ordered set of symmetry functions for a list of elements.

    >>> import lmlp
    >>> from ase.build import molecule
    >>> lmlp.Descriptor.from_preset("eeacsf-153", ["H", "O"]).features(molecule("H2O")).shape
    (3, 153)

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
        self._core = _core.Descriptor(spec_json(spec), numbers, path)
        self.path = path

    @classmethod
    def from_preset(
        cls, name: str, elements: Sequence[str], cutoff: float | None = None, **options: Any
    ) -> Descriptor:
        """Return the symmetry functions of a preset; see :func:`lmlp.descriptor.presets.make_preset`.

        Args:
            name: ``eeacsf-resolved``, ``eeacsf-correlation``, ``eeacsf-153`` or ``eeacsf-bump``.
            elements: chemical symbols in species order.
            cutoff: Å; default: that of the preset.
            options: of the preset.

        Raises:
            InvalidArgumentError: an unknown preset or option.
            UnknownElementError: an element that the table lacks.
        """
        return cls(make_preset(name, elements, cutoff, **options), elements)

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
        self,
        environments: Environments | AtomsLike,
        neighbor_species: np.ndarray | None = None,
        *,
        n_threads: int = 0,
    ) -> np.ndarray:
        """Compute G.

        Args:
            environments: a structure (``ase.Atoms``), or its full pair list; pairs at or beyond the cutoff
                contribute exactly zero.
            neighbor_species: with a pair list: 0-based index into ``elements`` of each pair's neighbor
                ``[n_pairs]``.
            n_threads: 0 means OpenMP's default.

        Returns:
            float64 ``[n_centers, n_features]``.

        Raises:
            GeometryError: coincident atoms, NaN or infinite vectors; center and pair are named.
            UnknownElementError: an element or a species that the descriptor does not have.
            InvalidArgumentError: a pair list without species, or a structure with them.
        """
        if not isinstance(environments, Environments):
            if neighbor_species is not None:
                raise InvalidArgumentError("neighbor_species: given beside a structure, which has elements")
            environments, neighbor_species = self._pairs(environments, n_threads)
        elif neighbor_species is None:
            raise InvalidArgumentError("neighbor_species: not given beside a pair list")
        return self._core.features(
            environments.offsets, neighbor_species, environments.vectors, n_threads=n_threads
        )

    def _pairs(self, atoms: AtomsLike, n_threads: int) -> tuple[Environments, np.ndarray]:
        """Return the pair list of a structure, and the species of each neighbor."""
        own = np.array([atomic_number(element) for element in self.elements])
        numbers = np.asarray(atoms.numbers)
        unknown = sorted(set(numbers.tolist()) - set(own.tolist()))
        if unknown:
            raise UnknownElementError(
                f"{', '.join(map(symbol, unknown))}: not an element of this descriptor, which has "
                f"{', '.join(self.elements)}"
            )
        pairs = find_neighbors(atoms.positions, atoms.cell, atoms.pbc, self.cutoff, n_threads=n_threads)
        order = np.argsort(own)
        species = order[np.searchsorted(own[order], numbers)].astype(np.int32)
        return pairs, species[pairs.neighbors]

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
