"""Small pieces of HTML; every string that comes from outside is escaped here."""

from __future__ import annotations

import datetime
import html
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from lmlp.files.kinds import REPORT
from lmlp.files.writing import replacing
from lmlp.plots.style import to_data_uri
from lmlp.version import __version__

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def escape(text: object) -> str:
    """Escape text for HTML, quotes included."""
    return html.escape(str(text), quote=True)


def number(value: float | None, factor: float = 1.0, digits: int = 3) -> str:
    """Write a number with a fixed count of significant digits; "–" for None."""
    if value is None:
        return "–"
    scaled = factor * value
    text = f"{scaled:.{digits}g}"
    if "e" in text and 1e-4 < abs(scaled) < 1e7:
        text = f"{scaled:,.0f}"
    return text.replace("-", "−")


def percent(value: float | None) -> str:
    """Write a fraction as percent."""
    return "–" if value is None else f"{100.0 * value:.1f} %"


def table(header: Sequence[str], rows: Sequence[Sequence[object]], text_columns: Sequence[int] = (0,)) -> str:
    """Make a table; cells are escaped, all but ``text_columns`` are aligned to the right."""

    def cells(tag: str, row: Sequence[object]) -> str:
        return "".join(
            f'<{tag} class="text">{escape(cell)}</{tag}>'
            if column in text_columns
            else f"<{tag}>{escape(cell)}</{tag}>"
            for column, cell in enumerate(row)
        )

    body = "\n".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    head = f"<thead><tr>{cells('th', header)}</tr></thead>"
    return f'<div class="scroll"><table>{head}\n<tbody>{body}</tbody></table></div>'


def tiles(items: Sequence[tuple[str, str, str]]) -> str:
    """Make a row of key figures: (value, unit, what it is)."""
    inner = "".join(
        f'<div class="tile"><b>{escape(value)} <small>{escape(unit)}</small></b>'
        f"<span>{escape(name)}</span></div>"
        for value, unit, name in items
    )
    return f'<div class="tiles">{inner}</div>'


def figure(picture: Figure, description: str, caption: str = "", dpi: float = 144.0) -> str:
    """Embed a picture."""
    text = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure><img src="{to_data_uri(picture, dpi)}" alt="{escape(description)}">{text}</figure>'


def figures(pictures: Sequence[str]) -> str:
    """Arrange embedded pictures side by side."""
    return f'<div class="figures">{"".join(pictures)}</div>'


def wide(picture: str) -> str:
    """Give an embedded picture the full width."""
    return f'<div class="wide">{picture}</div>'


def definitions(items: Sequence[tuple[str, object]]) -> str:
    """Make a list of names and values."""
    return (
        "<dl>"
        + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in items)
        + "</dl>"
    )


def section(title: str, body: str, note: str = "") -> str:
    """Make a section with a heading and an optional explanation."""
    text = f'<p class="note">{escape(note)}</p>' if note else ""
    return f"<section><h2>{escape(title)}</h2>{text}{body}</section>"


def write_page(path: str | Path, title: str, subtitle: str, parts: Sequence[str]) -> None:
    """Write sections as one HTML file without outside references.

    Raises:
        InvalidArgumentError: there is a file of another kind.
        OutputError: the file cannot be written.
    """
    template = Template((files("lmlp.evaluation") / "templates" / "report.html").read_text(encoding="utf-8"))
    date = datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    content = template.substitute(
        title=escape(title),
        subtitle=escape(subtitle),
        body="\n".join(parts),
        footer=escape(f"lmlp {__version__} · {date}"),
    )
    with replacing(path, REPORT) as unfinished:
        unfinished.write_text(content, encoding="utf-8")
