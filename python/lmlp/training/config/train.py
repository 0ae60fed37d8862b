"""What `lmlp train` can be told; the same keys in config.yaml."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from lmlp.config.validate import merge, validated
from lmlp.config.values import Count, Fraction
from lmlp.config.yaml_text import read_yaml
from lmlp.errors import ConfigError
from lmlp.files.names import beside
from lmlp.selection.rule import SelectionRule
from lmlp.training.config.model import DescriptorConfig, ModelConfig
from lmlp.training.config.steps import Files, LossConfig, RunConfig


def parse_selection(value: Any) -> Any:
    """Return the rule of ``"adaptive"``, of a share p_fit, of a mapping; None of ``"uniform"``."""
    if isinstance(value, str) and value.strip().lower() in ("uniform", "adaptive"):
        return None if value.strip().lower() == "uniform" else {}
    if isinstance(value, str):
        try:
            return {"share": float(value)}
        except ValueError:
            raise ValueError(f"{value!r}: write uniform, adaptive or a share of the data") from None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"share": value}
    return value


def _likelihood(info: ValidationInfo) -> float:
    loss = info.data.get("loss")  # missing if it is wrong
    return loss.likelihood if isinstance(loss, TrainLoss) else 0.0


class TrainLoss(LossConfig):
    """Weights of the loss, and how its forces are trained at the end of the run."""

    likelihood: Fraction = Field(
        default=0.0,
        description="Share of the run at its end in which forces are trained by their likelihood under the "
        "spread of the members, e.g. 0.2; 0 switches it off",
    )


class TrainConfig(RunConfig):
    """Everything that a training run depends on."""

    loss: TrainLoss = Field(
        default_factory=TrainLoss,
        description="Weights of the terms of the loss, and how its forces are trained at the end",
    )
    valid: Files = Field(
        default_factory=list,
        description="Held-out structures that no member trains on: test errors and calibration come from "
        "them; without them holdout_fraction of the data is held out",
    )
    elements: list[str] | None = Field(
        default=None,
        min_length=1,
        description="Chemical symbols in species order; by default those of the data",
    )
    descriptor: DescriptorConfig = Field(
        default_factory=DescriptorConfig, description="Symmetry functions: a preset, or a whole block"
    )
    model: ModelConfig = Field(
        default_factory=ModelConfig, description="Networks, and the fixed maps in front of them"
    )
    selection: Annotated[SelectionRule | None, BeforeValidator(parse_selection)] = Field(
        default=None,
        description="Structures that an epoch draws: uniform (default), all; adaptive, a tenth of them, "
        "rather those that are not learned yet; or that share, e.g. 0.2",
    )
    valid_fraction: Fraction = Field(
        default=0.05, description="Share of the data by which each member chooses its best weights"
    )
    holdout_fraction: Fraction = Field(
        default=0.05, description="Share of the data held out for test errors and calibration"
    )
    derivatives: Literal["automatic", "stored", "computed"] = Field(
        default="automatic",
        description="Way of taking derivatives of the network inputs; automatic stores them where that pays",
    )
    stream: Literal["automatic", "always", "never"] = Field(
        default="automatic",
        description="Data kept on disk; automatic does so if they need more than memory_budget",
    )
    shuffle_block: Count | None = Field(
        default=None,
        description="Consecutive structures that stay together when they are shuffled; single ones by "
        "default",
    )

    @field_validator("epochs")
    @classmethod
    def _whole_epochs(cls, value: int | None, info: ValidationInfo) -> int | None:
        share = _likelihood(info)
        if value is not None and 0 < share * value < 0.5:
            raise ValueError(f"the share of loss.likelihood, {share:g}, is less than half an epoch then")
        return value

    @field_validator("model")
    @classmethod
    def _several_members(cls, value: ModelConfig, info: ValidationInfo) -> ModelConfig:
        if _likelihood(info) and value.members == 1:
            raise ValueError("loss.likelihood needs the spread of several members, and model.members is 1")
        return value

    @field_validator("selection")
    @classmethod
    def _same_draws(cls, value: SelectionRule | None, info: ValidationInfo) -> SelectionRule | None:
        if _likelihood(info) and value is not None:
            raise ValueError(
                "with loss.likelihood all members see the same structures, but adaptive selection draws for "
                "each of them; leave one of the two out"
            )
        return value

    @property
    def epoch_share(self) -> float:
        """Share of the training structures that an epoch draws."""
        return 1.0 if self.selection is None else self.selection.share

    @property
    def usual_epochs(self) -> int:
        """Epochs of a run that was given neither epochs nor a time limit."""
        return 200 if self.selection is None else round(100 / self.selection.share)

    @property
    def data_files(self) -> list[Path]:
        """All files that structures come from."""
        return [*self.data, *self.valid]

    @property
    def checkpoint(self) -> Path:
        """``<stem>.checkpoint`` beside the output; the stem is its name without ``.pt``."""
        return beside(self.output, ".checkpoint")

    @property
    def stream_folder(self) -> Path:
        """``<stem>.stream`` beside the output, for data that do not fit into memory."""
        return beside(self.output, ".stream")

    @property
    def log(self) -> Path:
        """``<stem>.log.jsonl`` beside the output."""
        return beside(self.output, ".log.jsonl")


def make_config(values: Mapping[str, Any], source: str = "options") -> TrainConfig:
    """Validate settings of a training run; see :func:`lmlp.config.validate.validated`."""
    return validated(TrainConfig, values, source)


_DATA_HINT = "structures are given by --data FILE, the argument is config.yaml"


def load_config(path: Path, overrides: Mapping[str, Any] | None = None) -> TrainConfig:
    """Read config.yaml; relative paths in it are relative to its folder.

    Raises:
        ConfigError: not a YAML mapping, or an entry that is unknown or impossible.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not text; {_DATA_HINT}") from None
    try:
        values = read_yaml(text)
    except ValueError as error:
        hint = f" ({_DATA_HINT})" if "not valid YAML" in str(error) else ""
        raise ConfigError(f"{path}: {error}{hint}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected keys and values, e.g. `data: train.xyz`; {_DATA_HINT}")
    for key in ("data", "valid", "output"):
        value = values.get(key)
        if isinstance(value, str):
            values[key] = os.path.join(path.parent, value)
        elif isinstance(value, list):
            values[key] = [str(path.parent / v) if isinstance(v, str) else v for v in value]
    return make_config(merge(values, overrides or {}), str(path))
