"""``lmlp doctor``: what works on this machine, and what to do about what does not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmlp.diagnosis.check import Check


def command(
    model: Annotated[Path | None, typer.Argument(help="Model file to check as well.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Check the installation: versions, compiled core, OpenMP, torch, LAMMPS, plugin, MPI, and a model file.

    Everything is tried, not only looked for: the core computes, LAMMPS loads the plugin, two MPI ranks start,
    a tiny model runs for five steps.
    What is missing is told with the line that fixes it. Exit code 1 when something essential is broken.

    Example: lmlp doctor model.pt
    """
    from lmlp.diagnosis import diagnose

    checks = diagnose(model)
    healthy = all(check.status != "error" for check in checks)
    if as_json:
        import json

        entries = [check.as_dict() for check in checks]
        typer.echo(json.dumps({"healthy": healthy, "checks": entries}, indent=1, default=str))
    else:
        _print(checks)
    if not healthy:
        raise typer.Exit(1)


def _print(checks: Sequence[Check]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    marks = {
        "ok": "[green]ok[/]",
        "missing": "[yellow]missing[/]",
        "warning": "[yellow]warning[/]",
        "error": "[red]error[/]",
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    table.add_column(overflow="fold")
    for check in checks:
        fix = f"\n[bold]fix:[/] {escape(check.fix)}" if check.fix else ""
        table.add_row(escape(check.name), marks[check.status], escape(check.detail) + fix)
    console = Console(highlight=False)
    console.print(table)
    broken = [check.name for check in checks if check.status == "error"]
    console.print(
        f"[red]broken: {escape(', '.join(broken))}[/]" if broken else "[green]everything essential works[/]"
    )
