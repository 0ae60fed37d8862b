"""Read model files ``model.pt`` (docs/model-file.md), without torch.

A model file is a TorchScript archive that also carries ``lmlp.json`` and ``weights.safetensors``. The zip's
archive comment holds the SHA-256 of all bytes before it, so that every altered or missing byte is found.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from lmlp.errors import ModelFileError
from lmlp.export.header import model_data, parse_header
from lmlp.model.data import ModelData

COMMENT_PREFIX = b"lmlp-sha256:"
COMMENT_SIZE = len(COMMENT_PREFIX) + 64
HEADER_ENTRY = "lmlp.json"
WEIGHTS_ENTRY = "weights.safetensors"


def read_model_file(path: str | Path) -> ModelData:
    """Read a model file without torch.

    Raises:
        ModelFileError: not a model file, truncated, altered, or of a newer format version; names the file.
    """
    return parse_model_file(read_content(path), path)


def read_content(path: str | Path) -> bytes:
    """Read a file whole; ModelFileError where that cannot be."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot read: {error.strerror}") from error


def parse_model_file(content: bytes, path: str | Path) -> ModelData:
    """Read a model from the content of its file; ``path`` and errors as in `read_model_file`."""
    try:
        text, weights = model_entries(content)
        header = parse_header(text)
        if hashlib.sha256(weights).hexdigest() != header.get("weights_sha256"):
            raise ModelFileError(f"{WEIGHTS_ENTRY} does not match its checksum in {HEADER_ENTRY}")
        arrays = {
            name: array.astype(np.float64, copy=False) for name, array in _load_weights(weights).items()
        }
        return model_data(header, arrays)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from None


def stored_checksum(content: bytes) -> str:
    """Return the SHA-256 that the content of a model file ends with, hexadecimal; not compared here."""
    return content[-64:].decode("ascii", errors="replace")


def model_entries(content: bytes) -> tuple[bytes, bytes]:
    """Check the checksum of a model file and return its entries ``lmlp.json`` and ``weights.safetensors``.

    Raises:
        ModelFileError: not a model file, truncated or altered.
    """
    comment = content[-COMMENT_SIZE:]
    if not content:
        raise ModelFileError("the file is empty")
    if not comment.startswith(COMMENT_PREFIX):
        if not content.startswith(b"PK"):
            raise ModelFileError("this is not a model file (no zip archive)")
        raise ModelFileError(
            "this is not a model file of lmlp, or it is truncated: its checksum is missing at the end"
        )
    digest = hashlib.sha256(content[:-COMMENT_SIZE]).hexdigest().encode()
    if comment != COMMENT_PREFIX + digest:
        raise ModelFileError("the file is damaged or was altered: its content does not match its checksum")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            return tuple(archive.read(_entry(names, entry)) for entry in (HEADER_ENTRY, WEIGHTS_ENTRY))  # type: ignore[return-value]
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise ModelFileError(f"this is not a model file: {error}") from None


def _entry(names: list[str], entry: str) -> str:
    found = [name for name in names if name.endswith(f"/extra/{entry}") and name.count("/") == 2]
    if len(found) != 1:
        raise ModelFileError(f"the archive has {len(found)} entries extra/{entry}, not one")
    return found[0]


def _load_weights(weights: bytes) -> dict[str, np.ndarray]:
    try:
        return dict(safetensors.numpy.load(weights))
    except safetensors.SafetensorError as error:
        raise ModelFileError(f"{WEIGHTS_ENTRY} cannot be read: {error}") from None
