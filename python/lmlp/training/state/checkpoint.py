"""Checkpoints: everything that resuming or exporting needs, written atomically, never unpickled."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lmlp.errors import ModelFileError
from lmlp.files.kinds import CHECKPOINT
from lmlp.files.writing import replacing
from lmlp.model.data import ModelData
from lmlp.model.spread import SpreadMaps
from lmlp.training.state.outputs import previous_path
from lmlp.training.state.restore import potential_from_state, trained_distance

__all__ = ["load_checkpoint", "load_model_data", "model_fields", "previous_path", "save_checkpoint"]

FORMAT = "lmlp-checkpoint"
CHECKPOINT_VERSION = 1


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint so that a crash at any moment leaves a whole one; the one before is kept beside it.

    Args:
        path: target.
        state: tensors, numbers, strings, lists and dicts.

    Raises:
        OutputError: it cannot be written; the one before stays.
    """
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, "format_version": CHECKPOINT_VERSION, **state}, buffer)
    with replacing(path, CHECKPOINT, previous_path(path)) as temporary, temporary.open("wb") as file:
        file.write(buffer.getbuffer())


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
    if int(state["format_version"]) > CHECKPOINT_VERSION:
        raise ModelFileError(
            f"{path}: checkpoint version {state['format_version']}, "
            f"this program knows up to {CHECKPOINT_VERSION}"
        )
    return state


def load_model_data(path: Path | str) -> ModelData:
    """Return the model of a checkpoint: its best weights so far, and errors and calibration if training
    has ended.

    Raises:
        ModelFileError: not a readable checkpoint.
    """
    state = load_checkpoint(Path(path))
    potential = potential_from_state(state, weights="best")
    return potential.to_model_data(**model_fields(state))


def model_fields(state: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of ModelData that a checkpoint keeps beside weights and descriptor."""
    fields: dict[str, Any] = {
        "feature_min": np.asarray(state["feature_min"].numpy()),
        "feature_max": np.asarray(state["feature_max"].numpy()),
        "provenance": state["provenance"],
        "shortest_distances": json.loads(state["shortest_distances"]),
        "baseline": json.loads(state["baseline"]),
        "free_atoms": json.loads(state["free_atoms"]),
        "atomic_energies": np.asarray(state["anchored_energies"].numpy()),
    }
    if "distance" in state:  # before, σ was by factors
        elements = state["elements"]
        trained = trained_distance(state["distance"])
        if trained is not None:
            fields |= trained.fields(elements)
        if state["n_members"] > 1:
            fields["spread_maps"] = SpreadMaps.raw(len(elements)).block(elements)
    return {**fields, **(state["results"] or {})}
