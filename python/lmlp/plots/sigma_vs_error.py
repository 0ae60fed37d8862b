"""Predicted σ against the error made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lmlp.plots.density import draw_errors, error_limits
from lmlp.plots.parity import HEADINGS, QUANTITIES
from lmlp.plots.style import MUTED, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_sigma_vs_error(
    sigma: np.ndarray, errors: np.ndarray, quantity: str = "forces", title: str | None = None
) -> Figure:
    """Draw \\|error\\| against σ on logarithmic axes, with the root mean square error of bins of σ.

    A calibrated σ puts the bins on the dashed line; 68 % of the points then lie below it.

    Args:
        sigma: predicted standard deviations (eV/atom, eV/Å or eV/Å³), any shape.
        errors: predicted − reference, same shape and unit.
        quantity: a key of ``QUANTITIES``.
        title: heading; a default when None.
    """
    _, _, unit, factor = QUANTITIES[quantity]
    s = factor * np.asarray(sigma, float).ravel()
    e = factor * np.abs(np.asarray(errors, float).ravel())
    with style():
        figure = new_figure(4.6, 4.4)
        axes = figure.subplots()
        axes.set_title(title if title is not None else f"{HEADINGS[quantity]}: σ and error")
        axes.set(xscale="log", yscale="log", xlabel=f"predicted σ ({unit})", ylabel=f"|error| ({unit})")
        keep = (s > 0.0) & (e > 0.0)
        if not keep.any():
            axes.text(0.5, 0.5, "no uncertainties", transform=axes.transAxes, ha="center", color=MUTED)
            return figure
        low, high = float(s[keep].min()) / 1.3, float(s[keep].max()) * 1.3
        bottom, top = error_limits(e[keep])
        ends = np.array([min(low, bottom), max(high, top)])
        axes.plot(ends, ends, color=MUTED, linewidth=1.0, linestyle=(0, (4, 3)), label="error = σ", zorder=4)
        axes.set(xlim=(low, high), ylim=(bottom, top))
        draw_errors(axes, s, e, "σ")
        axes.legend(loc="lower right")
    return figure
