"""The ``lmlp`` command: a table of contents, one module of this folder per command."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from typing import Any

import typer

from lmlp.cli.shared.words import guard_streams, lost_words
from lmlp.errors import DataWarning, LMLPError
from lmlp.version import __version__

app = typer.Typer(
    name="lmlp",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Lifelong machine learning potentials: train on your reference data, simulate with error bars.",
)

# command -> module of this folder whose function `command` does it; its class `Command`, if there is one,
# shows the help. Modules import heavy packages inside the function.
COMMANDS: dict[str, str] = {
    "export": "models.export",
    "import-original": "models.import_original",
    "init": "models.init",
    "train": "train",
    "learn": "learn",
    "eval": "eval",
    "calibrate": "models.calibrate",
    "md": "md",
    "info": "models.info",
    "doctor": "doctor",
    "near": "near",
    "merge": "models.merge",
    "build-torch-backend": "build_torch_backend",
}


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lmlp {__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    pass


# groups of commands: module of this folder whose Typer object `group` holds them
GROUPS: dict[str, str] = {"data": "data", "memory": "memory"}

for _name, _module in COMMANDS.items():
    _found = import_module(f"lmlp.cli.{_module}")
    app.command(_name, cls=getattr(_found, "Command", None))(_found.command)
for _name, _module in GROUPS.items():
    app.add_typer(import_module(f"lmlp.cli.{_module}").group, name=_name)


def main() -> None:
    """Run the command line; an expected error is one line on stderr and exit code 1, never a traceback."""
    guard_streams()
    _print_data_warnings()
    status: Any = 0
    try:
        app()
    except SystemExit as stop:
        status = stop.code
    except (LMLPError, OSError) as error:
        text = " ".join(str(error).split()) or type(error).__name__
        typer.echo(f"lmlp: error: {text}", err=True)
        status = 1
    lost = lost_words()
    if lost is not None:
        typer.echo(f"lmlp: error: {lost}", err=True)
        status = status or 1
    sys.exit(status)


def _print_data_warnings() -> None:
    """Print what reading left out or converted as one line each, without the place in the code."""
    other = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **options: Any) -> None:
        if issubclass(category, DataWarning):
            typer.echo(f"lmlp: note: {message}", err=True)
        else:
            other(message, category, *where, **options)

    warnings.showwarning = show
