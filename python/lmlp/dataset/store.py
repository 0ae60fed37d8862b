"""Neighbor lists and network inputs of a dataset, cached up to a memory budget and recomputed beyond it."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from lmlp.dataset.arrays import Dataset
from lmlp.dataset.blocks import PairBlock, find_block, join, ragged
from lmlp.dataset.input_file import InputFile
from lmlp.descriptor.compute import Descriptor
from lmlp.descriptor.jacobians import Jacobians
from lmlp.model.scaling import FeatureMoments, InputMap, feature_moments

_CHUNK_ATOMS = 4096


class Store:
    """Serves pair lists and network inputs of a dataset's structures.

    Args:
        dataset: the structures.
        descriptor: the compiled descriptor.
        budget: bytes that neighbor lists and inputs may occupy; structures beyond it are recomputed when
            used.
        n_fit: structures from this one on do not enter the moments of the features.
        statistics: gather the moments.
        file: where inputs lie that are not kept in memory, so that they are computed but once.
    """

    def __init__(
        self,
        dataset: Dataset,
        descriptor: Descriptor,
        budget: int,
        *,
        n_fit: int | None = None,
        statistics: bool = True,
        file: InputFile | None = None,
    ) -> None:
        self.dataset = dataset
        self.descriptor = descriptor
        self.budget = budget
        self.input_map: InputMap | None = None
        self.dtype = torch.float32
        self.n_cached = 0
        self.moments: FeatureMoments | None = None
        self.jacobians: Jacobians | None = None  # derivatives of the inputs, where they are stored
        self._block: PairBlock | None = None
        self._inputs: Tensor | None = None
        self._features: list[np.ndarray] | None = []
        self._file = file
        self._n_fit = len(dataset) if n_fit is None else n_fit
        self._find(statistics)

    @property
    def n_bytes(self) -> int:
        """Memory held by cached lists, inputs and derivatives."""
        block = self._block.n_bytes if self._block is not None else 0
        inputs = self._inputs.nbytes if self._inputs is not None else 0
        return block + inputs + (self.jacobians.n_bytes if self.jacobians is not None else 0)

    @property
    def share_kept(self) -> float:
        """Share of the structures whose inputs are not recomputed."""
        return 1.0 if self._file is not None else self.n_cached / len(self.dataset)

    def _find(self, statistics: bool) -> None:
        """Find neighbors and gather the moments of the features; keep what fits."""
        if not statistics and (self._file is not None or not self.budget):
            return
        blocks: list[PairBlock] = []
        row = 8 * self.descriptor.n_features
        used = 0

        def chunks() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            nonlocal used
            for ids in self.chunks():
                block = find_block(self.dataset, ids, self.descriptor.cutoff)
                features = self.block_features(block)
                used += block.n_bytes + len(features) * row
                if self._file is None and used <= self.budget and self.n_cached == ids[0]:
                    blocks.append(block)
                    self.n_cached = int(ids[-1]) + 1
                    assert self._features is not None
                    self._features.append(features)
                atoms = slice(self.dataset.first_atom[ids[0]], self.dataset.first_atom[ids[-1] + 1])
                if ids[0] < self._n_fit:
                    yield features, self.dataset.species[atoms]

        if statistics:
            n_elements = len(self.dataset.numbers)
            self.moments = feature_moments(chunks(), n_elements, self.descriptor.n_features)
        else:
            for _ in chunks():
                pass
        if blocks:
            self._block = join(blocks)

    def chunks(self) -> Iterator[np.ndarray]:
        """Cut the structures into pieces of some thousand atoms; one ends where those to fit end."""
        first, second = range(self._n_fit), range(self._n_fit, len(self.dataset))
        yield from itertools.chain(self._pieces(first), self._pieces(second))

    def _pieces(self, ids: range) -> Iterator[np.ndarray]:
        if not len(ids):
            return
        sizes = np.cumsum(self.dataset.n_atoms[ids.start : ids.stop])
        pieces = sizes // _CHUNK_ATOMS
        yield from np.split(np.arange(ids.start, ids.stop), np.flatnonzero(np.diff(pieces)) + 1)

    def block_features(self, block: PairBlock) -> np.ndarray:
        """Compute the features of a block's atoms."""
        return self.descriptor.features(block.environments, block.neighbor_species)

    def features(self, ids: np.ndarray) -> np.ndarray:
        """Compute the features of the atoms of some structures."""
        return self.block_features(find_block(self.dataset, ids, self.descriptor.cutoff))

    def feature_chunks(self, ids: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield features ``[n, n_features]`` and species ``[n]`` of the atoms of some structures, in chunks.

        Those in memory are not computed again as long as :meth:`set_inputs` has not been called.

        Args:
            ids: structures, ascending.
        """
        kept = iter(self._features or [])
        for chunk in self.chunks():
            features = next(kept, None)
            here = np.intersect1d(chunk, ids, assume_unique=True)
            if not len(here):
                continue
            atoms = ragged(self.dataset.first_atom[here], self.dataset.n_atoms[here])
            if features is None:
                yield self.features(here), self.dataset.species[atoms]
            else:
                yield features[atoms - self.dataset.first_atom[chunk[0]]], self.dataset.species[atoms]

    def set_inputs(self, input_map: InputMap, dtype: torch.dtype) -> None:
        """Fix the map from features to network inputs, and compute the cached inputs."""
        self.input_map, self.dtype = input_map, dtype
        if self._file is not None:
            shape = (int(self.dataset.first_atom[-1]), input_map.n_inputs)
            self._file.fill(self._key(input_map), shape, dtype, lambda: map(self._rows, self.chunks()))
        features, self._features = self._features, None
        if self._block is None or features is None:
            return
        inputs = torch.empty(int(self._block.first_atom[-1]), input_map.n_inputs, dtype=dtype)
        done = 0
        for chunk in features:
            atoms = slice(done, done + len(chunk))
            inputs[atoms] = torch.from_numpy(input_map(chunk, self.dataset.species[atoms]))
            done += len(chunk)
        self._inputs = inputs

    def _rows(self, ids: np.ndarray) -> np.ndarray:
        """Compute the inputs of the atoms of consecutive structures."""
        assert self.input_map is not None
        atoms = slice(self.dataset.first_atom[ids[0]], self.dataset.first_atom[ids[-1] + 1])
        return self.input_map(self.features(ids), self.dataset.species[atoms])

    def _key(self, input_map: InputMap) -> str:
        """Return a hash of what the inputs are made from."""
        digest = hashlib.sha256(self.dataset.fingerprint().encode())
        digest.update(json.dumps(self.descriptor.spec, sort_keys=True).encode())
        for array in (input_map.scale, input_map.shift, input_map.matrix):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def fetch(self, ids: np.ndarray) -> tuple[PairBlock, Tensor, np.ndarray]:
        """Return a block with the inputs of its atoms, and where each of ``ids`` stands in it."""
        if self._block is not None and self._inputs is not None and (ids < self.n_cached).all():
            return self._block, self._inputs, ids
        if self.input_map is None:
            raise RuntimeError("set_inputs() comes first")
        unique, position = np.unique(ids, return_inverse=True)
        block = find_block(self.dataset, unique, self.descriptor.cutoff)
        atoms = ragged(self.dataset.first_atom[unique], self.dataset.n_atoms[unique])
        if self._file is not None:
            return block, self._file.rows(atoms), position
        inputs = self.input_map(self.block_features(block), self.dataset.species[atoms])
        return block, torch.from_numpy(inputs).to(self.dtype), position
