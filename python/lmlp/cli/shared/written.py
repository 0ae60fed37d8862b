"""What the commands that write a model file say about it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from lmlp.export.verify import Difference
    from lmlp.model.data import ModelData


def report_written(path: Path, model: ModelData, differences: Sequence[Difference]) -> None:
    """Print one line on the model and one on its verification."""
    plural = "" if model.n_members == 1 else "s"
    typer.echo(
        f"{path}: {', '.join(model.elements)}; {model.n_features} symmetry functions, "
        f"cutoff {model.descriptor['cutoff']} Å; {model.n_members} member{plural}, "
        f"hidden layers {'-'.join(map(str, model.hidden_layers))}; {path.stat().st_size / 1e6:.2f} MB"
    )
    if differences:
        worst = {d.path: max(e.difference for e in differences if e.path == d.path) for d in differences}
        typer.echo(
            "verified against the reference: largest differences "
            + ", ".join(f"{value:.1e} ({name})" for name, value in worst.items())
            + " in eV and eV/Å"
        )
