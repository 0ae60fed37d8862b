"""The last share of a run, in which forces are trained by their likelihood: when, and on what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lmlp.dataset.batches import References
from lmlp.dataset.division import Split
from lmlp.errors import ConfigError
from lmlp.selection.sampler import Sampler, SharedBatches
from lmlp.training.config import TrainConfig

_TYPICAL = 100  # training structures that floors and factors are fitted to


@dataclass(frozen=True)
class Finish:
    """The last share of a run; it consists of whole epochs and never begins with the first.

    Attributes:
        share: of the run.
        sampler: gives all members the same structures.
        ids: structures with forces that floors and factors of the likelihood are fitted to.
    """

    share: float
    sampler: Sampler
    ids: np.ndarray

    def is_due(self, share: float, epochs: int) -> bool:
        """Tell whether the middle of the coming epoch lies within the last share.

        Args:
            share: of the run that is done.
            epochs: in which it was done.
        """
        return epochs > 0 and share * (1.0 + 0.5 / epochs) >= 1.0 - self.share


def make_finish(c: TrainConfig, references: References, split: Split) -> Finish | None:
    """Return the finish that settings ask for.

    Args:
        c: settings.
        references: labels.
        split: each member's training structures; all members see those that one of them has.

    Raises:
        ConfigError: there are no forces to train.
    """
    if not c.loss.likelihood:
        return None
    sampler = SharedBatches(split.train, c.batch_size, c.seed, c.shuffle_block)
    labeled = sampler.together[references.has_forces[sampler.together]]
    if not len(labeled) or c.loss.force == 0:
        what = "loss.force is 0" if len(labeled) else "the training structures have none"
        raise ConfigError(f"loss.likelihood: it is a likelihood of forces, but {what}; leave it out")
    ids = np.random.default_rng([c.seed, 7]).permutation(labeled)[:_TYPICAL]
    return Finish(c.loss.likelihood, sampler, ids)
