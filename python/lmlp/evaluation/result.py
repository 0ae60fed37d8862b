"""One reference structure beside what a model says of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lmlp.calculators.prediction import Prediction
from lmlp.structure import Structure


@dataclass(frozen=True)
class StructureResult:
    """One structure, its reference labels and what the model says.

    Attributes:
        structure: as read.
        group: the data set that it belongs to, e.g. its file.
        prediction: of the model, with uncertainties when it has several members.
    """

    structure: Structure
    group: str
    prediction: Prediction

    @property
    def config_type(self) -> str:
        """The frame's ``config_type``, "" where it has none."""
        return str(self.structure.info.get("config_type", ""))

    @property
    def energy_error(self) -> float | None:
        """Predicted − reference in eV/atom, None without reference energy."""
        if self.structure.energy is None:
            return None
        return (self.prediction.energy - self.structure.energy) / len(self.structure)

    @property
    def force_errors(self) -> np.ndarray | None:
        """Predicted − reference in eV/Å ``[n, 3]``, None without reference forces."""
        return None if self.structure.forces is None else self.prediction.forces - self.structure.forces

    @property
    def stress(self) -> np.ndarray | None:
        """Predicted stress in eV/Å³ ``[3, 3]``, None without a volume."""
        volume = self.structure.volume
        return self.prediction.virial / volume if volume > 0.0 else None

    @property
    def stress_errors(self) -> np.ndarray | None:
        """Predicted − reference in eV/Å³, the six distinct components, None without reference stress."""
        predicted = self.stress
        if self.structure.stress is None or predicted is None:
            return None
        return np.asarray(predicted - self.structure.stress)[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
