"""Error measures of energies, forces and stresses, and how well σ tells the error. numpy only.

Every function takes plain arrays and is silent about units: they are those of the input (eV, eV/Å, eV/Å³).
"""

from __future__ import annotations

from lmlp.metrics.agreement import CoverageCheck, LevelCheck, coverage_check
from lmlp.metrics.calibration import (
    COVERAGE_LEVELS,
    RELIABILITY_LEVELS,
    Calibration,
    bin_by_sigma,
    calibrate,
    calibration_factor,
    normal_multiple,
    observed_coverage,
)
from lmlp.metrics.errors import ErrorSummary, summarize, summarize_by
from lmlp.metrics.ranking import auroc, rank, spearman
from lmlp.metrics.scores import (
    MULTIPLE_LEVELS,
    conformal_multiples,
    crps,
    negative_log_likelihood,
    sharpness,
)

__all__ = [
    "COVERAGE_LEVELS",
    "MULTIPLE_LEVELS",
    "RELIABILITY_LEVELS",
    "Calibration",
    "CoverageCheck",
    "ErrorSummary",
    "LevelCheck",
    "auroc",
    "bin_by_sigma",
    "calibrate",
    "calibration_factor",
    "conformal_multiples",
    "coverage_check",
    "crps",
    "negative_log_likelihood",
    "normal_multiple",
    "observed_coverage",
    "rank",
    "sharpness",
    "spearman",
    "summarize",
    "summarize_by",
]


def __dir__() -> list[str]:
    return sorted(__all__)
