"""Force errors against what a model was given: structures, functions, epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from lmlp.plots.style import PALETTE, new_figure, plain_log_ticks, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLES = {"structures": "More data", "functions": "More functions", "epochs": "More training"}
LABELS = {"structures": "training structures", "functions": "symmetry functions", "epochs": "epochs"}
LINES = ((0, (5, 3)), (0, (1, 2)))  # of the first and the second goal


@dataclass(frozen=True)
class Curve:
    """One test file.

    Attributes:
        name: in the legend.
        points: place on the axis, and the errors of the seeds in meV/Å.
        goals: name -> meV/Å.
    """

    name: str
    points: Sequence[tuple[float, Sequence[float]]]
    goals: Mapping[str, float] = field(default_factory=dict)


def plot_curves(axes_of: Mapping[str, Sequence[Curve]], title: str) -> Figure:
    """Draw a panel per axis, logarithmic: means over the seeds, their deviation, goals as broken lines."""
    with style():
        figure = new_figure(0.7 + 3.9 * len(axes_of), 4.0)
        panels = figure.subplots(1, len(axes_of), squeeze=False, sharey=True)[0]
        for axes, (quantity, curves) in zip(panels, axes_of.items(), strict=True):
            axes.set(xscale="log", yscale="log", xlabel=LABELS[quantity], title=TITLES[quantity])
            for curve, color in zip(curves, PALETTE * 8, strict=False):
                _draw(axes, curve, color)
            places = sorted({at for curve in curves for at, _ in curve.points})
            axes.set_xlim(places[0] / 1.3, places[-1] * 1.3)
            marked = [places[0]]
            for place in places[1:]:
                if place > 1.15 * marked[-1]:
                    marked.append(place)
            axes.set_xticks(marked, [f"{place:.0f}" for place in marked])
            axes.set_xticks([], minor=True)
            plain_log_ticks(axes.yaxis)
        panels[0].set_ylabel("force RMSE (meV/Å)")
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper right", ncols=len(names))
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def _draw(axes: Axes, curve: Curve, color: str) -> None:
    x = np.array([at for at, _ in curve.points])
    mean = np.array([np.mean(values) for _, values in curve.points])
    several = any(len(values) > 1 for _, values in curve.points)
    spread = [np.std(values, ddof=1) if len(values) > 1 else 0.0 for _, values in curve.points]
    axes.plot(x, mean, color=color, marker="o", markersize=5, label=curve.name)
    if several:
        axes.errorbar(x, mean, spread, color=color, linestyle="", capsize=3, linewidth=1.2)
    for (name, value), line in zip(curve.goals.items(), LINES, strict=False):
        axes.axhline(value, color=color, linewidth=1.0, linestyle=line)
        axes.annotate(
            f"{name} {value:g}",
            (1.0, value),
            xycoords=("axes fraction", "data"),
            xytext=(-3, 2),
            textcoords="offset points",
            ha="right",
            color=color,
            fontsize=8,
        )
