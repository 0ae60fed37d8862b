"""Pictures of structures: every atom in its place, the cell, the error."""

import matplotlib.colors
import numpy as np
import pytest
from lmlp.plots.structure import BALL_SIZE, StructurePicture, element_color, plot_structure

pytest.importorskip("matplotlib")

CELL = np.diag([4.0, 5.0, 6.0])
POSITIONS = np.array([[0.5, 0.5, 0.5], [3.0, 1.0, 1.0], [0.6, 4.0, 5.0], [2.0, 2.5, 3.0]])
RADII = np.array([1.5, 1.6, 0.7, 1.5])


def picture(**changes) -> StructurePicture:
    values = {
        "symbols": ["Nb", "Mo", "O", "Nb"],
        "positions": POSITIONS,
        "radii": RADII,
        "errors": np.array([0.1, 0.4, 0.2, 0.0]),
        "bonds": np.empty((0, 2), int),
        "cell": CELL,
        "marked": (1, "Mo 1: 400 meV/Å"),
    }
    return StructurePicture(**{**values, **changes})


def balls(axes) -> list:
    """Dark outlines of atoms, without those of rings and halos."""
    return [p for p in axes.patches if p.get_fill() and p.get_linewidth() > 0]


def test_atoms_by_covalent_radius_and_the_twelve_edges_of_the_cell() -> None:
    figure = plot_structure(picture(marked=None), "title")
    (axes,) = figure.axes
    assert [p.get_radius() for p in balls(axes)] == pytest.approx(BALL_SIZE * RADII)
    edges = [line.get_xydata() for line in axes.lines]
    assert len(edges) == 12
    corners = {tuple(np.round(point, 6)) for edge in edges for point in edge}
    assert len(corners) == 8
    # no edge is longer than in space, and parallel ones are equal
    lengths = sorted(np.linalg.norm(edge[1] - edge[0]) for edge in edges)
    assert (np.diff(lengths) < 1e-9).sum() == 9
    assert lengths[-1] <= 6.0 + 1e-9
    assert axes.get_title(loc="left") == "title"
    assert {t.get_text() for t in axes.get_legend().get_texts()} == {"Nb", "Mo", "O"}
    x, y = axes.get_xlim(), axes.get_ylim()
    for p in balls(axes):
        assert x[0] <= p.center[0] - p.get_radius() <= p.center[0] + p.get_radius() <= x[1]
        assert y[0] <= p.center[1] - p.get_radius() <= p.center[1] + p.get_radius() <= y[1]


def test_atoms_and_cell_are_seen_from_the_same_side() -> None:
    """Atoms on corners of the cell are drawn where its edges meet."""
    on_corners = np.array([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0], [0.0, 5.0, 6.0], [4.0, 5.0, 0.0]])
    axes = plot_structure(picture(positions=on_corners, marked=None), "").axes[0]
    corners = np.array([point for line in axes.lines for point in line.get_xydata()])
    for ball in balls(axes):
        assert np.linalg.norm(corners - ball.center, axis=1).min() < 1e-9


def test_the_worst_atom_has_a_ring_and_its_error() -> None:
    axes = plot_structure(picture(), "").axes[0]
    (ring,) = [p for p in axes.patches if not p.get_fill()]
    mine = [p for p in balls(axes) if p.get_radius() == pytest.approx(BALL_SIZE * 1.6)]
    assert ring.center == pytest.approx(mine[0].center)
    assert ring.get_radius() > mine[0].get_radius()
    assert [t.get_text() for t in axes.texts] == ["Mo 1: 400 meV/Å"]
    assert [p for p in plot_structure(picture(marked=None), "").axes[0].patches if not p.get_fill()] == []


def test_halos_tell_the_errors() -> None:
    axes = plot_structure(picture(marked=None), "").axes[0]
    halos = [p for p in axes.patches if p.get_alpha() is not None]
    shares = np.array([p.get_alpha() for p in halos])
    np.testing.assert_allclose(shares / shares.max(), [0.25, 1.0, 0.5, 0.0])
    none = plot_structure(picture(errors=None, marked=None), "").axes[0]
    assert [p for p in none.patches if p.get_alpha() is not None] == []


def test_atoms_before_the_worst_one_are_outlines() -> None:
    # the viewer looks along y from its negative side: the second atom stands before the first
    line = np.array([[2.0, 4.0, 3.0], [2.4, 1.0, 3.2], [3.9, 1.0, 0.1]])
    values = {"symbols": ["Nb"] * 3, "positions": line, "radii": np.full(3, 1.5), "errors": np.ones(3)}
    axes = plot_structure(picture(**values, marked=(0, "Nb 0")), "").axes[0]
    faint = [matplotlib.colors.to_rgba(p.get_facecolor())[3] < 0.5 for p in balls(axes)]
    assert faint == [False, True, False]
    front = plot_structure(picture(**values, marked=(1, "Nb 1")), "").axes[0]
    assert not any(matplotlib.colors.to_rgba(p.get_facecolor())[3] < 0.5 for p in balls(front))


def test_bonds_and_molecules_without_a_cell() -> None:
    water = np.array([[0.0, 0.0, 0.12], [0.0, 0.76, -0.48], [0.0, -0.76, -0.48]])
    values = {"symbols": list("OHH"), "positions": water, "radii": np.array([0.66, 0.31, 0.31]), "cell": None}
    bonds = np.array([[0, 1], [0, 2]])
    axes = plot_structure(picture(**values, errors=None, marked=None, bonds=bonds), "").axes[0]
    assert len(axes.lines) == 8  # two halves with an outline each per bond, no edges


def test_every_element_has_a_color_of_its_own() -> None:
    for alloy in (["Nb", "Mo", "Ta", "W"], ["H", "C", "N", "O", "S"], ["Ti", "O"], ["La", "Ce", "U", "Y"]):
        colors = {tuple(np.round(matplotlib.colors.to_rgb(element_color(s)), 3)) for s in alloy}
        assert len(colors) == len(alloy)
