"""Plots of how cost grows, where matplotlib is installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from common import Options


def save_plot(options: Options, name: str, x_label: str, points: Sequence[Any], *, log: bool = False) -> None:
    """Save medians with the range of the repeats as FOLDER/name.png."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        return
    figure = Figure(figsize=(5, 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    x = [point.value for point in points]
    for label in points[0].timings:
        timings = [point.timings[label] for point in points]
        middle = [t.median for t in timings]
        below = [t.median - min(t.times) for t in timings]
        above = [max(t.times) - t.median for t in timings]
        axes.errorbar(x, middle, yerr=[below, above], marker="o", capsize=2, label=label)
    axes.set(xlabel=x_label, ylabel="µs per atom", ylim=(0, None))
    if log:
        axes.set_xscale("log")
    else:
        axes.set_xlim(0, None)
    axes.legend()
    figure.savefig(options.folder / f"{name}.png", dpi=150)
