"""Curves with a band of one σ, e.g. radial distribution functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lmlp.errors import InvalidArgumentError
from lmlp.plots.style import PALETTE, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Curve = tuple[np.ndarray, np.ndarray, np.ndarray, str]


def plot_curves_with_sigma(curves: Mapping[str, Curve]) -> Figure:
    """Draw each curve in a panel of its own, with bands of σ and 2 σ.

    Args:
        curves: name -> positions, values and σ of the points ``[n]``, and what the positions are.

    Raises:
        InvalidArgumentError: no curves.
    """
    if not curves:
        raise InvalidArgumentError("no curves to draw")
    with style():
        figure = new_figure(5.2, 0.6 + 2.6 * len(curves))
        panels = figure.subplots(len(curves), 1, squeeze=False)[:, 0]
        for number, (axes, (name, (x, y, sigma, label))) in enumerate(
            zip(panels, curves.items(), strict=True)
        ):
            color = PALETTE[number % len(PALETTE)]
            for width in (2.0, 1.0):
                axes.fill_between(
                    x, y - width * sigma, y + width * sigma, color=color, alpha=0.2, linewidth=0
                )
            axes.plot(x, y, color=color, linewidth=1.4)
            axes.set_title(f"{name}, bands: σ and 2 σ of the model")
            axes.set(xlabel=label, xlim=(float(x[0]), float(x[-1])))
    return figure
