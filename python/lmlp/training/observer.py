"""Who wants to hear about a run."""

from __future__ import annotations

from typing import Any

from lmlp.audit.report import DataReport
from lmlp.training.forecast import Forecast
from lmlp.training.state.position import Position


class Observer:
    """Hears of a run and says nothing; subclasses show it."""

    def on_data(self, report: DataReport, held_out: DataReport | None) -> None:
        """The data have been read and audited; training starts only if they have no errors."""

    def on_message(self, text: str) -> None:
        """Something worth a line."""

    def on_start(self, forecast: Forecast, first: Position) -> None:
        """Training begins (or goes on) at ``first``."""

    def on_step(self, position: Position, share: float, remaining: float | None) -> None:
        """A step has been taken; ``remaining`` is the estimated time in seconds."""

    def on_epoch(self, record: dict[str, Any]) -> None:
        """An epoch has ended; ``record`` is its line of the log."""

    def on_end(self, record: dict[str, Any]) -> None:
        """Training has ended; ``record`` is the last line of the log."""
