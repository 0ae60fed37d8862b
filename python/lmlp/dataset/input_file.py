"""Network inputs of data that stay on disk: computed once, read when they are used."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lmlp.errors import DataError, OutputError


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

    def fill(
        self, key: str, shape: tuple[int, int], dtype: torch.dtype, parts: Callable[[], Iterable[np.ndarray]]
    ) -> None:
        """Write the inputs of all atoms, unless they are there.

        Args:
            key: hash of what they are made from.
            shape: atoms, inputs.
            dtype: of the file.
            parts: computes them, some atoms after the other.

        Raises:
            DataError: the disk has no room.
            OutputError: the file cannot be written.
        """
        kind = np.dtype(str(dtype).removeprefix("torch."))
        note = {"key": key, "shape": list(shape), "dtype": kind.name}
        if self._found() != note:
            needed = shape[0] * shape[1] * kind.itemsize
            _check_room(self.data.parent, needed)
            self.say(f"network inputs: {needed / 2**20:.0f} MiB, written once to {self.data}")
            self.note.unlink(missing_ok=True)
            try:
                with self.data.open("wb") as file:
                    for part in parts():
                        file.write(part.astype(kind).tobytes())
            except OSError as error:
                self.data.unlink(missing_ok=True)  # it would fill the disk
                raise OutputError(f"{self.data}: cannot be written: {error.strerror}") from error
            temporary = self.note.with_suffix(".tmp")
            temporary.write_text(json.dumps(note), encoding="utf-8")
            os.replace(temporary, self.note)
        self._rows = np.memmap(self.data, dtype=kind, mode="r", shape=shape)

    def rows(self, atoms: np.ndarray) -> Tensor:
        """Return the inputs of some atoms."""
        return torch.from_numpy(np.array(self._rows[atoms]))

    def _found(self) -> object:
        try:
            return json.loads(self.note.read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError):
            return None


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"{folder}: {needed / 2**20:.0f} MiB are needed and {free / 2**20:.0f} MiB are free; name an "
            "output on a larger disk, or enlarge memory_budget"
        )
