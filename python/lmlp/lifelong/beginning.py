"""What a model knows when a session begins, and what holds it: errors, weights of the tasks, springs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmlp.dataset.batches import References
from lmlp.dataset.division import Split
from lmlp.dataset.store import Store
from lmlp.errors import DataError, TrainingError
from lmlp.lifelong.balance import TaskBalance, task_levels
from lmlp.lifelong.regularization import ElasticWeights, importances
from lmlp.lifelong.retention import StatedSigma, task_errors
from lmlp.lifelong.session import Session
from lmlp.model.potential import EnsemblePotential
from lmlp.selection.sampler import Strategy
from lmlp.training.gradients import batch_loss
from lmlp.training.loss import structure_losses
from lmlp.training.schedule import loss_weights, wants_forces


@dataclass(frozen=True)
class Beginning:
    """The model at the beginning of a session, and what it is judged on."""

    session: Session
    potential: EnsemblePotential
    store: Store
    references: References

    @property
    def forces(self) -> bool:
        """Whether forces are part of the loss."""
        return wants_forces(self.references, self.session.config.loss)

    def losses(self, ids: np.ndarray) -> np.ndarray:
        """Return the loss of each of some structures."""
        weights = loss_weights(self.session.config.loss, 1.0)
        return structure_losses(self.potential, self.store, self.references, ids, weights, forces=self.forces)

    def loss_of(self, balance: TaskBalance | None, i: int) -> Tensor:
        """Return the loss of a structure as training weights it, summed over the members.

        Raises:
            TrainingError: it is not finite.
        """
        loss = batch_loss(
            self.potential,
            self.store,
            self.references,
            [np.array([i])] * self.potential.n_members,
            loss_weights(self.session.config.loss, 1.0),
            forces=self.forces,
            structure_weights=balance,
        )
        if not torch.isfinite(loss.structures).all():
            name = self.session.dataset.structures[i].source or f"structure {i}"
            raise TrainingError(f"elastic weights: the loss is not finite for {name}: look at its labels")
        return loss.total


def errors_before(start: Beginning, checks: np.ndarray) -> dict[str, Any]:
    """Evaluate the check structures whose elements the model knows."""
    base = start.session.base
    known = start.session.dataset.counts[:, len(base.elements) :].sum(axis=1) == 0
    groups = {t: ids[known[ids]] for t, ids in start.session.by_task(checks).items()}
    return task_errors(start.potential, start.store, start.references, groups, StatedSigma.of(base))


def make_balance(start: Beginning, split: Split, strategy: Strategy) -> TaskBalance:
    """Return the weights of the tasks in the loss, by their losses before the session."""
    c, saved, task_of = start.session.config, start.session.saved, start.session.task_of
    pool = np.unique(np.concatenate(split.train))
    levels = None if saved is None else saved["levels"].numpy()
    if levels is None:
        levels = task_levels(start.losses, task_of, pool, c.seed)
    return TaskBalance(levels, c.balance, task_of, pool, strategy)


def make_springs(start: Beginning, balance: TaskBalance | None) -> ElasticWeights:
    """Return springs that hold what matters for earlier structures.

    Raises:
        DataError: the memory holds none to learn from.
        TrainingError: a loss is not finite.
    """
    session = start.session
    c = session.config
    if session.saved is not None:
        kept = session.saved["ewc"]
        return ElasticWeights(kept["anchor"], kept["importance"], c.ewc)
    old = np.flatnonzero(session.task_of < session.new_task)
    old = old[[session.entries[i].role == "train" for i in old]]
    ids = np.random.default_rng([c.seed, 2]).permutation(old)[: c.ewc_structures]
    if not len(ids):
        raise DataError("elastic weight consolidation needs earlier structures in the memory")
    parameters = list(start.potential.network.parameters())
    return ElasticWeights(parameters, importances(parameters, partial(start.loss_of, balance), ids), c.ewc)
