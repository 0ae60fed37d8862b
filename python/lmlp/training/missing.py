"""Which labels a data set lacks."""

from __future__ import annotations

import numpy as np

from lmlp.training.dataset import Dataset
from lmlp.training.observer import Observer


def tell_missing(dataset: Dataset, observer: Observer) -> None:
    """Say how many structures lack labels."""
    energy_only = int((~dataset.has_forces).sum())
    forces_only = int(np.isnan(dataset.energies).sum())
    if energy_only:
        observer.on_message(f"{energy_only} structures without forces: trained on their energies alone")
    if forces_only:
        observer.on_message(f"{forces_only} structures without energy: trained on their forces alone")
