"""What ``lmlp train`` shows: data report, forecast, progress with present errors, summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from lmlp.audit.report import DataReport, print_report
from lmlp.model.data import ModelData
from lmlp.training.forecast import Forecast
from lmlp.training.observer import Observer
from lmlp.training.state.position import Position

_CONSOLE = Console()
_LINES = 20


def duration(seconds: float | None) -> str:
    """Return seconds as ``42 s``, ``6:05``, ``1:30:00``."""
    if seconds is None:
        return "?"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def size(n_bytes: float) -> str:
    """Return a memory size with a fitting unit."""
    for unit in ("B", "KiB", "MiB"):
        if n_bytes < 1024:
            return f"{n_bytes:.0f} {unit}"
        n_bytes /= 1024
    return f"{n_bytes:.1f} GiB"


def _milli(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{1000 * value:.{digits}f}"


class TrainView(Observer):
    """Shows a run on the terminal; on a pipe it prints lines now and then instead of a moving bar."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task: Any = None
        self._state = "first epoch"
        self._printed = 0.0
        self._share = 0.0
        self.started = False

    def __enter__(self) -> TrainView:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the moving bar away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    @staticmethod
    def say(text: str) -> None:
        """Print a line."""
        _CONSOLE.print(text, highlight=False, markup=False, soft_wrap=True)

    def on_data(self, report: DataReport, held_out: DataReport | None) -> None:
        """Print what the data hold and what is wrong with them."""
        print_report(report, _CONSOLE)
        if held_out is not None:
            print_report(held_out, _CONSOLE, title="\nHeld-out data")

    def on_message(self, text: str) -> None:
        """Print a line."""
        self.say(text)

    def on_start(self, forecast: Forecast, first: Position) -> None:
        """Print the forecast and start the bar."""
        self.started = True
        f = forecast
        cached = (
            ""
            if f.cached == 1.0
            else f", {100 * f.cached:.0f} % of the structures cached, the rest recomputed"
        )
        self.say(
            f"\nForecast: {duration(f.seconds_per_epoch)} per epoch ({f.steps_per_epoch} steps of "
            f"{1000 * f.seconds_per_step:.0f} ms), {f.epochs} epochs in {duration(f.seconds)}; "
            f"{size(f.memory)} memory{cached}; {f.n_weights} weights"
        )
        if first.total:
            self.say(f"Going on after {first.epoch} epochs and {first.step} steps.")
        if _CONSOLE.is_terminal:
            self._progress = Progress(
                BarColumn(30),
                TextColumn("{task.percentage:>3.0f} %"),
                TextColumn("{task.description}", markup=False),
                console=_CONSOLE,
                refresh_per_second=2,
            )
            self._task = self._progress.add_task("first epoch", total=1.0)
            self._progress.start()

    def on_step(self, position: Position, share: float, remaining: float | None) -> None:
        """Move the bar."""
        self._share = share
        if self._progress is not None:
            text = f"{duration(remaining)} left · epoch {position.epoch + 1} · {self._state}"
            self._progress.update(self._task, completed=share, description=text)

    def on_epoch(self, record: dict[str, Any]) -> None:
        """Show the present errors."""
        errors = record["valid"] or record["train"]
        kind = "validation" if record["valid"] else "training"
        if "phase" in record:
            kind = f"{record['phase']} of forces, {kind}"
        self._state = (
            f"{kind} RMSE {_milli(errors['energy_rmse'])} meV/atom, {_milli(errors['force_rmse'], 1)} meV/Å"
        )
        if self._progress is None and (self._share >= self._printed or self._share >= 1.0):
            self._printed = self._share + 1.0 / _LINES
            self.say(f"{100 * self._share:3.0f} % · epoch {record['epoch'] + 1} · {self._state}")

    def summary(self, model: ModelData) -> None:
        """Print the errors on held-out structures."""
        table = Table(title="Held-out structures", title_justify="left")
        for column in ("quantity", "RMSE of the ensemble", "σ: floor, factor", "within 1σ", "within 2σ"):
            table.add_column(column, justify="left" if column == "quantity" else "right")
        rows = (
            ("energy", f"{_milli(model.energy_rmse)} meV/atom", model.calibration.get("energy")),
            ("forces", f"{_milli(model.force_rmse, 1)} meV/Å", model.calibration.get("forces")),
        )
        for name, error, entry in rows:
            cells = ["-", "-", "-"]
            if entry and "coverage_1" in entry:
                cells = [_maps(entry)]
                cells += [f"{100 * entry[key]:.0f} %" for key in ("coverage_1", "coverage_2")]
            table.add_row(name, error, *cells)
        _CONSOLE.print()
        if model.energy_rmse is not None or model.force_rmse is not None:
            _CONSOLE.print(table)
        else:
            self.say("No held-out structures: no test errors, uncertainties are not calibrated.")


def _maps(entry: Mapping[str, Any]) -> str:
    """Return floors in meV/atom or meV/Å and factors of a quantity, the range of those of the elements."""
    found = list(entry.get("elements", {"": entry}).values())
    floors, factors = [1e3 * e["floor"] for e in found], [e["factor"] for e in found]
    return ", ".join(_range(numbers) for numbers in (floors, factors))


def _range(numbers: Sequence[float]) -> str:
    low, high = f"{min(numbers):.2g}", f"{max(numbers):.2g}"
    return low if low == high else f"{low}–{high}"
