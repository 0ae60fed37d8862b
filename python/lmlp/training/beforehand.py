"""What would fail at the end of a run fails before its first epoch."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lmlp.errors import ConfigError, ModelFileError
from lmlp.export.model_file import model_file_bytes
from lmlp.files.writing import check_room
from lmlp.model.data import ModelData

_OPTIMIZER = 3  # numbers per weight that an optimizer keeps, none of them before its first step


def check_elements(counts: np.ndarray, elements: Sequence[str]) -> None:
    """Refuse elements of which no training structure has an atom.

    Args:
        counts: atoms of each element in each training structure [n_structures, n_elements].
        elements: symbols in species order.

    Raises:
        ConfigError: names the elements.
    """
    missing = [e for e, n in zip(elements, counts.sum(axis=0), strict=True) if n == 0]
    if missing:
        raise ConfigError(
            f"elements: there is no {', '.join(missing)} in the training structures, and nothing can be "
            "learned of it; leave it out. `lmlp learn` adds elements when there are data; --open-elements "
            "prepares for them"
        )


def check_end(model: ModelData, state: dict[str, Any], checkpoint: Path, *, resumed: bool) -> None:
    """Make a model file of the first weights, and try whether checkpoints and model have room.

    Args:
        model: with the first weights.
        state: what a checkpoint holds now.
        checkpoint: where checkpoints go.
        resumed: whether there are two of them already.

    Raises:
        ConfigError: no model file can be made of this model.
        OutputError: no room.
    """
    try:
        content = model_file_bytes(model)
    except ModelFileError as error:
        raise ConfigError(f"this model could not be written after its training: {error}") from error
    buffer = io.BytesIO()
    torch.save(state, buffer)
    weights = sum(t.numel() * t.element_size() for t in state["parameters"])
    largest = buffer.tell() + _OPTIMIZER * weights
    check_room(checkpoint, largest * (1 if resumed else 3) + 2 * len(content))
