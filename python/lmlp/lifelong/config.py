"""What ``lmlp learn`` can be told: the settings of training, and those of remembering."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

from pydantic import AfterValidator, BeforeValidator, Field

from lmlp.files.names import beside
from lmlp.selection.rule import SelectionRule
from lmlp.training.config import (
    MOST,
    BaselineConfig,
    Bytes,
    Count,
    DescriptorConfig,
    Fraction,
    ModelConfig,
    OptimizerConfig,
    Positive,
    TrainConfig,
)


def _refused(reason: str) -> BeforeValidator:
    """Refuse a setting of training that a session cannot use."""

    def refuse(value: Any) -> NoReturn:
        raise ValueError(reason)

    return BeforeValidator(refuse)


_FUNCTIONS = _refused("a model keeps the symmetry functions of its first training (`lmlp info` tells them)")
_NETWORKS = _refused("a model keeps the number and shape of its networks (`lmlp info` tells them)")
_READ = _refused("a session keeps all of its data in memory, and computes derivatives at every step")
_CHECKS = _refused("a session keeps check_fraction of the new data to measure errors, and takes no others")


def _known_strategy(name: str) -> str:
    from lmlp.selection.strategies import STRATEGIES  # torch; not for a help text

    if name not in STRATEGIES:
        raise ValueError(f"allowed are {', '.join(STRATEGIES)}")
    return name


class LearnDescriptor(DescriptorConfig):
    """Nothing of it can be set: the model has its symmetry functions."""

    preset: Annotated[str, _FUNCTIONS] = Field(default="eeacsf-resolved", exclude=True)
    cutoff: Annotated[float | None, _FUNCTIONS] = Field(default=None, exclude=True)
    options: Annotated[dict[str, Any], _FUNCTIONS] = Field(default_factory=dict, exclude=True)
    open_elements: Annotated[bool, _FUNCTIONS] = Field(default=False, exclude=True)
    spec: Annotated[dict[str, Any] | None, _FUNCTIONS] = Field(default=None, exclude=True)


class LearnModel(ModelConfig):
    """What a session can still choose: decorrelation, and the beginnings of new networks."""

    members: Annotated[int, _NETWORKS] = Field(default=10, exclude=True)
    hidden: Annotated[list[int], _NETWORKS] = Field(default_factory=list, exclude=True)
    activation: Annotated[str, _NETWORKS] = Field(default="bounded-ssilu", exclude=True)
    keep: Annotated[
        float, _refused("a session keeps all directions, so that it begins with what its model says")
    ] = Field(default=0.0, exclude=True)
    atomic_energies: Annotated[
        dict[str, float],
        _refused("a model keeps its E_atom; those of new elements are fitted, or taken from single atoms"),
    ] = Field(default_factory=dict, exclude=True)
    baseline: Annotated[
        BaselineConfig | None, _refused("a model keeps the baseline of its first training")
    ] = Field(default=None, exclude=True)


class LearnOptimizer(OptimizerConfig):
    """CoRe with plasticity: the weights that have done most for the loss rest."""

    max_step: Positive = Field(default=3e-3, description="s_max before the decay, with one earlier task")
    slowing: float = Field(default=0.5, ge=0, le=1, description="p: with k earlier tasks s_max/min(k, 4)^p")
    new_factor: Positive = Field(
        default=2.0, description="s_max of networks of new elements over max_step; their weights never rest"
    )
    score_history: int = Field(default=200, ge=0, le=MOST, description="t_hist, steps until scores count")
    frozen: float = Field(default=0.1, ge=0, le=1, description="p_frozen, share of each tensor that rests")


class LearnConfig(TrainConfig):
    """Everything that a learning session depends on; ``data`` are the new data.

    Settings of training that a session cannot use are refused, and left out of what is written.

    Attributes:
        start: model file or checkpoint that goes on learning.
        memory: memory file.
        old: data that the model knows and the memory does not; they enter the memory first.
        task: name of the new data.
        frames: of the structures in ``data``, the first new one and the one after the last; None for all.
        selection: rule of adaptive selection.
        strategy: how structures are drawn (``lmlp.selection.strategies``).
        networks: which of them learn: those of the elements of the new data, all, or those of new elements.
        balance: κ of the weights L^−κ of the tasks in the loss (``lmlp.lifelong.balance``).
        ewc: strength of elastic weight consolidation, 0 for none.
        ewc_structures: earlier structures that its importances come from.
        check_fraction: share of the new data kept to measure errors, never trained on.
        memory_structures, memory_bytes: bound of the memory; None for none.
        max_forgetting: largest relative growth of an earlier task's error.
    """

    start: Path
    memory: Path
    old: list[Path] = Field(default_factory=list)
    task: str = Field(min_length=1)
    frames: tuple[int, int] | None = None
    valid: Annotated[list[Path], _CHECKS] = Field(default_factory=list, exclude=True)
    holdout_fraction: Annotated[float, _CHECKS] = Field(default=0.0, exclude=True)
    elements: Annotated[
        list[str] | None,
        _refused("a session has the elements of its model, and those of its data after them"),
    ] = Field(default=None, exclude=True)
    descriptor: LearnDescriptor = Field(default_factory=LearnDescriptor, exclude=True)
    model: LearnModel = Field(default_factory=LearnModel)
    derivatives: Annotated[Literal["automatic", "stored", "computed"], _READ] = Field(
        default="computed", exclude=True
    )
    stream: Annotated[Literal["automatic", "always", "never"], _READ] = Field(default="never", exclude=True)
    shuffle_block: Annotated[int | None, _READ] = Field(default=None, exclude=True)
    optimizer: LearnOptimizer = Field(default_factory=LearnOptimizer)
    selection: SelectionRule = Field(default_factory=SelectionRule)
    strategy: Annotated[str, AfterValidator(_known_strategy)] = Field(
        default="adaptive", description="who draws: a name of lmlp.selection.strategies"
    )
    networks: Literal["present", "all", "new"] = "present"
    balance: float = Field(default=0.7, ge=0, le=1)
    ewc: float = Field(default=0.0, ge=0)
    ewc_structures: Count = 64
    check_fraction: Fraction = 0.1
    memory_structures: Count | None = 5000
    memory_bytes: Bytes | None = None
    max_forgetting: Positive | None = None
    valid_fraction: Fraction = Field(
        default=0.0, description="0: the last averaged weights are taken, not those best on few structures"
    )

    @property
    def max_epochs(self) -> int | None:
        """Epochs to run, each of a share of the data; None: until the time limit."""
        return 400 if self.epochs is None and self.time_limit is None else self.epochs

    @property
    def checkpoint(self) -> Path:
        """``<stem>.learning.checkpoint`` beside the output."""
        return beside(self.output, ".learning.checkpoint")

    @property
    def log(self) -> Path:
        """``<stem>.learning.jsonl`` beside the output."""
        return beside(self.output, ".learning.jsonl")
