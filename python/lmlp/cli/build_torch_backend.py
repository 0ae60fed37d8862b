"""``lmlp build-torch-backend``: the library behind ``pair_style lmlp backend torchscript``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.status import Status


def command(
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="File, or folder that exists, for the library; LMLP_TORCH_BACKEND names it to LAMMPS. By "
            "default the user's cache folder, where the plugin looks by itself.",
        ),
    ] = None,
    compiler: Annotated[
        str | None, typer.Option(help="C++20 compiler; by default $CXX, else c++, g++ or clang++.")
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Compile even if it was compiled before; replace a library that exists."
        ),
    ] = False,
) -> None:
    """Build the TorchScript backend of [bold]pair_style lmlp[/bold] against the torch of this environment.

    LAMMPS needs it for [bold]pair_style lmlp backend torchscript device cuda[/bold] only: on a CPU the native
    backend is much faster. The library fits this torch; after another torch was installed, build it again.
    A build of the same sources with the same compiler for the same torch is taken from the cache.

    [bold]Examples[/bold]

      lmlp build-torch-backend

      lmlp build-torch-backend --compiler clang++ -o ~/lib/lmlp_torch_backend.so
    """
    import time

    from lmlp.files.kinds import LIBRARY
    from lmlp.files.rule import Output, check_outputs
    from lmlp.lammps.torch_backend import cache_folder, install, plan, run

    build = plan(output, compiler)
    if output is not None:
        check_outputs([Output(build.target, LIBRARY, makes_folder=True)], force=force)
    typer.echo(f"{build.key.rsplit('-', 1)[0]}, compiler {build.command[0]}")
    if force or not build.cached.is_file():
        started = time.monotonic()
        with _progress("compiling, about half a minute"):
            run(build)
        typer.echo(f"compiled and loaded in {time.monotonic() - started:.0f} s")
    else:
        typer.echo("compiled before; --force compiles again")
    install(build)
    typer.echo(f"wrote {build.target}")
    if build.target.parent != cache_folder():
        typer.echo(f"for LAMMPS: export LMLP_TORCH_BACKEND={build.target.resolve()}")


def _progress(text: str) -> Status:
    """Turn a wheel on a terminal; print the text elsewhere."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        typer.echo(text, err=True)
    return console.status(text)
