"""Errors over the course of a training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lmlp.errors import DataError
from lmlp.plots.style import MUTED, PALETTE, new_figure, plain_log_ticks, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def read_epochs(path: str | Path) -> list[dict[str, Any]]:
    """Read the epochs of a training log (JSON lines); a last line cut short by a crash is left out."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    epochs = []
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError:
            if number == len(lines) - 1:
                break
            raise DataError(f"{path}, line {number + 1}: not JSON: {line[:60]!r}") from None
        if isinstance(entry, dict) and entry.get("type") == "epoch":
            epochs.append(entry)
    return epochs


def _series(epochs: Sequence[Mapping[str, Any]], part: str, key: str) -> tuple[np.ndarray, np.ndarray]:
    points = [(e["epoch"], (e.get(part) or {}).get(key)) for e in epochs]
    kept = [(epoch, value) for epoch, value in points if value is not None and value > 0.0]
    return np.array([p[0] for p in kept], float), np.array([p[1] for p in kept], float)


def plot_learning_curve(epochs: Sequence[Mapping[str, Any]], title: str | None = None) -> Figure:
    """Draw force and energy RMSE of training and validation data against the epoch, logarithmic.

    Args:
        epochs: entries of a training log as ``read_epochs`` gives them (eV/atom and eV/Å).
        title: heading; a default when None.
    """
    with style():
        from matplotlib.ticker import MaxNLocator

        figure = new_figure(8.4, 3.6)
        panels = figure.subplots(1, 2)
        for axes, key, name, unit in (
            (panels[0], "force_rmse", "Force RMSE", "meV/Å"),
            (panels[1], "energy_rmse", "Energy RMSE", "meV/atom"),
        ):
            for part, label, color in (("train", "training", MUTED), ("valid", "validation", PALETTE[0])):
                x, y = _series(epochs, part, key)
                if x.size == 0:
                    continue
                axes.plot(x, 1e3 * y, color=color, label=label, marker="o" if x.size == 1 else None)
                if part == "valid":
                    best = int(np.argmin(y))
                    axes.plot(x[best], 1e3 * y[best], "o", color=PALETTE[1], markersize=5, zorder=5)
                    axes.annotate(
                        f"{1e3 * y[best]:.3g} {unit}",
                        (x[best], 1e3 * y[best]),
                        xytext=(-7, 9),
                        textcoords="offset points",
                        ha="right",
                        color=PALETTE[1],
                        fontsize=9,
                    )
            axes.set(yscale="log", xlabel="epoch", ylabel=f"{name} ({unit})")
            axes.margins(y=0.12)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            plain_log_ticks(axes.yaxis)
            if axes.lines:
                axes.legend(loc="upper right")
        panels[0].set_title(title if title is not None else "Learning curve")
    return figure
