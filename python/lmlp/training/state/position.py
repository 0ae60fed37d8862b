"""Where a run stands."""

from __future__ import annotations

from dataclasses import dataclass

from lmlp.training.metrics import ErrorSums


@dataclass
class Position:
    """Where a run stands.

    Attributes:
        sums: errors of the present epoch.
        epoch: epochs finished.
        step: steps finished in the present epoch.
        total: steps finished.
        epoch_seconds: time spent in the present epoch.
        evaluations: gradients of single structures in all steps, over all members.
    """

    sums: ErrorSums
    epoch: int = 0
    step: int = 0
    total: int = 0
    epoch_seconds: float = 0.0
    evaluations: int = 0
