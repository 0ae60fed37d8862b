"""Balls and sticks: what pictures of atoms are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from lmlp.plots.style import INK, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Color: TypeAlias = "str | tuple[float, float, float]"


def draw_stick(
    axes: Axes, a: np.ndarray, b: np.ndarray, colors: tuple[Color, Color], width: float = 5.0
) -> None:
    """Draw a bond in the colors of its two atoms; x and y in the picture, z towards the viewer.

    ``width`` is in points.
    """
    middle = 0.5 * (a + b)
    for start, color in zip((a, b), colors, strict=True):
        line, depth = (start[0], middle[0]), 0.5 * (start[2] + middle[2])
        heights = (start[1], middle[1])
        axes.plot(line, heights, color=INK, linewidth=1.32 * width, solid_capstyle="butt", zorder=10 + depth)
        axes.plot(line, heights, color=color, linewidth=width, solid_capstyle="butt", zorder=10.001 + depth)


def draw_ball(axes: Axes, point: np.ndarray, color: Color, radius: float) -> None:
    """Draw a ball as circles that grow lighter towards the light; nearer ones cover farther ones."""
    from matplotlib.colors import to_rgb

    rgb = np.array(to_rgb(color))
    depth, place = 10.5 + float(point[2]), (float(point[0]), float(point[1]))
    draw_circle(axes, place, radius, facecolor=0.7 * rgb, edgecolor=INK, lw=0.8, zorder=depth)
    for share in np.linspace(0.0, 1.0, 8):
        shade = rgb * (0.75 + 0.25 * share) + (1.0 - rgb) * 0.55 * share**2
        shift = 0.3 * radius * float(share)
        center = (place[0] - shift, place[1] + shift)
        size = 0.94 * radius * (1.0 - share) + 0.08 * radius
        above = depth + 1e-3 * (1 + share)
        draw_circle(axes, center, size, facecolor=np.clip(shade, 0, 1), lw=0, zorder=above)


def draw_circle(axes: Axes, place: tuple[float, float], radius: float, **look: Any) -> None:
    """Add a circle that neither the limits of the axes nor the layout ask for: there are thousands."""
    from matplotlib.patches import Circle

    circle = Circle(place, radius, **look)
    circle.set_in_layout(False)
    axes.add_artist(circle)


def element_legend(axes: Axes, colors: Mapping[str, Color]) -> None:
    """Name the elements below the picture."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], marker="o", linestyle="", markersize=8, markeredgecolor=MUTED, color=color, label=s)
        for s, color in sorted(colors.items())
    ]
    axes.legend(
        handles=handles,
        loc="upper right",
        ncols=len(handles),
        handletextpad=0.1,
        columnspacing=1.0,
        bbox_to_anchor=(1.0, 0.02),
    )
