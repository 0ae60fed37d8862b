"""Write and read model files ``model.pt`` (docs/model-file.md). Reading needs no torch.

A model file is a TorchScript archive that also carries ``lmlp.json`` and ``weights.safetensors``. The zip's
archive comment holds the SHA-256 of all bytes before it, so that every altered or missing byte is found.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import safetensors
import safetensors.numpy

from lmlp.errors import ModelFileError
from lmlp.export.header import check_model, header_of, model_data, parse_header, weight_arrays
from lmlp.files.kinds import MODEL
from lmlp.files.writing import replacing
from lmlp.model.data import ModelData

if TYPE_CHECKING:
    from lmlp.export.verify import Difference

COMMENT_PREFIX = b"lmlp-sha256:"
COMMENT_SIZE = len(COMMENT_PREFIX) + 64
HEADER_ENTRY = "lmlp.json"
WEIGHTS_ENTRY = "weights.safetensors"


def write_model_file(
    data: ModelData, path: str | Path, *, verify: bool = True, keep: Path | None = None
) -> list[Difference]:
    """Write a model file; a file already there is replaced only when the new one is complete and verified.

    Args:
        data: the model.
        path: where to; the folder must exist.
        verify: check that reference, TorchScript and core agree before the file is put in place.
        keep: where the model file that is replaced goes; None drops it.

    Returns:
        the differences that the verification found, empty without it.

    Raises:
        ModelFileError: the model is inconsistent, or verification failed.
        InvalidArgumentError: the target is a file of another kind.
        OutputError: it cannot be written. In all cases the target is left as it was.
    """
    content = model_file_bytes(data)
    differences: list[Difference] = []
    with replacing(path, MODEL, keep) as temporary:
        temporary.write_bytes(content)
        if verify:
            from lmlp.export.verify import verify_model_file

            differences = verify_model_file(temporary, data)
    return differences


def model_file_bytes(data: ModelData) -> bytes:
    """Return the bytes of a model file: TorchScript archive, extra files, checksum."""
    from lmlp.export.torchscript import potential_archive

    check_model(data)
    weights = safetensors.numpy.save(weight_arrays(data))
    header = header_of(data, hashlib.sha256(weights).hexdigest())
    text = json.dumps(header, indent=1, ensure_ascii=False, allow_nan=False).encode("utf-8")
    archive = potential_archive(data, {HEADER_ENTRY: text, WEIGHTS_ENTRY: weights})
    return _with_checksum(archive)


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


def _with_checksum(archive: bytes) -> bytes:
    """Rewrite a TorchScript archive with the checksum as comment.

    The records are copied as they are, with two exceptions: times are left out and so are the ``.debug_pkl``
    records, which would give the writer's folders away, are large, and are optional to every reader.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as new:
        for info in old.infolist():
            if not info.filename.endswith(".debug_pkl"):
                new.writestr(_plain_record(info), old.read(info))
        new.comment = COMMENT_PREFIX + b"0" * 64
    content = buffer.getvalue()[:-COMMENT_SIZE]
    return content + COMMENT_PREFIX + hashlib.sha256(content).hexdigest().encode()


def _plain_record(info: zipfile.ZipInfo) -> zipfile.ZipInfo:
    record = zipfile.ZipInfo(info.filename)
    record.compress_type = info.compress_type
    return record
