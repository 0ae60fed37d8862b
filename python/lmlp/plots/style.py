"""One look for every picture: palette, sizes and axes. No global matplotlib state is touched."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmlp.errors import InvalidArgumentError, LMLPError
from lmlp.files.kinds import PICTURE
from lmlp.files.writing import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#1f2933"
MUTED = "#7b8794"
GRID = "#e4e7eb"
# distinguishable with the common color deficiencies, and in gray
PALETTE = ("#1f6f8b", "#e07a3f", "#6b5b95", "#3a9d6e", "#c94c63", "#b08d2b", "#4f7cac", "#8a6d5a")
ACCENT = PALETTE[1]
FORMATS = ("png", "svg", "pdf")
DENSITY = ("#cfe6ea", "#7fbfca", "#2f8ba3", "#1d5578", "#1b2a52")

_PARAMETERS: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.0,
    "axes.titlesize": 11.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 9.0,
    "axes.labelsize": 10.0,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "figure.dpi": 110.0,
    "savefig.dpi": 160.0,
    "svg.fonttype": "path",
    "svg.hashsalt": "lmlp",
}


def check_installed() -> None:
    """Raise LMLPError when there is no matplotlib, before the work for a picture begins."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise LMLPError("plots need matplotlib: pip install matplotlib") from None


@contextmanager
def style() -> Iterator[None]:
    """Apply the look inside a ``with`` block; raises when matplotlib is not installed."""
    check_installed()
    import matplotlib

    with matplotlib.rc_context(_PARAMETERS):
        yield


def new_figure(width: float = 4.6, height: float = 4.2) -> Figure:
    """Make an empty figure (inches) on an Agg canvas, outside pyplot: nothing to close, no display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def density_colors() -> Any:
    """Color map of point densities, pale to dark."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("lmlp-density", DENSITY)


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure; the ending names the format (png, svg, pdf). Same figure, same bytes."""
    kind = picture_format(path)
    with style(), replacing(path, PICTURE) as unfinished:
        figure.savefig(unfinished, format=kind, metadata={"Date": None} if kind == "svg" else None)


def picture_format(path: str | Path) -> str:
    """Return the format that the ending names.

    Raises:
        InvalidArgumentError: the ending names none.
    """
    kind = Path(path).suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise InvalidArgumentError(f"{path}: pictures are written as .{', .'.join(FORMATS)}")
    return kind


def to_data_uri(figure: Figure, dpi: float = 144.0) -> str:
    """Return the figure as a PNG ``data:`` address for a self-contained page."""
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format="png", dpi=dpi)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def plain_log_ticks(axis: Any) -> None:
    """Label a logarithmic axis with 20, 50, 100 rather than powers of ten; by decades when there are many."""
    from math import log10

    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    decades = log10(high / low)
    subs = (1.0, 2.0, 5.0) if decades < 2.5 else (1.0,)
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
