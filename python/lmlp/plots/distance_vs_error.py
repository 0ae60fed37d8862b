"""Distance of atoms from the training data against the force error made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lmlp.metrics import bin_by_sigma, spearman
from lmlp.plots.density import draw_density
from lmlp.plots.style import ACCENT, INK, MUTED, new_figure, plain_log_ticks, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_distance_vs_error(distances: np.ndarray, errors: np.ndarray, title: str | None = None) -> Figure:
    r"""Draw the lengths of force errors against distances, with the root mean square error of bins.

    Args:
        distances: of atoms ``[n]``; 1 is the 99.9 % quantile of the training atoms.
        errors: lengths of their force errors in eV/Å ``[n]``.
        title: heading; a default when None.
    """
    d, e = np.asarray(distances, float).ravel(), 1e3 * np.abs(np.asarray(errors, float).ravel())
    with style():
        figure = new_figure(4.6, 4.4)
        axes = figure.subplots()
        axes.set_title(title if title is not None else "Forces: distance and error")
        axes.set(xscale="log", yscale="log", ylabel="|force error| (meV/Å)")
        axes.set_xlabel("distance from the training data")
        keep = (d > 0.0) & (e > 0.0)
        if not keep.any():
            axes.text(0.5, 0.5, "no distances", transform=axes.transAxes, ha="center", color=MUTED)
            return figure
        draw_density(axes, d, e, log=True)
        axes.axvline(1.0, color=MUTED, linewidth=1.0, linestyle=(0, (4, 3)), label="99.9 % of training atoms")
        centers, sizes = bin_by_sigma(d, e)
        axes.plot(
            centers,
            sizes,
            "o-",
            color=ACCENT,
            markersize=4.5,
            markeredgecolor="white",
            markeredgewidth=0.7,
            label="RMSE in bins of distance",
            zorder=5,
        )
        low, high = float(d[keep].min()) / 1.3, max(float(d[keep].max()), 1.0) * 1.3
        # the smallest errors are chance hits, as in the picture of σ
        axes.set(xlim=(low, high), ylim=(float(np.quantile(e[keep], 0.01)) / 1.5, float(e[keep].max()) * 1.6))
        for axis in (axes.xaxis, axes.yaxis):
            plain_log_ticks(axis)
        axes.legend(loc="lower right")
        correlation = spearman(d, e)
        text = "" if correlation is None else f"Spearman {correlation:.2f}\n"
        axes.text(0.04, 0.96, f"{text}n = {d.size:,}", transform=axes.transAxes, va="top", color=INK)
    return figure
