"""The model that a session goes on from, and the settings that it brings along."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lmlp.config.listing import keys_of
from lmlp.config.validate import merge, validated
from lmlp.errors import ConfigError, ModelFileError
from lmlp.lifelong.config import REFUSED, LearnConfig, LearnModel
from lmlp.lifelong.continuation import unpack_model
from lmlp.model.data import ModelData
from lmlp.training.config import LossConfig


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
    loss = validated(LossConfig, _known(trained.get("loss"), keys_of(LossConfig)), "model: loss")
    return {"loss": loss.at_end(), "model": _known(trained.get("model"), LearnModel.taken_over)}


def _known(values: Mapping[str, Any] | None, keys: Iterable[str]) -> dict[str, Any]:
    """Return those of some values that have one of the keys."""
    return {k: values[k] for k in keys if k in values} if values else {}


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
        kinds = {"loss": LossConfig, "model": LearnModel}
        taken = {name: _known(before[name], keys_of(kind)) for name, kind in kinds.items()}
    return make_learn_config(merge(taken, config.model_dump(exclude_unset=True)))


def make_learn_config(values: Mapping[str, Any], source: str = "options") -> LearnConfig:
    """Validate settings of a session; see :func:`lmlp.config.validate.validated`.

    Raises:
        ConfigError: names the offending key, what was given and what is allowed, or why a session cannot
            use it.
    """
    return validated(LearnConfig, values, source, REFUSED)


def session_config(
    options: Mapping[str, Any], *, resume: bool = False, source: str = "options"
) -> LearnConfig:
    """Return the settings of a session: ``options`` laid over what it takes over from its model.

    Args:
        options: settings as given, sections nested.
        resume: take over what the interrupted session took over.
        source: where they come from, for messages.

    Raises:
        ConfigError: an unknown or impossible setting; nothing to resume.
        ModelFileError: ``start`` is no model.
    """
    config = make_learn_config(options, source)
    if not resume:
        return completed(config, None, load_model(config.start))
    from lmlp.training.state.checkpoint import load_checkpoint

    if not config.checkpoint.exists():
        raise ConfigError(f"--resume: there is no {config.checkpoint}")
    saved = load_checkpoint(config.checkpoint)
    return completed(config, saved, unpack_model(saved["base"]))
