"""Checkpoints: everything that resuming or exporting needs, written atomically, never unpickled."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lmlp.errors import ModelFileError
from lmlp.model.data import ModelData

FORMAT = "lmlp-checkpoint"
FORMAT_VERSION = 1


def previous_path(path: Path) -> Path:
    """Return where the checkpoint before the last one is kept."""
    return path.with_name(path.name + ".previous")


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint so that a crash at any moment leaves a whole one; the one before is kept beside it.

    Args:
        path: target.
        state: tensors, numbers, strings, lists and dicts.
    """
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, "format_version": FORMAT_VERSION, **state}, buffer)
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        file.write(buffer.getbuffer())
        file.flush()
        os.fsync(file.fileno())
    if path.exists():
        # a link keeps the old file alive under its second name while the new one takes its place
        backup = previous_path(path)
        spare = path.with_name(path.name + ".spare")
        spare.unlink(missing_ok=True)
        os.link(path, spare)
        os.replace(spare, backup)
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint; falls back to the one before if the last one is damaged.

    Raises:
        ModelFileError: no file, not a checkpoint, damaged, or of a newer version.
    """
    try:
        return _load(path)
    except ModelFileError:
        backup = previous_path(path)
        if not backup.exists():
            raise
        return _load(backup)


def _load(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise ModelFileError(f"{path}: no such checkpoint")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types for damaged files
        raise ModelFileError(f"{path}: not a checkpoint, or damaged ({type(error).__name__})") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise ModelFileError(f"{path}: not a checkpoint of lmlp train")
    if int(state["format_version"]) > FORMAT_VERSION:
        raise ModelFileError(
            f"{path}: checkpoint version {state['format_version']}, this program knows up to {FORMAT_VERSION}"
        )
    return state


def load_model_data(path: Path | str) -> ModelData:
    """Return the model of a checkpoint: its best weights so far, and errors and calibration if training
    has ended.

    Raises:
        ModelFileError: not a readable checkpoint.
    """
    from lmlp.training.restore import potential_from_state

    state = load_checkpoint(Path(path))
    potential = potential_from_state(state, weights="best")
    return potential.to_model_data(**model_fields(state))


def model_fields(state: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of ModelData that a checkpoint keeps beside weights and descriptor."""
    fields: dict[str, Any] = {
        "feature_min": np.asarray(state["feature_min"].numpy()),
        "feature_max": np.asarray(state["feature_max"].numpy()),
        "provenance": state["provenance"],
        "shortest_distances": json.loads(state.get("shortest_distances", "{}")),
        "baseline": json.loads(state.get("baseline", "null")),
        "free_atoms": json.loads(state.get("free_atoms", "null")),
    }
    fields.update(state.get("results") or {})
    return fields
