"""Time and memory of a run, estimated before it starts."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

from lmlp.training.schedule import loss_weights
from lmlp.training.trainer import Trainer

# weights, gradients, average, best; CoRe keeps three tensors per weight, AdamW two
_COPIES = {"core": 7, "adamw": 6}


@dataclass(frozen=True)
class Forecast:
    """What a run will take.

    Attributes:
        seconds_per_step: one step of all members.
        steps_per_epoch: steps.
        epochs: planned or estimated within the time limit.
        seconds: training without the setup.
        memory: bytes of cached lists and inputs, weights and optimizer.
        cached: share of the structures whose lists and inputs are kept in memory.
        n_weights: trained weights of all members.
    """

    seconds_per_step: float
    steps_per_epoch: int
    epochs: int
    seconds: float
    memory: int
    cached: float
    n_weights: int

    @property
    def seconds_per_epoch(self) -> float:
        """Seconds per epoch, validation not included."""
        return self.seconds_per_step * self.steps_per_epoch

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for the log."""
        return {**asdict(self), "seconds_per_epoch": self.seconds_per_epoch}


def make_forecast(trainer: Trainer, seconds_left: float | None) -> Forecast:
    """Time a step of ``trainer`` without changing anything that later steps depend on.

    Args:
        trainer: ready to run.
        seconds_left: of the time limit, or None.
    """
    steps = trainer.sampler.batches(0)
    weights = loss_weights(trainer.config.loss, 0.0)
    times = []
    for groups in (steps[0], steps[-1]):
        start = time.monotonic()
        trainer.gradients(groups, weights)
        times.append(time.monotonic() - start)
    trainer.optimizer.zero_grad()
    per_step = min(times)
    per_epoch = max(per_step * len(steps), 1e-9)
    epochs = trainer.config.max_epochs
    if seconds_left is not None:
        within = max(1, int(seconds_left / per_epoch))
        epochs = within if epochs is None else min(epochs, within)
    assert epochs is not None
    n_weights = sum(p.numel() for p in trainer.parameters)
    copies = _COPIES[trainer.config.optimizer.name] * n_weights * trainer.parameters[0].element_size()
    return Forecast(
        seconds_per_step=per_step,
        steps_per_epoch=len(steps),
        epochs=epochs,
        seconds=epochs * per_epoch,
        memory=trainer.store.n_bytes + copies,
        cached=trainer.store.share_kept,
        n_weights=n_weights,
    )
