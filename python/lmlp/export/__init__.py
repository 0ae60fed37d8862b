"""Model files: writing, reading, TorchScript export, verification, import of foreign models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmlp.lazy import exports

if TYPE_CHECKING:
    from lmlp.export.merge import merge_models as merge_models
    from lmlp.export.model_file import read_model_file as read_model_file
    from lmlp.export.original import import_original as import_original
    from lmlp.export.verify import verify_model_file as verify_model_file
    from lmlp.export.writing import write_model_file as write_model_file

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "import_original": "original",
        "merge_models": "merge",
        "read_model_file": "model_file",
        "verify_model_file": "verify",
        "write_model_file": "writing",
    },
)
