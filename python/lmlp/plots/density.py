"""Scatter plots that stay readable from ten points to millions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lmlp.metrics import bin_by_sigma, spearman
from lmlp.plots.style import ACCENT, INK, PALETTE, density_colors, plain_log_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEW_POINTS = 400


def draw_density(axes: Axes, x: np.ndarray, y: np.ndarray, *, n_bins: int = 90, log: bool = False) -> Any:
    """Draw points: plain markers when few, a grid colored by the logarithm of the count when many.

    ``log``: bins are even in log x and log y; only points with positive coordinates are drawn then.
    """
    if log:
        keep = (x > 0.0) & (y > 0.0)
        x, y = x[keep], y[keep]
    if x.size == 0:
        return None
    if x.size <= FEW_POINTS:
        alpha = 0.75 if x.size < 100 else 0.55
        return axes.scatter(x, y, s=16, color=PALETTE[0], alpha=alpha, linewidths=0, zorder=3)
    from matplotlib.colors import LogNorm

    u, v = (np.log10(x), np.log10(y)) if log else (x, y)
    counts, u_edges, v_edges = np.histogram2d(u, v, bins=n_bins, range=[_range(u), _range(v)])
    if log:
        u_edges, v_edges = 10.0**u_edges, 10.0**v_edges
    image = np.ma.masked_equal(counts.T, 0.0)
    top = max(2.0, float(counts.max()))
    return axes.pcolormesh(
        u_edges, v_edges, image, cmap=density_colors(), norm=LogNorm(1.0, top), rasterized=True, zorder=3
    )


def draw_errors(axes: Axes, x: np.ndarray, errors: np.ndarray, name: str) -> None:
    """Draw errors against what should tell them: the cloud, their root mean squares in bins, Spearman.

    Args:
        axes: both logarithmic, with their limits.
        x: what should tell them ``[n]``.
        errors: their sizes ``[n]``.
        name: of ``x``, for the legend.
    """
    draw_density(axes, x, errors, log=True)
    centers, sizes = bin_by_sigma(x, errors)
    axes.plot(
        centers,
        sizes,
        "o-",
        color=ACCENT,
        markersize=4.5,
        markeredgecolor="white",
        markeredgewidth=0.7,
        label=f"RMSE in bins of {name}",
        zorder=5,
    )
    for axis in (axes.xaxis, axes.yaxis):
        plain_log_ticks(axis)
    correlation = spearman(x, errors)
    text = "" if correlation is None else f"Spearman {correlation:.2f}\n"
    axes.text(0.04, 0.96, f"{text}n = {x.size:,}", transform=axes.transAxes, va="top", color=INK)


def error_limits(errors: np.ndarray) -> tuple[float, float]:
    """Return limits of an axis of positive errors; the smallest, hits by chance, are cut."""
    return float(np.quantile(errors, 0.01)) / 1.5, float(errors.max()) * 1.6


def _range(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    pad = 0.01 * (high - low) or 1e-12
    return low - pad, high + pad
