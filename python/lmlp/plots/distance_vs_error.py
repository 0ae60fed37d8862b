"""Distance of atoms from the training data against the force error made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lmlp.plots.density import draw_errors, error_limits
from lmlp.plots.style import MUTED, new_figure, style

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
        axes.axvline(1.0, color=MUTED, linewidth=1.0, linestyle=(0, (4, 3)), label="99.9 % of training atoms")
        low, high = float(d[keep].min()) / 1.3, max(float(d[keep].max()), 1.0) * 1.3
        axes.set(xlim=(low, high), ylim=error_limits(e[keep]))
        draw_errors(axes, d, e, "distance")
        axes.legend(loc="lower right")
    return figure
