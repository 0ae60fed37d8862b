"""A molecule as balls and sticks, seen along the direction in which it is flattest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lmlp.plots.balls import draw_ball, draw_stick, element_legend
from lmlp.plots.style import new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# symbol -> color and radius of its ball in Å; what is missing is drawn gray
BALLS = {
    "H": ("#e8ebef", 0.22),
    "C": ("#4a5561", 0.36),
    "N": ("#3f6fd1", 0.36),
    "O": ("#d6453d", 0.36),
    "F": ("#5bb85b", 0.34),
    "Cl": ("#3a9d4e", 0.44),
    "Br": ("#9a4a2f", 0.46),
    "S": ("#d9b232", 0.44),
    "P": ("#e07a3f", 0.44),
}
OTHER = ("#8f9aa6", 0.42)
TILT = 0.35  # radians out of the flattest view, so that hydrogen atoms do not hide each other


def plot_molecule(
    symbols: Sequence[str], positions: np.ndarray, bonds: np.ndarray, title: str | None = None
) -> Figure:
    """Draw atoms as shaded balls and bonds as sticks; nearer ones cover farther ones.

    Args:
        symbols: element of each atom.
        positions: Å ``[n_atoms, 3]``.
        bonds: pairs of atoms ``[n_bonds, 2]``.
        title: heading.
    """
    points = flattest_view(np.asarray(positions, float))
    low, high = points.min(axis=0) - 0.6, points.max(axis=0) + 0.6
    width = 8.4
    with style():
        figure = new_figure(width, min(6.0, width * (high[1] - low[1]) / (high[0] - low[0]) + 0.6))
        axes = figure.subplots()
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
        axes.axis("off")
        if title is not None:
            axes.set_title(title)
        for i, j in np.asarray(bonds, int).reshape(-1, 2):
            draw_stick(axes, points[i], points[j], (_ball(symbols[i])[0], _ball(symbols[j])[0]))
        for symbol, point in zip(symbols, points, strict=True):
            draw_ball(axes, point, *_ball(symbol))
        element_legend(axes, {symbol: _ball(symbol)[0] for symbol in symbols})
    return figure


def _ball(symbol: str) -> tuple[str, float]:
    return BALLS.get(symbol, OTHER)


def flattest_view(positions: np.ndarray) -> np.ndarray:
    """Turn the longest extension along x and the shortest nearly towards the viewer (z)."""
    centered = positions - positions.mean(axis=0)
    axes = np.linalg.svd(centered, full_matrices=False)[2] if len(positions) > 2 else np.eye(3)
    if np.linalg.det(axes) < 0.0:
        axes[2] *= -1.0
    c, s = np.cos(TILT), np.sin(TILT)
    return np.asarray(centered @ axes.T @ np.array([[1.0, 0.0, 0.0], [0.0, c, s], [0.0, -s, c]]))
