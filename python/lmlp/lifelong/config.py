"""What ``lmlp learn`` can be told: the settings of steps, and those of remembering."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, ValidationInfo

from lmlp.config.values import MOST, Bytes, Count, Fraction, Positive
from lmlp.files.names import beside
from lmlp.selection.rule import SelectionRule
from lmlp.training.config import NetworkStart, OptimizerConfig, RunConfig
from lmlp.training.config.steps import Files

_FUNCTIONS = "a model keeps the symmetry functions of its first training (`lmlp info` tells them)"
_NETWORKS = "a model keeps the number and shape of its networks (`lmlp info` tells them)"
_READ = "a session keeps all of its data in memory, and computes derivatives at every step"
_CHECKS = "a session keeps check_fraction of the new data to measure errors, and takes no others"

# settings of training that a session cannot use -> why
REFUSED = {
    "valid": _CHECKS,
    "holdout_fraction": _CHECKS,
    "elements": "a session has the elements of its model, and those of its data after them",
    "descriptor.*": _FUNCTIONS,
    "model.members": _NETWORKS,
    "model.hidden": _NETWORKS,
    "model.activation": _NETWORKS,
    "model.keep": "a session keeps all directions, so that it begins with what its model says",
    "model.atomic_energies": "a model keeps its E_atom; those of new elements are fitted, or taken from "
    "single atoms",
    "model.baseline": "a model keeps the baseline of its first training",
    "loss.likelihood": "the members of a session do not see the same structures at a step, and its tasks are "
    "weighted by their squared errors",
    "derivatives": _READ,
    "stream": _READ,
    "shuffle_block": _READ,
}


def _known_strategy(name: str, info: ValidationInfo) -> str:
    from lmlp.selection.strategies import STRATEGIES  # torch; not for a help text

    if name not in STRATEGIES:
        raise ValueError(f"allowed are {', '.join(STRATEGIES)}")
    rule, plain = info.data.get("selection", SelectionRule()), SelectionRule()
    ignored = sorted(k for k in STRATEGIES[name].unused if getattr(rule, k) != getattr(plain, k))
    if ignored:
        raise ValueError(f"it has no use for {', '.join(f'selection.{k}' for k in ignored)}: leave that out")
    return name


class LearnModel(NetworkStart):
    """What a session can still choose: decorrelation, and the beginnings of new networks."""

    taken_over: ClassVar[frozenset[str]] = frozenset({"decorrelation"})
    """Keys whose values come from the model's own training."""


class LearnOptimizer(OptimizerConfig):
    """CoRe with plasticity: the weights that have done most for the loss rest."""

    max_step: Positive = Field(
        default=3e-3,
        description="Largest step size s_max of CoRe before the decay, with one earlier task",
    )
    slowing: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Power p of the slowing: with k earlier tasks s_max is divided by min(k, 4)^p",
    )
    new_factor: Positive = Field(
        default=2.0,
        description="Factor on s_max for networks of new elements, whose weights never rest",
    )
    score_history: int = Field(
        default=200, ge=0, le=MOST, description="Steps t_hist of CoRe until scores of weights count"
    )
    frozen: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Share p_frozen of the weights of each layer that rest, those of the highest scores",
    )


class LearnConfig(RunConfig):
    """Everything that a learning session depends on; ``data`` are the new data."""

    data: Files = Field(
        min_length=1, description="New structures: extended XYZ or anything ASE reads, also .xz or .gz"
    )
    epochs: Count | None = Field(
        default=None,
        description="Epochs, each of a share of the data; by default 400, or as many as time_limit allows",
    )
    start: Path = Field(description="Model file or checkpoint that goes on learning")
    memory: Path = Field(description="Memory file with structures of earlier tasks")
    old: Files = Field(
        default_factory=list,
        description="Data that the model was trained on and that are not in the memory yet",
    )
    task: str = Field(min_length=1, description="Name of the new data")
    frames: tuple[int, int] | None = Field(
        default=None,
        description="First new structure in data, and the one after the last; all by default",
    )
    model: LearnModel = Field(
        default_factory=LearnModel, description="Decorrelation, and the beginnings of new networks"
    )
    optimizer: LearnOptimizer = Field(
        default_factory=LearnOptimizer, description="Optimizer with plasticity, and its step sizes"
    )
    selection: SelectionRule = Field(
        default_factory=SelectionRule, description="Rule by which the structures of an epoch are drawn"
    )
    strategy: Annotated[str, AfterValidator(_known_strategy)] = Field(
        default="adaptive",
        description="Way of drawing structures, a name of lmlp.selection.strategies",
    )
    networks: Literal["present", "all", "new"] = Field(
        default="present",
        description="Networks that learn; present stands for those of the elements of the new data, new for "
        "those of new elements; the others stay bit by bit",
    )
    balance: float = Field(
        default=0.7, ge=0, le=1, description="Power κ of the weights L^−κ of the tasks in the loss; 0: none"
    )
    ewc: float = Field(
        default=0.0, ge=0, description="Strength λ of elastic weight consolidation; 0 switches it off"
    )
    ewc_structures: Count = Field(
        default=64, description="Earlier structures that the importances of weights come from"
    )
    check_fraction: Fraction = Field(
        default=0.1, description="Share of the new data kept to measure errors, never trained on"
    )
    memory_structures: Count | None = Field(
        default=5000, description="Bound of the memory in structures; null: none"
    )
    memory_bytes: Bytes | None = Field(
        default=None, description="Bound of the memory's content, e.g. 50M; none by default"
    )
    max_forgetting: Positive | None = Field(
        default=None,
        description="Largest growth of an earlier task's error, e.g. 0.1 for 10 %; beyond it model and "
        "memory stay as they are",
    )
    valid_fraction: Fraction = Field(
        default=0.0,
        description="Share of the data by which each member chooses its best weights; 0 takes the last "
        "averaged ones",
    )

    @property
    def epoch_share(self) -> float:
        """Share of the training structures that an epoch draws."""
        return self.selection.share

    @property
    def usual_epochs(self) -> int:
        """Epochs of a session that was given neither epochs nor a time limit."""
        return 400

    @property
    def checkpoint(self) -> Path:
        """``<stem>.learning.checkpoint`` beside the output."""
        return beside(self.output, ".learning.checkpoint")

    @property
    def log(self) -> Path:
        """``<stem>.learning.jsonl`` beside the output."""
        return beside(self.output, ".learning.jsonl")
