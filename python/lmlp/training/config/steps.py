"""What any run of steps can be told, and what any run from files to files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from lmlp.config.section import Section
from lmlp.config.values import (
    MOST,
    MOST_SEED,
    MOST_THREADS,
    Bytes,
    Count,
    Duration,
    Fraction,
    Positive,
    Weight,
)
from lmlp.dataset.config import KeysConfig


class LossConfig(Section):
    """Weights of the loss; ``final_energy`` is reached at the end, by way of the geometric mean."""

    energy: Weight = Field(default=10.0, description="Weight q of energies per atom, in 1/Å")
    final_energy: Weight | None = Field(
        default=None, description="Value that loss.energy reaches at the end of the run; by default it stays"
    )
    force: Weight = Field(default=1.0, description="Weight w_F of forces")
    stress: Weight = Field(default=1.0, description="Weight w_σ of the virial per atom, in 1/Å²")

    def at_end(self) -> dict[str, Any]:
        """Return the settings in force at the end of a run, those that were given."""
        given = self.model_dump(exclude_unset=True, exclude={"final_energy"})
        return given if self.final_energy is None else {**given, "energy": self.final_energy}


class OptimizerConfig(Section):
    """Optimizer and its annealing.

    ``decay`` lowers the step size (AdamW) or the largest step size (CoRe) over the run, which ends with
    the epochs or the time limit, whichever comes first.
    """

    name: Literal["core", "adamw"] = Field(default="core", description="Optimizer")
    lr: Positive | None = Field(
        default=None, description="First step size; by default 1e-3 with core, 3e-3 with adamw"
    )
    max_step: Positive = Field(default=1e-2, description="Largest step size s_max of CoRe before the decay")
    min_step: Positive = Field(default=1e-6, description="Smallest step size s_min of CoRe")
    etas: tuple[float, float] = Field(
        default=(0.7375, 1.2), description="Factors η− and η+ on the step sizes of CoRe"
    )
    betas: tuple[float, float, float, float] = Field(
        default=(0.7375, 0.8125, 250.0, 0.99),
        description="Decay rates β of CoRe's averages: of gradients at the beginning and later, the "
        "steps between the two, of squared gradients",
    )
    adam_betas: tuple[float, float] = Field(
        default=(0.9, 0.99), description="Decay rates β of AdamW's averages of gradients and their squares"
    )
    weight_decay: float = Field(
        default=0.1, ge=0, le=1e6, description="Decay d of CoRe; decoupled weight decay of AdamW"
    )
    rare_decay: float = Field(
        default=1.0,
        ge=0,
        description="Power p of the factor (n_max/n)^p on the decay for an element with n atoms in the data",
    )
    score_history: int = Field(
        default=0, ge=0, le=MOST, description="Steps t_hist of CoRe until scores of weights count"
    )
    frozen: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share p_frozen of the weights of each layer that rest, those of the highest scores",
    )
    decay: Literal["linear", "cosine", "constant"] = Field(
        default="linear", description="Course of the step size over the run"
    )
    final: float = Field(
        default=0.001, gt=0, le=1, description="Share of the step size that is left at the end"
    )
    warmup: Fraction = Field(default=0.0, description="Share of the run in which the step size grows from 0")
    gradient_clip: Positive | None = Field(
        default=None, description="Largest norm of a member's gradient; unlimited by default"
    )

    @model_validator(mode="after")
    def _possible(self) -> OptimizerConfig:
        checks = [
            ("min_step", 0 < self.min_step <= self.max_step, f"at most max_step, {self.max_step}"),
            ("etas", 0 < self.etas[0] <= 1 <= self.etas[1], "0 < eta_minus <= 1 <= eta_plus"),
            (
                "betas",
                all(0 <= b < 1 for b in (*self.betas[:2], self.betas[3])) and self.betas[2] > 0,
                "the first two and the last in [0, 1), the third above 0",
            ),
            ("adam_betas", all(0 <= b < 1 for b in self.adam_betas), "in [0, 1)"),
        ]
        for name, valid, allowed in checks:
            if not valid:
                raise ValueError(f"{name}={getattr(self, name)!r}, but allowed is {allowed}")
        return self


class StepsConfig(Section):
    """What steps of an optimizer depend on, whatever they start from and whoever draws their structures."""

    loss: LossConfig = Field(default_factory=LossConfig, description="Weights of the terms of the loss")
    optimizer: OptimizerConfig = Field(
        default_factory=OptimizerConfig, description="Optimizer and the course of its step size"
    )
    epochs: Count | None = Field(
        default=None,
        description="Passes through the data; by default 200, or 100/p_fit draws with adaptive selection, or "
        "as many as time_limit allows",
    )
    time_limit: Duration | None = Field(
        default=None,
        description="Time for the whole run, e.g. 90s, 6m, 1h30m; the step size decays so as to end in time",
    )
    batch_size: Count = Field(default=8, description="Structures per step and member")
    average: Fraction = Field(
        default=0.99, description="Decay per step of the average of the weights; 0 switches it off"
    )
    valid_every: Count | None = Field(
        default=None,
        description="Epochs from one validation to the next; by default half a pass, at least one epoch",
    )
    seed: int = Field(
        default=1,
        ge=0,
        le=MOST_SEED,
        description="Seed of weights, splits and orders; equal seeds repeat a run",
    )
    dtype: Literal["float32", "float64"] = Field(default="float32", description="Precision of the networks")
    threads: int | None = Field(
        default=None, ge=1, le=MOST_THREADS, description="CPU threads; all cores by default"
    )
    memory_budget: Bytes = Field(
        default=2 * 2**30, description="Memory for data, neighbor lists and network inputs, e.g. 4GB"
    )
    checkpoint_interval: Duration = Field(
        default=60.0, description="Time from one checkpoint to the next, e.g. 5m"
    )

    @property
    def epoch_share(self) -> float:
        """Share of the training structures that an epoch draws."""
        return 1.0

    @property
    def usual_epochs(self) -> int:
        """Epochs of a run that was given neither epochs nor a time limit."""
        return 200

    @property
    def max_epochs(self) -> int | None:
        """Epochs to run; None: until the time limit."""
        if self.epochs is not None or self.time_limit is not None:
            return self.epochs
        return self.usual_epochs

    @property
    def epochs_per_validation(self) -> int:
        """Epochs from one validation to the next."""
        return self.valid_every or max(1, round(0.5 / self.epoch_share))


def parse_files(value: Any) -> Any:
    """Accept one file where a list is expected."""
    return [value] if isinstance(value, (str, Path)) else value


def parse_output(value: Any) -> Any:
    """Refuse what names a folder: ``models/``, or nothing at all."""
    text = str(value)
    if Path(text).name in ("", "..") or text.endswith(("/", os.sep)) or "\0" in text:
        raise ValueError("that is no name of a file; name one, e.g. model.pt")
    return value


Files = Annotated[list[Path], BeforeValidator(parse_files)]


class RunConfig(StepsConfig):
    """What a run from data files to a model file depends on, be it a training or a learning session."""

    data: Files = Field(
        min_length=1,
        description="Training structures: extended XYZ or anything ASE reads, also .xz or .gz",
    )
    output: Annotated[Path, BeforeValidator(parse_output)] = Field(
        description="Model file to write, e.g. model.pt"
    )
    keys: KeysConfig = Field(default_factory=KeysConfig, description="Names of the labels in the data files")

    @property
    def data_files(self) -> list[Path]:
        """All files that structures come from."""
        return self.data

    @property
    def checkpoint(self) -> Path:
        """Where checkpoints go."""
        raise NotImplementedError

    @property
    def log(self) -> Path:
        """Where a line per epoch goes."""
        raise NotImplementedError
