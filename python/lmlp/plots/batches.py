"""Old and new errors along a stream of learning sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lmlp.plots.style import MUTED, PALETTE, new_figure, plain_log_ticks, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GROUPS = (("old", "before the stream", MUTED), ("stream", "batches so far", PALETTE[0]))


def plot_batches(records: Sequence[Mapping[str, Any]], title: str | None = None) -> Figure:
    """Draw force and energy RMSE against the batch: earlier tasks, batches so far, new ones when they come.

    Args:
        records: of :func:`lmlp.lifelong.batches.learn_batches` (eV/atom and eV/Å).
        title: heading; a default when None.
    """
    with style():
        figure = new_figure(8.4, 3.6)
        panels = figure.subplots(1, 2)
        for axes, key, name in (
            (panels[0], "force_rmse", "Force RMSE (meV/Å)"),
            (panels[1], "energy_rmse", "Energy RMSE (meV/atom)"),
        ):
            for group, label, color in _GROUPS:
                x, y = _series(records, group, "after", key)
                axes.plot(x, y, color=color, label=label, marker="o" if len(x) == 1 else None)
            x, y = _series(records, "new", "before", key)
            axes.plot(x, y, "o", color=PALETTE[1], markersize=4, label="new, before it is learned")
            axes.set(yscale="log", xlabel="batch", ylabel=name)
            plain_log_ticks(axes.yaxis)
        panels[0].legend(loc="best", fontsize=8)
        panels[0].set_title(title if title is not None else "Errors along the stream")
    return figure


def _series(
    records: Sequence[Mapping[str, Any]], group: str, when: str, key: str
) -> tuple[list[int], list[float]]:
    """Batches with that error, and the errors in milli units."""
    found = [
        (k + 1, 1e3 * r[group][when][key])
        for k, r in enumerate(records)
        if r[group][when] and r[group][when][key]
    ]
    return [k for k, _ in found], [error for _, error in found]
