"""Errors of groups (elements, configuration types) as horizontal bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lmlp.plots.style import INK, PALETTE, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_group_errors(groups: Mapping[str, float], label: str, title: str, color: int = 0) -> Figure:
    """Draw one bar per group with its value written beside it.

    Args:
        groups: name -> error, drawn from top to bottom; at most the 20 largest, sorted, when there are more.
        label: axis label with the unit.
        title: heading.
        color: number in the palette.
    """
    items = list(groups.items())
    if len(items) > 20:
        items = sorted(items, key=lambda item: -item[1])[:20]
        title += " (20 largest)"
    with style():
        figure = new_figure(4.6, 1.1 + 0.32 * max(2, len(items)))
        axes = figure.subplots()
        axes.set_title(title)
        names = [name if len(name) <= 24 else name[:23] + "…" for name, _ in items]
        values = [value for _, value in items]
        rows = range(len(items))
        axes.barh(rows, values, height=0.62, color=PALETTE[color], linewidth=0)
        axes.set_yticks(list(rows), [name.replace("$", r"\$") for name in names])
        axes.invert_yaxis()
        axes.set_xlabel(label)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        top = max(values, default=1.0) or 1.0
        axes.set_xlim(0.0, 1.18 * top)
        for row, value in zip(rows, values, strict=True):
            axes.text(
                value + 0.015 * top,
                row,
                f"{value:,.0f}" if value >= 1000 else f"{value:.3g}",
                va="center",
                color=INK,
                fontsize=9,
            )
    return figure
