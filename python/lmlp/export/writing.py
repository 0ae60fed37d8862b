"""Write model files ``model.pt`` (docs/model-file.md), whole and verified or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

import safetensors.numpy

from lmlp.export.header import check_model, header_of, weight_arrays
from lmlp.export.model_file import COMMENT_PREFIX, COMMENT_SIZE, HEADER_ENTRY, WEIGHTS_ENTRY
from lmlp.export.torchscript import potential_archive
from lmlp.export.verify import Difference, verify_model_file
from lmlp.files.kinds import MODEL
from lmlp.files.writing import replacing
from lmlp.model.data import ModelData


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
            differences = verify_model_file(temporary, data)
    return differences


def model_file_bytes(data: ModelData) -> bytes:
    """Return the bytes of a model file: TorchScript archive, extra files, checksum."""
    check_model(data)
    weights = safetensors.numpy.save(weight_arrays(data))
    header = header_of(data, hashlib.sha256(weights).hexdigest())
    text = json.dumps(header, indent=1, ensure_ascii=False, allow_nan=False).encode("utf-8")
    archive = potential_archive(data, {HEADER_ENTRY: text, WEIGHTS_ENTRY: weights})
    return _with_checksum(archive)


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
