"""What would fail at the end of a run fails before its first epoch."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lmlp.errors import ConfigError, ModelFileError, OutputError
from lmlp.export.writing import model_file_bytes
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


def check_end(
    model: ModelData,
    state: dict[str, Any],
    checkpoint: Path,
    say: Callable[[str], None],
    *,
    resumed: bool,
) -> None:
    """Make a model file of the first weights, and try whether checkpoints and model have room.

    A run needs room for its model and one checkpoint; without more it goes on, and is told what may fail.

    Args:
        model: with the first weights.
        state: what a checkpoint holds now.
        checkpoint: where checkpoints go.
        say: hears if there is less room than checkpoints take in the course of the run.
        resumed: whether there are two of them already.

    Raises:
        ConfigError: no model file can be made of this model.
        OutputError: no room for the model and a checkpoint.
    """
    try:
        content = model_file_bytes(model)
    except ModelFileError as error:
        raise ConfigError(f"this model could not be written after its training: {error}") from error
    buffer = io.BytesIO()
    torch.save(state, buffer)
    weights = sum(t.numel() * t.element_size() for t in state["parameters"])
    largest = buffer.tell() + _OPTIMIZER * weights
    check_room(checkpoint, (0 if resumed else largest) + len(content))
    try:
        check_room(checkpoint, largest * (1 if resumed else 3) + 2 * len(content))
    except OutputError as error:
        say(f"warning: {error}; checkpoints that do not fit are told and tried again")
