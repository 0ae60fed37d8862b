"""One structure as bytes that read back bit by bit, and the checksum that identifies it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from lmlp.errors import DataError
from lmlp.structure import Structure

_LABELS = ("energy", "forces", "stress")


def to_bytes(structure: Structure) -> bytes:
    """Pack a structure with labels, source and JSON-like entries (safetensors, little-endian)."""
    text = json.dumps({"source": structure.source, "info": structure.info}, default=_plain, sort_keys=True)
    return bytes(safetensors.numpy.save(_arrays(structure), metadata={"structure": text}))


def from_bytes(content: bytes) -> Structure:
    """Unpack a structure.

    Raises:
        DataError: the bytes are no packed structure.
    """
    try:
        arrays = safetensors.numpy.load(content)
        size = int.from_bytes(content[:8], "little")
        text = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["structure"])
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise DataError(f"not a packed structure: {error}") from None
    return Structure(
        numbers=arrays["numbers"],
        positions=arrays["positions"],
        cell=arrays["cell"],
        pbc=arrays["pbc"].astype(bool),
        energy=float(arrays["energy"][0]) if "energy" in arrays else None,
        forces=arrays.get("forces"),
        stress=arrays.get("stress"),
        source=text["source"],
        info=text["info"],
    )


def checksum(structure: Structure) -> str:
    """Return the SHA-256 of geometry and labels; source and further entries do not enter."""
    digest = hashlib.sha256()
    for name, array in sorted(_arrays(structure).items()):
        digest.update(f"{name}:{array.shape};".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _arrays(structure: Structure) -> dict[str, np.ndarray]:
    arrays = {
        "numbers": np.ascontiguousarray(structure.numbers, dtype="<i4"),
        "positions": np.ascontiguousarray(structure.positions, dtype="<f8"),
        "cell": np.ascontiguousarray(structure.cell, dtype="<f8"),
        "pbc": np.ascontiguousarray(structure.pbc, dtype=np.uint8),
    }
    for name in _LABELS:
        value = getattr(structure, name)
        if value is not None:
            arrays[name] = np.ascontiguousarray(np.atleast_1d(value), dtype="<f8")
    return arrays


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return str(value)
