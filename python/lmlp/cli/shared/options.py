"""Options that several commands have in common, and how options become settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

DATA = "Data"
RUN = "Run"


def file_name(text: str | Path) -> Path:
    """Return the path of a file to write.

    Raises:
        typer.BadParameter: a name that ends with a slash is one of a folder.
    """
    name = str(text)
    if not name or name.endswith(("/", os.sep)):
        raise typer.BadParameter(f"{name!r} names a folder: name a file in it.")
    return Path(name)


Force = Annotated[
    bool,
    typer.Option("--force", help="Replace results that exist; files of another kind are never replaced."),
]
ModelOutput = Annotated[
    Path,
    typer.Option(
        "-o", "--output", help="Model file to write.", show_default=False, parser=file_name, metavar="PATH"
    ),
]

# parameter -> setting that it stands for, whose description is its help text (described.py)
_LABELS = ("energy", "forces", "stress", "virial", "weights", "units")
KEYS = {f"{name}_key": f"keys.{name}" for name in _LABELS}
STEPS = {name: name for name in ("epochs", "time_limit", "batch_size", "seed", "threads")}

EnergyKey = Annotated[str | None, typer.Option(rich_help_panel=DATA)]
ForcesKey = Annotated[str | None, typer.Option(rich_help_panel=DATA)]
StressKey = Annotated[str | None, typer.Option(rich_help_panel=DATA)]
VirialKey = Annotated[str | None, typer.Option(rich_help_panel=DATA)]
WeightsKey = Annotated[str | None, typer.Option(rich_help_panel=DATA)]
UnitsKey = Annotated[str | None, typer.Option(rich_help_panel=DATA)]
Epochs = Annotated[int | None, typer.Option(min=1, rich_help_panel=RUN)]
TimeLimit = Annotated[str | None, typer.Option(rich_help_panel=RUN)]
BatchSize = Annotated[int | None, typer.Option(min=1, rich_help_panel=RUN)]
Seed = Annotated[int | None, typer.Option(min=0, rich_help_panel=RUN)]
Threads = Annotated[int | None, typer.Option(min=1, max=1024, rich_help_panel=RUN)]


def overrides(options: dict[str, Any], assignments: list[str]) -> dict[str, Any]:
    """Nest dotted keys; ``assignments`` are KEY=VALUE with YAML values, and come after the options.

    Raises:
        ConfigError: no KEY=VALUE, a key below one that is no section, or one that is assigned twice.
    """
    pairs = [(key, value) for key, value in options.items() if value is not None]
    pairs += _assigned(assignments)
    from lmlp.errors import ConfigError

    result: dict[str, Any] = {}
    for key, value in pairs:
        *path, last = key.split(".")
        section = result
        for part in path:
            section = section.setdefault(part, {})
            if not isinstance(section, dict):
                raise ConfigError(f"{key}: {part} is not a section")
        section[last] = value
    return result


def _assigned(assignments: list[str]) -> list[tuple[str, Any]]:
    """Return keys and values of all ``--set``."""
    from lmlp.config.yaml_text import read_yaml
    from lmlp.errors import ConfigError

    found: dict[str, Any] = {}
    for text in assignments:
        key, separator, value = text.partition("=")
        key = key.strip()
        if not separator or not all(key.split(".")):
            raise ConfigError(f"--set {text!r}: write KEY=VALUE, e.g. loss.energy=20")
        for other in found:
            if f"{other}.".startswith(f"{key}.") or f"{key}.".startswith(f"{other}."):
                raise ConfigError(f"--set {text!r}: {other} is set already; put all of it in one --set")
        try:
            found[key] = read_yaml(value)
        except ValueError as error:
            raise ConfigError(f"--set {text!r}: {error}") from None
    return list(found.items())
