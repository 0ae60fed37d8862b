"""Network inputs of data that stay on disk: computed once, read when they are used."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from lmlp.errors import DataError, OutputError
from lmlp.model.scaling import InputMap

if TYPE_CHECKING:
    from lmlp.training.store import Store


class InputFile:
    """A file of inputs ``[n_atoms, n_inputs]`` and, written last, one that tells what they were made from.

    Args:
        path: without ending.
        say: hears what is written.
    """

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self.data, self.note = path.with_suffix(".bin"), path.with_suffix(".json")
        self.say = say
        self._rows = np.zeros((0, 0))

    def fill(self, store: Store, input_map: InputMap, dtype: torch.dtype) -> None:
        """Compute the inputs of all structures, unless they are there.

        Raises:
            DataError: the disk has no room.
            OutputError: the file cannot be written.
        """
        dataset = store.dataset
        shape = (int(dataset.first_atom[-1]), input_map.n_inputs)
        kind = np.dtype(str(dtype).removeprefix("torch."))
        key = {"key": _key(store, input_map), "shape": list(shape), "dtype": kind.name}
        if self._found() != key:
            needed = shape[0] * shape[1] * kind.itemsize
            _check_room(self.data.parent, needed)
            self.say(f"network inputs: {needed / 2**20:.0f} MiB, written once to {self.data}")
            self.note.unlink(missing_ok=True)
            try:
                self._write(store, input_map, kind)
            except OSError as error:
                self.data.unlink(missing_ok=True)  # it would fill the disk
                raise OutputError(f"{self.data}: cannot be written: {error.strerror}") from error
            temporary = self.note.with_suffix(".tmp")
            temporary.write_text(json.dumps(key), encoding="utf-8")
            os.replace(temporary, self.note)
        self._rows = np.memmap(self.data, dtype=kind, mode="r", shape=shape)

    def _write(self, store: Store, input_map: InputMap, kind: np.dtype) -> None:
        dataset = store.dataset
        with self.data.open("wb") as file:
            for ids in store.chunks():
                atoms = slice(dataset.first_atom[ids[0]], dataset.first_atom[ids[-1] + 1])
                file.write(input_map(store.features(ids), dataset.species[atoms]).astype(kind).tobytes())

    def rows(self, atoms: np.ndarray) -> Tensor:
        """Return the inputs of some atoms."""
        return torch.from_numpy(np.array(self._rows[atoms]))

    def _found(self) -> object:
        try:
            return json.loads(self.note.read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError):
            return None


def _key(store: Store, input_map: InputMap) -> str:
    digest = hashlib.sha256(store.dataset.fingerprint().encode())
    digest.update(json.dumps(store.descriptor.spec, sort_keys=True).encode())
    for array in (input_map.scale, input_map.shift, input_map.matrix):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"{folder}: {needed / 2**20:.0f} MiB are needed and {free / 2**20:.0f} MiB are free; name an "
            "output on a larger disk, or enlarge memory_budget"
        )
