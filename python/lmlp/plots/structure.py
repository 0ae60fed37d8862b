"""A structure with the errors of its atoms: balls by element, halos by error, the cell as a box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from lmlp.plots.balls import Color, draw_ball, draw_circle, draw_stick, element_legend
from lmlp.plots.molecule import BALLS, flattest_view
from lmlp.plots.style import ACCENT, INK, MUTED, new_figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BALL_SIZE = 0.55  # of the covalent radius
HALO = 0.35  # Å around the ball
FOG = 0.45  # of the color of the farthest atom is white
FRONT = 1e4  # before every atom
WIDTH = 4.6  # inches
LABEL = 50.0  # points from an atom to the far side of its label
# of elements that molecules hardly have; others have a color that follows from the symbol
METALS = {
    "Li": "#9a7bd0",
    "Na": "#6f74d6",
    "Mg": "#86c25a",
    "Al": "#a9b1bd",
    "Si": "#d8b48a",
    "Ti": "#8b9bb4",
    "Cr": "#6f86c9",
    "Mn": "#a274b5",
    "Fe": "#c9702f",
    "Co": "#d77a9b",
    "Ni": "#4fae7a",
    "Cu": "#c77d43",
    "Zn": "#7d83b5",
    "Ge": "#5f9ea0",
    "Zr": "#6fb7b7",
    "Nb": "#5a9bd4",
    "Mo": "#3fa78f",
    "Ag": "#b9c2cc",
    "Ta": "#b0609a",
    "W": "#d9a441",
    "Pt": "#b8b8cc",
    "Au": "#e0b93c",
}
AZIMUTH, ELEVATION = np.deg2rad(-24.0), np.deg2rad(14.0)


@dataclass(frozen=True)
class StructurePicture:
    """What is drawn.

    Attributes:
        symbols: element of each atom.
        positions: Å ``[n_atoms, 3]``.
        radii: covalent radii in Å ``[n_atoms]``.
        errors: length of each atom's force error ``[n_atoms]``, any unit; None where forces are not known.
        bonds: pairs of atoms ``[n_bonds, 2]``.
        cell: cell vectors in Å ``[3, 3]``, zero rows along directions that are not periodic; None: no box.
        marked: the atom with a ring around it, and what is written beside it.
    """

    symbols: Sequence[str]
    positions: np.ndarray
    radii: np.ndarray
    errors: np.ndarray | None
    bonds: np.ndarray
    cell: np.ndarray | None
    marked: tuple[int, str] | None


def element_color(symbol: str) -> Color:
    """Return the color of an element; those without a usual one have one that follows from the symbol."""
    if symbol in BALLS:
        return BALLS[symbol][0]
    if symbol in METALS:
        return METALS[symbol]
    from matplotlib.colors import hsv_to_rgb

    hue = (31 * ord(symbol[0]) + ord(symbol[-1])) * 0.6180339887 % 1.0
    red, green, blue = hsv_to_rgb((hue, 0.45, 0.82))
    return float(red), float(green), float(blue)


def plot_structure(picture: StructurePicture, title: str) -> Figure:
    """Draw crystals obliquely with their cell, molecules in their flattest view; far atoms are paler.

    Atoms that lie before the marked one are outlines.
    """
    points, corners = _project(picture)
    balls = BALL_SIZE * np.asarray(picture.radii, float)
    colors = [element_color(s) for s in picture.symbols]
    with style():
        plane = points[:, :2]
        everything = np.concatenate([plane - balls[:, None], plane + balls[:, None], corners[:, :2]])
        low, high = everything.min(axis=0) - 0.6, everything.max(axis=0) + 0.6
        up = True
        if picture.marked is not None:  # room for what is written above or below the atom
            y, room = plane[picture.marked[0], 1], LABEL / (72.0 * WIDTH) * float(high[0] - low[0])
            up = bool(y > 0.5 * (low[1] + high[1]))
            if up:
                high[1] = max(high[1], y + room)
            else:
                low[1] = min(low[1], y - room)
        height = WIDTH * float(np.clip((high[1] - low[1]) / (high[0] - low[0]), 0.5, 1.1))
        figure = new_figure(WIDTH, height + 0.6)  # of the title and the legend
        axes = figure.subplots()
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
        axes.axis("off")
        axes.set_title(title, fontsize=9.5)
        width = min(5.0, 0.16 * 72.0 * WIDTH / float((high - low).max()))
        hiding = _hiding(picture, points, balls)
        for i, j in np.asarray(picture.bonds, int).reshape(-1, 2):
            if not (hiding[i] or hiding[j]):
                between = (points[j] - points[i]) / np.linalg.norm(points[j] - points[i])
                ends = points[i] + 0.9 * balls[i] * between, points[j] - 0.9 * balls[j] * between
                draw_stick(axes, *ends, (colors[i], colors[j]), width)
        for n, fog in enumerate(_fog(points)):
            if hiding[n]:
                _outline(axes, points[n], colors[n], float(balls[n]))
            else:
                draw_ball(axes, points[n], _mixed(colors[n], fog), float(balls[n]))
        _box(axes, corners)
        _halos(axes, picture, points, balls)
        _mark(axes, picture, points, balls, 1.0 if up else -1.0)
        element_legend(axes, dict(zip(picture.symbols, colors, strict=True)))
    return figure


def _project(picture: StructurePicture) -> tuple[np.ndarray, np.ndarray]:
    """Turn atoms and the corners of the cell: x and y in the picture, z towards the viewer."""
    positions = np.asarray(picture.positions, float)
    if picture.cell is None:
        return flattest_view(positions), np.empty((0, 3))
    c, s = np.cos(AZIMUTH), np.sin(AZIMUTH)
    turned = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])  # about the vertical axis
    c, s = np.cos(ELEVATION), np.sin(ELEVATION)
    seen = np.array([[1.0, 0.0, 0.0], [0.0, s, -c], [0.0, c, s]])  # z up, from a little above
    view = turned @ seen
    corners = np.array(list(product((0.0, 1.0), repeat=3))) @ picture.cell
    return positions @ view, corners @ view


def _fog(points: np.ndarray) -> np.ndarray:
    """Share of white by depth, 0 for the nearest atom; hardly any in shallow structures."""
    depth = points[:, 2].max() - points[:, 2]
    return np.asarray(FOG * depth / max(8.0, float(depth.max())))


def _hiding(picture: StructurePicture, points: np.ndarray, balls: np.ndarray) -> np.ndarray:
    """Tell which atoms lie before the marked one, bool ``[n_atoms]``."""
    if picture.marked is None:
        return np.zeros(len(points), dtype=bool)
    atom = picture.marked[0]
    apart = np.linalg.norm(points[:, :2] - points[atom, :2], axis=1)
    return np.asarray((points[:, 2] > points[atom, 2]) & (apart < balls + balls[atom]))


def _outline(axes: Axes, point: np.ndarray, color: Color, radius: float) -> None:
    from matplotlib.colors import to_rgba

    place, depth = (float(point[0]), float(point[1])), 10.5 + float(point[2])
    draw_circle(axes, place, radius, facecolor=to_rgba(color, 0.12), edgecolor=color, lw=1.0, zorder=depth)


def _mixed(color: Color, white: float) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    red, green, blue = ((1.0 - white) * value + white for value in to_rgb(color))
    return red, green, blue


def _box(axes: Axes, corners: np.ndarray) -> None:
    """Draw the edges of the cell, each at its own depth."""
    for first, second in product(range(len(corners)), repeat=2):
        if bin(first ^ second).count("1") == 1 and first < second:  # corners that differ in one coordinate
            ends = corners[[first, second]]
            depth = 10.0 + float(ends[:, 2].mean())
            axes.plot(ends[:, 0], ends[:, 1], color=MUTED, linewidth=0.9, zorder=depth)


def _halos(axes: Axes, picture: StructurePicture, points: np.ndarray, balls: np.ndarray) -> None:
    """Surround atoms by their errors, the largest one strongest."""
    if picture.errors is None or not len(picture.errors) or picture.errors.max() <= 0.0:
        return
    shares = np.where(_hiding(picture, points, balls), 0.0, picture.errors / picture.errors.max())
    for point, radius, share in zip(points, balls, shares, strict=True):
        place, depth = (float(point[0]), float(point[1])), 10.5 + float(point[2]) - 1e-3
        look = {"facecolor": ACCENT, "alpha": 0.8 * float(share), "lw": 0, "zorder": depth}
        draw_circle(axes, place, float(radius) + HALO, **look)


def _mark(axes: Axes, picture: StructurePicture, points: np.ndarray, balls: np.ndarray, side: float) -> None:
    if picture.marked is None:
        return
    atom, text = picture.marked
    place = float(points[atom, 0]), float(points[atom, 1])
    radius = float(balls[atom]) + HALO + 0.08
    draw_circle(axes, place, radius, fill=False, edgecolor=INK, lw=1.6, zorder=FRONT)
    left = place[0] < 0.5 * sum(axes.get_xlim())
    axes.annotate(
        text,
        place,
        xytext=(-14 if left else 14, 38 * side),
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=9,
        fontweight="bold",
        bbox={"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": INK, "linewidth": 0.8},
        arrowprops={"arrowstyle": "-", "color": INK, "linewidth": 0.9},
        zorder=FRONT + 1,
    )
