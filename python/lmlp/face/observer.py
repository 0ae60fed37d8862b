"""Who hears of a run that was started from Python."""

from __future__ import annotations

import time
import warnings
from typing import Any

from lmlp.audit.report import DataReport
from lmlp.errors import DataWarning
from lmlp.training.forecast import Forecast
from lmlp.training.observer import Observer
from lmlp.training.state.position import Position

_INTERVAL = 5.0  # seconds between lines


class Quiet(Observer):
    """Says nothing but what is wrong with the data, as warnings (DataWarning)."""

    def on_data(self, report: DataReport, held_out: DataReport | None) -> None:
        """Warn of everything that the audit warns of."""
        for part in (report, held_out):
            for finding in [] if part is None else part.findings:
                if finding.level == "warning":
                    warnings.warn(str(finding).removeprefix("warning: "), DataWarning, stacklevel=2)


class Lines(Quiet):
    """Prints a line now and then, for scripts and notebooks alike."""

    def __init__(self) -> None:
        self._share = 0.0
        self._remaining: float | None = None
        self._printed = 0.0

    def on_message(self, text: str) -> None:
        """Print a line."""
        print(text, flush=True)

    def on_start(self, forecast: Forecast, first: Position) -> None:
        """Print how long it takes."""
        seconds = "?" if forecast.seconds is None else f"{forecast.seconds:.0f} s"
        print(f"{forecast.epochs} epochs in {seconds}", flush=True)

    def on_step(self, position: Position, share: float, remaining: float | None) -> None:
        """Note how far it is."""
        self._share, self._remaining = share, remaining

    def on_epoch(self, record: dict[str, Any]) -> None:
        """Print the present errors, at most every five seconds."""
        now = time.monotonic()
        if now - self._printed < _INTERVAL and self._share < 1.0:
            return
        self._printed = now
        errors = record["valid"] or record["train"]
        left = "" if self._remaining is None else f", {self._remaining:.0f} s left"
        print(
            f"epoch {record['epoch'] + 1} ({100 * self._share:.0f} %{left}): "
            f"RMSE {_milli(errors['energy_rmse'])} meV/atom, {_milli(errors['force_rmse'])} meV/Å",
            flush=True,
        )


def observer_of(observer: Observer | None, *, progress: bool) -> Observer:
    """Return who hears of a run: who is given, else lines or nothing."""
    return observer or (Lines() if progress else Quiet())


def _milli(value: float | None) -> str:
    return "–" if value is None else f"{1e3 * value:.1f}"
