"""Errors and uncertainties of a model on reference structures, as numbers and as a report."""

from __future__ import annotations

from lmlp.evaluation.compare import Evaluation, evaluate
from lmlp.evaluation.report import Section, write_report
from lmlp.evaluation.result import StructureResult

__all__ = ["Evaluation", "Section", "StructureResult", "evaluate", "write_report"]


def __dir__() -> list[str]:
    return sorted(__all__)
