"""The first members of a trained ensemble, and trainers that take over their state for the last epochs."""

from __future__ import annotations

from typing import Any

from lmlp.dataset.division import Split
from lmlp.selection.sampler import Sampler
from lmlp.training.trainer import Trainer
from prediction import potential_of
from torch import Tensor
from training import FINISH, Trained

STACKED = ("parameters", "average", "best")


def first_members(state: dict[str, Any], n: int) -> dict[str, Any]:
    """Return the part of a trainer's state that belongs to the first members."""
    cut = {key: [t[:n].clone() for t in state[key]] for key in STACKED}
    optimizer = state["optimizer"]
    kept = {
        i: {k: v[:n].clone() if isinstance(v, Tensor) else v for k, v in entries.items()}
        for i, entries in optimizer["state"].items()
    }
    return {
        **state,
        **cut,
        "optimizer": {**optimizer, "state": kept},
        **{key: state[key][..., :n].clone() for key in ("best_loss", "best_epoch", "sums")},
    }


def take_over(
    kind: type[Trainer], trained: Trained, n_members: int, sampler: Sampler, **more: Any
) -> Trainer:
    """Make a trainer of the first members, as they were before the last epochs.

    Args:
        kind: of the trainer.
        trained: the ensemble.
        n_members: how many of them.
        sampler: structures of each step.
        more: further arguments of the trainer.
    """
    plan, split = trained.plan, trained.plan.split
    state = first_members(trained.before_finish, n_members)
    trainer = kind(
        plan.config,
        potential_of(plan, state["parameters"]),
        plan.store,
        plan.references,
        sampler,
        Split(split.train[:n_members], split.valid[:n_members], split.holdout),
        **more,
    )
    trainer.restore({**state, "sampler": {}})
    return trainer


def finish_epochs(trained: Trained) -> int:
    """Epochs of the last part of a training."""
    return round(FINISH * trained.plan.config.epochs)
