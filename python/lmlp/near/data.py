"""What untrained networks are scored on: network inputs of each element's atoms, and energies to compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lmlp.descriptor.compute import Descriptor
from lmlp.descriptor.sampling import atom_features
from lmlp.elements import symbol
from lmlp.errors import DataError, InvalidArgumentError
from lmlp.model.scaling import feature_moments, fit_atomic_energies, fit_input_map, useful_columns
from lmlp.structure import Structure
from lmlp.structure.free_atoms import set_apart


@dataclass(frozen=True)
class NearData:
    """Network inputs by element, and the energies of the structures that they come from.

    Attributes:
        inputs: float64 ``[n_atoms of the element, n_inputs]`` by chemical symbol.
        structure: index of each atom's structure, same keys and lengths.
        n_atoms: atoms per structure ``[n_structures]``.
        energies: eV per atom less the fitted energies of the atoms ``[n_structures]``, NaN where there is
            none; None where some elements are left out, as then no energy can be predicted.
    """

    inputs: dict[str, np.ndarray]
    structure: dict[str, np.ndarray]
    n_atoms: np.ndarray
    energies: np.ndarray | None

    @property
    def elements(self) -> list[str]:
        """Chemical symbols."""
        return list(self.inputs)

    @property
    def n_inputs(self) -> int:
        """Number of network inputs."""
        return int(next(iter(self.inputs.values())).shape[1])

    def only(self, *elements: str) -> NearData:
        """Return the data of some elements alone.

        Raises:
            InvalidArgumentError: an element that does not occur.
        """
        for element in elements:
            if element not in self.inputs:
                raise InvalidArgumentError(
                    f"element {element!r} does not occur; there are {', '.join(self.inputs)}"
                )
        whole = set(elements) == set(self.inputs)
        return replace(
            self,
            inputs={e: self.inputs[e] for e in elements},
            structure={e: self.structure[e] for e in elements},
            energies=self.energies if whole else None,
        )


def make_data(
    structures: Sequence[Structure],
    spec: Mapping[str, Any],
    *,
    decorrelation: float | None = None,
    max_atoms: int = 20_000,
    seed: int = 0,
) -> NearData:
    """Compute standardized features of a data set.

    Free atoms, and functions that are constant or copies of others on these data, are left out, as in
    training.

    Args:
        structures: energies are used where there are any, forces are not.
        spec: the descriptor block of a model file, e.g. from ``make_preset``.
        decorrelation: ε of the decorrelated inputs that ``lmlp train`` uses (its default is 10); None
            standardizes alone.
        max_atoms: structures are drawn at random up to about this number of atoms.
        seed: of that draw.

    Raises:
        DataError: no structures but free atoms, or every function constant.
        GeometryError: names the structure.
        UnknownElementError: an element that the spec's table lacks.
    """
    bound, free = set_apart(structures, float(spec["cutoff"]))
    if not bound:
        what = f"all {len(free)} structures are isolated atoms" if free else "no structures"
        raise DataError(f"{what}: nothing to score networks on")
    chosen = _draw(bound, max_atoms, seed)
    numbers = sorted({int(z) for s in chosen for z in np.unique(s.numbers)})
    elements = [symbol(z) for z in numbers]
    descriptor = Descriptor(spec, elements)
    species = np.concatenate([np.searchsorted(numbers, s.numbers) for s in chosen])
    features = np.concatenate([atom_features(s, descriptor) for s in chosen])
    moments = feature_moments([(features, species)], len(elements), descriptor.n_features)
    columns, _, _ = useful_columns(moments)
    if len(columns) == 0:
        raise DataError("every symmetry function is constant on these data: enlarge the cutoff")
    inputs = fit_input_map(moments.select(columns), decorrelation)(features[:, columns], species)
    owner = np.repeat(np.arange(len(chosen)), [len(s) for s in chosen])
    return NearData(
        inputs={e: inputs[species == k] for k, e in enumerate(elements)},
        structure={e: owner[species == k] for k, e in enumerate(elements)},
        n_atoms=np.array([len(s) for s in chosen]),
        energies=_energies(chosen, numbers),
    )


def _draw(structures: Sequence[Structure], max_atoms: int, seed: int) -> list[Structure]:
    """Return structures in random order until they have ``max_atoms`` atoms; at least one."""
    order = np.random.default_rng([seed, 0]).permutation(len(structures))
    before = np.cumsum([0, *(len(structures[i]) for i in order[:-1])])
    return [structures[i] for i in np.sort(order[before < max_atoms])]


def _energies(structures: Sequence[Structure], numbers: list[int]) -> np.ndarray:
    """Return energies per atom less those of the atoms, NaN where there is none."""
    counts = np.array([[np.count_nonzero(s.numbers == z) for z in numbers] for s in structures], dtype=float)
    energies = np.array([np.nan if s.energy is None else s.energy for s in structures])
    known = np.isfinite(energies)
    if not known.any():
        return energies
    atoms = fit_atomic_energies(counts[known], energies[known], numbers)
    return np.asarray((energies - counts @ atoms) / counts.sum(axis=1))
