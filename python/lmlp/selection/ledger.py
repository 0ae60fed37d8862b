"""What is known of each structure: how often it is drawn, whether it is parked or suspected, and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ACTIVE, PARKED, SUSPECT = 0, 1, 2
NAMES = ("active", "parked", "suspect")


@dataclass
class Ledger:
    """What is remembered of each structure ``[n]`` and of each task ``[n_tasks]``."""

    factor: np.ndarray
    status: np.ndarray
    low_uses: np.ndarray
    high_uses: np.ndarray
    log_loss: np.ndarray
    log_loss_before: np.ndarray
    since: np.ndarray
    uses: np.ndarray
    level: np.ndarray
