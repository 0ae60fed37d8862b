"""What a trajectory says of one quantity."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

DIRECT = "direct"
CUMULANT = "cumulant"


@dataclass(frozen=True)
class Observable:
    """The mean of a quantity over a trajectory, and how uncertain it is.

    A quantity has the shape ``[...]``: ``()`` for a number, ``[n_points]`` for a curve.

    Attributes:
        mean: over the frames, which follow the mean of the ensemble ``[...]``.
        sigma: standard deviation (ddof = 1) of the means of the members: the error of the model ``[...]``.
        statistical: standard error of ``mean``, from blocks of the trajectory ``[...]``.
        sigma_statistical: likewise of ``sigma``; where it is as large as sigma, the run is too short for it.
        members: the mean that each member would have ``[n_members, ...]``.
        shift: largest change of the mean by a member's weights, in standard deviations of the quantity over
            the frames. Above 1 a member asks for frames that the trajectory hardly visits.
        method: ``direct`` (weights) or ``cumulant`` (first order of the weights).
        effective: frames that the weights of each member leave, (Σ w)²/Σ w² ``[n_members]``.
        n_frames: frames that entered.
        unit: of the quantity, "" where not known.
        axis: positions of the points of a curve, or None.
        axis_label: what they are, with unit.
    """

    mean: np.ndarray
    sigma: np.ndarray
    statistical: np.ndarray
    sigma_statistical: np.ndarray
    members: np.ndarray
    shift: float
    method: str
    effective: np.ndarray
    n_frames: int
    unit: str = ""
    axis: np.ndarray | None = field(default=None)
    axis_label: str = ""

    @property
    def is_curve(self) -> bool:
        """Whether it is more than one number."""
        return self.mean.ndim > 0

    def block(self) -> dict[str, Any]:
        """Return all of it as JSON data."""
        numbers = ("mean", "sigma", "statistical", "sigma_statistical", "members", "effective")
        found: dict[str, Any] = {name: np.asarray(getattr(self, name)).tolist() for name in numbers}
        found.update(shift=self.shift, method=self.method, n_frames=self.n_frames, unit=self.unit)
        if self.axis is not None:
            found["axis"] = {"label": self.axis_label, "values": self.axis.tolist()}
        return found

    def __str__(self) -> str:
        """Mean ± σ of the model ± standard error of the sampling; of a curve where σ is largest."""
        index = np.unravel_index(int(np.argmax(self.sigma)), self.sigma.shape)
        unit = f" {self.unit}" if self.unit else ""
        place = ""
        if self.is_curve:
            at = "" if self.axis is None else f" at {self.axis_label} = {self.axis[index[-1]]:.4g}"
            place = f"largest σ{at}: "
        sigma, statistical = float(self.sigma[index]), float(self.statistical[index])
        mean = _with_digits(float(self.mean[index]), sigma, statistical)
        return f"{place}{mean} ± {sigma:.2g} (model) ± {statistical:.2g} (sampling){unit}"


def _with_digits(value: float, *errors: float) -> str:
    """Write a value with as many digits as its smaller error tells, and one more."""
    known = [error for error in errors if error > 0.0]
    if not known:
        return f"{value:.6g}"
    return f"{value:.{min(max(1 - math.floor(math.log10(min(known))), 0), 12)}f}"
