"""The model that a session goes on from, and the settings that it brings along."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lmlp.errors import ConfigError, ModelFileError
from lmlp.lifelong.config import LearnConfig, LearnModel
from lmlp.lifelong.continuation import unpack_model
from lmlp.model.data import ModelData
from lmlp.training.config import LossConfig, merge, validated


def load_model(path: Path) -> ModelData:
    """Read a model file or a training checkpoint.

    Raises:
        ModelFileError: neither.
    """
    from lmlp.export.model_file import read_model_file
    from lmlp.training.state.checkpoint import load_model_data

    if not path.exists():
        raise ModelFileError(f"{path}: no such file")
    try:
        return read_model_file(path)
    except ModelFileError as error:
        try:
            return load_model_data(path)
        except ModelFileError:
            raise error from None


def inherited(model: ModelData) -> dict[str, Any]:
    """Return the settings that a session takes over from the training of its model: loss, decorrelation."""
    trained = model.provenance.get("config") or {}
    loss = {k: v for k, v in (trained.get("loss") or {}).items() if k in ("energy", "force", "stress")}
    final = (trained.get("loss") or {}).get("final_energy")
    settings: dict[str, Any] = {"loss": loss | ({} if final is None else {"energy": final})}
    if "decorrelation" in (trained.get("model") or {}):
        settings["model"] = {"decorrelation": trained["model"]["decorrelation"]}
    return settings


def completed(config: LearnConfig, saved: Mapping[str, Any] | None, model: ModelData) -> LearnConfig:
    """Lay settings over those that a session takes over.

    Args:
        config: what was given counts, defaults do not.
        saved: checkpoint of the session if it was interrupted: it took over before.
        model: that it goes on from.
    """
    taken = inherited(model)
    if saved is not None:
        before = json.loads(saved["config"])
        taken = {
            name: {k: before[name][k] for k in kind.model_fields if k in before[name]}
            for name, kind in (("loss", LossConfig), ("model", LearnModel))
        }
    return make_learn_config(merge(taken, config.model_dump(exclude_unset=True)))


def make_learn_config(values: Mapping[str, Any], source: str = "options") -> LearnConfig:
    """Validate settings.

    Raises:
        ConfigError: names the offending key, what was given and what is allowed.
    """
    return validated(LearnConfig, values, source)


def session_config(options: Mapping[str, Any], *, resume: bool = False) -> LearnConfig:
    """Return the settings of a session: ``options`` laid over what it takes over from its model.

    Args:
        options: settings as given, sections nested.
        resume: take over what the interrupted session took over.

    Raises:
        ConfigError: an unknown or impossible setting; nothing to resume.
        ModelFileError: ``start`` is no model.
    """
    config = make_learn_config(options)
    if not resume:
        return completed(config, None, load_model(config.start))
    from lmlp.training.state.checkpoint import load_checkpoint

    if not config.checkpoint.exists():
        raise ConfigError(f"--resume: there is no {config.checkpoint}")
    saved = load_checkpoint(config.checkpoint)
    return completed(config, saved, unpack_model(saved["base"]))
