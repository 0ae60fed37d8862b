"""Force error against the distance to the nearest atom, a line per element."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lmlp.plots.style import PALETTE, new_figure, plain_log_ticks, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST = 8  # colors of the palette


def plot_error_by_distance(curves: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Draw the RMSE of force components over the distance; the eight elements with the largest errors.

    Args:
        curves: element -> (distances in Å, RMSE in eV/Å), one entry per bin.
    """
    items = sorted(curves.items(), key=lambda item: -float(item[1][1].max()))[:_MOST]
    with style():
        figure = new_figure(4.6, 4.2)
        axes = figure.subplots()
        axes.set_title("Force error by nearest neighbor")
        for (element, (distance, error)), color in zip(items, PALETTE, strict=False):
            axes.plot(distance, 1e3 * error, "o-", color=color, markersize=4.5, linewidth=1.1, label=element)
        axes.set(yscale="log", xlabel="distance to the nearest atom (Å)", ylabel="force RMSE (meV/Å)")
        plain_log_ticks(axes.yaxis)
        axes.legend(loc="best", ncols=1 + len(items) // 5)
    return figure
