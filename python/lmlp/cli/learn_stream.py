"""``lmlp learn --stream``: batches one after the other, a line for each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lmlp.training.observer import Observer

if TYPE_CHECKING:
    from lmlp.lifelong.config import LearnConfig


class _Quiet(Observer):
    """Passes on messages; the sessions' own progress would fill the screen."""

    def on_message(self, text: str) -> None:
        """Print a line."""
        typer.echo(text)


def run_stream(options: dict[str, Any], stream: str, *, resume: bool, force: bool = False) -> None:
    """Learn all batches; exits with 1 if one of them was refused.

    Args:
        options: settings of each session.
        stream: structures per batch, or ``file``.
        resume: go on after the last finished batch.
        force: replace an existing model and the errors of an earlier stream.

    Raises:
        ConfigError: neither a number nor ``file``.
    """
    from lmlp.cli.learn_files import claimed
    from lmlp.errors import ConfigError
    from lmlp.lifelong.base import make_learn_config
    from lmlp.plots import check_installed

    check_installed()
    if stream != "file" and (not stream.isdigit() or int(stream) < 1):
        raise ConfigError(f"--stream {stream!r}: give structures per batch, e.g. 25, or `file`")
    config = make_learn_config(options)
    with claimed(config, resume=resume, force=force, stream=True):
        _learn(config, options, make_batches(options, stream), resume=resume)


def _learn(config: LearnConfig, options: dict[str, Any], batches: list[Any], *, resume: bool) -> None:
    """Learn the batches and draw the errors."""
    from lmlp.files.names import beside
    from lmlp.lifelong.batches import batches_log, learn_batches
    from lmlp.lifelong.outputs import picture_path
    from lmlp.plots import plot_batches, save

    typer.echo(f"{len(batches)} batches. RMSE on check structures, energies in meV/atom, forces in meV/Å:")
    typer.echo(
        "task, new structures in memory | tasks before the stream | batches so far | new, before -> after"
    )
    try:
        records = learn_batches(
            options, batches, observer=_Quiet(), resume=resume, on_batch=lambda r: typer.echo(line(r))
        )
    except KeyboardInterrupt:
        typer.echo("Stopped. All progress is kept; the same command with --resume goes on.")
        raise typer.Exit(130) from None
    picture = picture_path(config)
    save(plot_batches(records), picture)
    typer.echo(
        f"{config.output}: model;  {batches_log(config.output)}, {picture}: errors;  "
        f"{beside(config.output, '.batches')}: report and suspects of each batch"
    )
    refused = [r["task"] for r in records if r["refused"]]
    if refused:
        typer.echo(f"lmlp: refused, as more than max_forgetting was lost: {', '.join(refused)}", err=True)
        raise typer.Exit(1)


def make_batches(options: dict[str, Any], stream: str) -> list[Any]:
    """Divide the data."""
    from lmlp.io import DataKeys
    from lmlp.lifelong.batches import cut, one_file_each

    files = [Path(p) for p in options["data"]]
    if stream == "file":
        return one_file_each(files)
    return cut(files, int(stream), DataKeys(**options.get("keys", {})))


def line(record: dict[str, Any]) -> str:
    """Sum up a batch in a line."""

    def both(errors: dict[str, Any] | None) -> str:
        if not errors:
            return "–"
        return " / ".join("–" if errors[k] is None else f"{1e3 * errors[k]:.4g}" for k in _KEYS)

    new = f"{both(record['new']['before'])} -> {both(record['new']['after'])}"
    more = f", {record['suspects']} suspects" if record["suspects"] else ""
    more += ", REFUSED" if record["refused"] else ""
    return (
        f"{record['task']}: {record['n_new']} in {record['n_memory']} | {both(record['old']['after'])} | "
        f"{both(record['stream']['after'])} | {new} | {record['seconds']:.0f} s{more}"
    )


_KEYS = ("energy_rmse", "force_rmse")
