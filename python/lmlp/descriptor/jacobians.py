"""Stored derivatives of network inputs by positions, multiplied by the compiled core (numpy)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lmlp import _core


class Jacobians:
    """Derivatives of many structures' inputs, each a sparse matrix of centers and targets.

    Of center i by target a there are three rows of ``n_inputs`` numbers; targets are atoms, and whatever the
    caller counts on behind them. Products read every number once. One thread sums a structure: bits do not
    depend on the number of threads.

    Args:
        n_inputs: numbers in a row.
        dtype: float32 or float64, of all arrays.
    """

    def __init__(self, n_inputs: int, dtype: np.dtype) -> None:
        self.dtype = np.dtype(dtype)
        kind = _core.JacobiansSingle if self.dtype == np.float32 else _core.Jacobians
        self._core = kind(n_inputs)
        self._place: dict[int, int] = {}
        self._n_targets: list[int] = []
        self.n_bytes = 0

    def __len__(self) -> int:
        return len(self._place)

    def add(
        self, structure: int, offsets: np.ndarray, targets: np.ndarray, rows: np.ndarray, n_targets: int
    ) -> None:
        """Keep the derivatives of a structure.

        Args:
            structure: its name from now on.
            offsets: first block of each center and the end ``[n_centers + 1]``.
            targets: of each block, int32 ``[n_blocks]``.
            rows: ``[n_blocks, 3, n_inputs]``.
            n_targets: targets are below.

        Raises:
            InvalidArgumentError: shapes that do not fit, or a target out of range.
        """
        rows = np.ascontiguousarray(rows, self.dtype)
        self._place[structure] = self._core.add(offsets, targets, rows, n_targets)
        self._n_targets.append(n_targets)
        self.n_bytes += rows.nbytes

    def has_all(self, structures: Sequence[int]) -> bool:
        """Tell whether all of some structures are kept."""
        return all(s in self._place for s in structures)

    def places(self, structures: Sequence[int]) -> np.ndarray:
        """Return what the products below know structures by."""
        return np.array([self._place[s] for s in structures], dtype=np.int64)

    def n_targets(self, places: np.ndarray) -> np.ndarray:
        """Return the number of targets of some structures."""
        return np.array([self._n_targets[p] for p in places], dtype=np.int64)

    def contract(self, places: np.ndarray, slots: np.ndarray, gradients: np.ndarray) -> np.ndarray:
        """Compute Σ_ik J[ik, a] g_ik.

        Args:
            places: of the structures of a batch.
            slots: row of ``gradients`` of each of their centers, one structure after the other; none twice.
            gradients: g ``[n_slots, n_inputs]``.

        Returns:
            ``[Σ n_targets, 3]``, one structure after the other.
        """
        return self._core.contract(places, slots, gradients)

    def expand(self, places: np.ndarray, slots: np.ndarray, values: np.ndarray, n_slots: int) -> np.ndarray:
        """Compute Σ_a J[ik, a] · v_a.

        Args:
            places: of the structures of a batch.
            slots: row of the result of each of their centers.
            values: v ``[Σ n_targets, 3]``.
            n_slots: rows of the result.

        Returns:
            ``[n_slots, n_inputs]``, 0 where no center stands.
        """
        return self._core.expand(places, slots, values, n_slots)
