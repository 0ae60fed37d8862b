"""The compiled core: neighbor lists, symmetry functions and their derivatives, potentials.

Arrays are converted to row-major arrays of the type that is needed. Shapes are checked.
"""

from collections.abc import Sequence
from os import PathLike
from typing import Any, TypedDict, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

_Float = NDArray[np.float64]
_Single = NDArray[np.float32]
_Long = NDArray[np.int64]
_Int = NDArray[np.int32]
_Neighbors = tuple[_Long, _Long, _Int, _Float]

class _ElementTable(TypedDict):
    name: str
    properties: list[str]
    maxima: list[float]
    values: dict[str, tuple[float, ...]]

class _Info(TypedDict):
    elements: list[str]
    atomic_numbers: list[int]
    atomic_energies: list[float]
    n_members: int
    n_features: int
    cutoff: float
    energy_rmse: float
    force_rmse: float
    energy_uncertainty_factor: float
    force_uncertainty_factor: float
    has_feature_ranges: bool
    has_spread_maps: bool
    has_distance: bool
    checksum: str
    header: str

def atomic_number(symbol: str) -> int: ...
def symbol(z: int) -> str: ...
def element_table(name: str) -> _ElementTable: ...
def element_table_names() -> list[str]: ...
def radial_names() -> list[str]: ...
def angular_names() -> list[str]: ...
def scaling_names() -> list[str]: ...
def precision_names() -> list[str]: ...
def instruction_set() -> str: ...
def instruction_sets() -> list[str]: ...
def activation_names() -> list[str]: ...
def is_forked() -> bool: ...
def normalize_spec(spec_json: str) -> str: ...
def element_weights(spec_json: str, atomic_numbers: Sequence[int]) -> list[list[float]]: ...
def find_neighbors(
    positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike, cutoff: float, n_threads: int = 0
) -> _Neighbors:
    """Return offsets ``[n + 1]``, neighbors ``[p]``, shifts ``[p, 3]`` and vectors ``[p, 3]`` in Å."""

@final
class VerletList:
    def __init__(self, cutoff: float, skin: float) -> None: ...
    def update(
        self, positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike, n_threads: int = 0
    ) -> _Neighbors: ...
    @property
    def n_builds(self) -> int: ...
    @property
    def cutoff(self) -> float: ...
    @property
    def skin(self) -> float: ...

@final
class Descriptor:
    def __init__(self, spec_json: str, atomic_numbers: Sequence[int], path: str = "automatic") -> None: ...
    @property
    def n_features(self) -> int: ...
    @property
    def n_species(self) -> int: ...
    @property
    def cutoff(self) -> float: ...
    @property
    def spec_json(self) -> str: ...
    def features(
        self, offsets: ArrayLike, neighbor_species: ArrayLike, vectors: ArrayLike, n_threads: int = 0
    ) -> _Float: ...
    def backward(
        self,
        offsets: ArrayLike,
        neighbor_species: ArrayLike,
        vectors: ArrayLike,
        grad: ArrayLike,
        n_threads: int = 0,
    ) -> _Float: ...
    def tangent(
        self,
        offsets: ArrayLike,
        neighbor_species: ArrayLike,
        vectors: ArrayLike,
        d_vectors: ArrayLike,
        n_threads: int = 0,
    ) -> _Float: ...

@final
class Jacobians:
    def __init__(self, n_inputs: int) -> None: ...
    def __len__(self) -> int: ...
    def add(self, offsets: ArrayLike, targets: ArrayLike, rows: ArrayLike, n_targets: int) -> int: ...
    def contract(
        self, ids: ArrayLike, slots: ArrayLike, gradients: ArrayLike, n_threads: int = 0
    ) -> _Float: ...
    def expand(
        self, ids: ArrayLike, slots: ArrayLike, values: ArrayLike, n_slots: int, n_threads: int = 0
    ) -> _Float: ...

@final
class JacobiansSingle:
    def __init__(self, n_inputs: int) -> None: ...
    def __len__(self) -> int: ...
    def add(self, offsets: ArrayLike, targets: ArrayLike, rows: ArrayLike, n_targets: int) -> int: ...
    def contract(
        self, ids: ArrayLike, slots: ArrayLike, gradients: ArrayLike, n_threads: int = 0
    ) -> _Single: ...
    def expand(
        self, ids: ArrayLike, slots: ArrayLike, values: ArrayLike, n_slots: int, n_threads: int = 0
    ) -> _Single: ...

@final
class Potential:
    def __init__(self, path: str | PathLike[str]) -> None: ...
    def info(self) -> _Info: ...
    def species(self, symbol: str) -> int: ...
    def evaluate(
        self,
        offsets: ArrayLike,
        center_species: ArrayLike,
        neighbor_species: ArrayLike,
        vectors: ArrayLike,
        *,
        energies: bool = True,
        pair_gradients: bool = True,
        member_energies: bool = False,
        member_gradients: bool = False,
        extrapolation: bool = False,
        distances: bool = False,
        precision: str = "double",
        n_threads: int = 0,
    ) -> dict[str, NDArray[Any]]:
        """Return ``energies [n]`` in eV and ``pair_gradients [p, 3]`` in eV/Å of the ensemble mean.

        On request also ``member_energies [m, n]``, ``member_pair_gradients [m, p, 3]``,
        ``extrapolating [n]`` and ``distances [n]`` from the training atoms (1: their 99.9 % quantile), which
        alone need no networks.
        """
