"""``lmlp learn``: new data and new elements without forgetting the old."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lmlp.cli.shared.described import LEARNING, described_by, given_settings
from lmlp.cli.shared.options import (
    DATA,
    KEYS,
    RUN,
    STEPS,
    BatchSize,
    EnergyKey,
    Epochs,
    ForcesKey,
    Seed,
    StressKey,
    Threads,
    TimeLimit,
    UnitsKey,
    VirialKey,
    WeightsKey,
    file_name,
    overrides,
)

if TYPE_CHECKING:
    from lmlp.lifelong.learn import Outcome

_MEMORY = "Memory"
_OPTIONS = {
    "model": "start",
    **{name: name for name in ("data", "output", "memory", "old", "task", "networks", "ewc")},
    "memory_structures": "memory_structures",
    "memory_size": "memory_bytes",
    "max_forgetting": "max_forgetting",
    **KEYS,
    **STEPS,
}
Command = described_by(LEARNING, _OPTIONS, further=True)


def command(
    ctx: typer.Context,
    model: Annotated[Path, typer.Argument(show_default=False)],
    data: Annotated[list[Path], typer.Argument()],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Default: MODEL is replaced.",
            rich_help_panel=RUN,
            parser=file_name,
            metavar="PATH",
        ),
    ] = None,
    memory: Annotated[
        Path | None,
        typer.Option(
            help="Default: <MODEL>.memory.", rich_help_panel=_MEMORY, parser=file_name, metavar="PATH"
        ),
    ] = None,
    old: Annotated[
        list[Path] | None, typer.Option("--old", help="May be repeated.", rich_help_panel=_MEMORY)
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="Default: that of the first file.", rich_help_panel=DATA)
    ] = None,
    memory_structures: Annotated[int | None, typer.Option(min=1, rich_help_panel=_MEMORY)] = None,
    memory_size: Annotated[str | None, typer.Option(rich_help_panel=_MEMORY)] = None,
    max_forgetting: Annotated[float | None, typer.Option(min=0.0, rich_help_panel=RUN)] = None,
    networks: Annotated[str | None, typer.Option(rich_help_panel=RUN)] = None,
    ewc: Annotated[float | None, typer.Option(min=0.0, rich_help_panel=RUN)] = None,
    epochs: Epochs = None,
    time_limit: TimeLimit = None,
    batch_size: BatchSize = None,
    seed: Seed = None,
    threads: Threads = None,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
    virial_key: VirialKey = None,
    weights_key: WeightsKey = None,
    units_key: UnitsKey = None,
    stream: Annotated[
        str | None,
        typer.Option(
            metavar="N|file",
            help="Learn in batches of N structures, or file by file, one session each; --time-limit and "
            "--epochs are those of one batch.",
            rich_help_panel=RUN,
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an interrupted session.", rich_help_panel=RUN)
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a model that -o names.", rich_help_panel=RUN)
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any other setting, e.g. --set selection.share=0.2. Repeatable.",
            rich_help_panel=RUN,
        ),
    ] = None,
) -> None:
    """Learn new data without forgetting the old.

    Earlier structures come from the memory file and are rehearsed beside the new ones; adaptive selection
    draws what is not learned yet, parks what is redundant and excludes, and reports, what stays wrong. New
    elements get new networks and atomic energies; descriptor, scaling and atomic energies of the old stay.

    [bold]Files[/bold] (beside the output): <stem>.learning.html and .json, the retention report;
    <stem>.suspects.xyz; <stem>.learning.checkpoint while it runs ([bold]--resume[/bold]). With
    [bold]--stream[/bold]: <stem>.stream.jsonl and .png, errors batch by batch; reports and suspects of each
    batch in the folder <stem>.batches.

    [bold]Examples[/bold]

      lmlp learn model.pt new.xyz --old train.xyz -o model2.pt

      lmlp learn model.pt new.xyz --max-forgetting 0.1

      lmlp learn model.pt pool.xyz --old train.xyz -o model2.pt --stream 25 --time-limit 1m

      lmlp learn model.checkpoint new.xyz --old train.xyz -o model2.pt --set optimizer.frozen=0.2
    """
    import os
    import time

    from lmlp.cli.shared.threads import shorten_waiting

    started = time.monotonic()
    shorten_waiting()
    if threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(threads)
    from lmlp.cli.learn_files import claimed
    from lmlp.errors import ConfigError
    from lmlp.lifelong.base import make_learn_config, session_config
    from lmlp.lifelong.learn import learn
    from lmlp.lifelong.outputs import page_path
    from lmlp.training.state.outputs import checkpoint_stamp

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("learning runs in one process, with --threads: start it without torchrun")
    if output is None and model.suffix == ".checkpoint":
        raise ConfigError("a checkpoint is not replaced by a model: name the output (-o)")
    options = {
        **given_settings(ctx.params, _OPTIONS),
        "output": str(output or model),
        "memory": str(memory or _memory_of(model)),
        "task": task or data[0].name.partition(".")[0],
    }
    options = overrides(options, set_ or [])
    if stream is not None:
        from lmlp.cli.learn_stream import run_stream

        run_stream(options, stream, resume=resume, force=force)
        return
    from lmlp.cli.shared.train_view import TrainView

    with TrainView() as view, claimed(make_learn_config(options), resume=resume, force=force):
        config = session_config(options, resume=resume)
        before = None if resume else checkpoint_stamp(config)
        try:
            outcome = learn(config, observer=view, resume=resume, started=started)
        except KeyboardInterrupt:
            view.stop()
            begun = checkpoint_stamp(config) not in (None, before)
            where = f"All progress is in {config.checkpoint}; the same command with --resume goes on."
            view.say(f"Stopped. {where if begun else 'Learning had not begun.'}")
            raise typer.Exit(130) from None
        view.stop()
        _finish(outcome, page_path(config))


def _memory_of(model: Path) -> Path:
    """Return the memory file of a model, or of a checkpoint of its training."""
    from lmlp.files.names import beside

    name = model.with_suffix(".pt") if model.suffix == ".checkpoint" else model
    return beside(name, ".memory")


def _finish(outcome: Outcome, page: Path) -> None:
    """Print what was gained and lost; write the page."""
    from rich.console import Console
    from rich.markup import escape

    from lmlp.errors import LMLPError
    from lmlp.evaluation.retention import contradictions, write_retention_report

    report, lost = outcome.report, ""
    try:
        write_retention_report(report, page)
    except LMLPError as error:
        lost = f"lmlp: error: no page: {error}"
    console = Console()
    console.print(retention_table(report))
    for sentence in contradictions(report["tasks"]):
        console.print(escape(sentence), style="yellow", soft_wrap=True, highlight=False)
    counts = {k: len(report[k]) for k in ("suspects", "parked", "removed")}
    typer.echo(
        f"{counts['suspects']} suspects, {counts['parked']} parked, {counts['removed']} removed from the "
        f"memory; {report['gradient_evaluations']:,} structures per member in all steps"
    )
    suspects = [*report["suspects"], *report.get("check_suspects", [])]
    for row in suspects[:10]:
        console.print(escape(f"suspect {row['source']}: {row['reason']}"), soft_wrap=True, highlight=False)
    typer.echo(f"{outcome.path}: model" + ("" if lost else f";  {page}: report"))
    if lost:
        typer.echo(lost, err=True)
    if outcome.refused:
        typer.echo(
            f"lmlp: refused: forgetting of {100 * report['forgetting']:.1f} % exceeds "
            f"{100 * report['max_forgetting']:.1f} %; model and memory are as they were, the new model is "
            f"{outcome.path}",
            err=True,
        )
    if outcome.refused or lost:
        raise typer.Exit(1)


def retention_table(report: dict[str, Any]) -> Any:
    """Return the errors by task as a table."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="Check structures", title_justify="left", box=None, pad_edge=False)
    for name in ("task", "n", "meV/atom before", "after", "meV/Å before", "after", "change"):
        table.add_column(name, justify="left" if name == "task" else "right")

    def milli(value: float | None) -> str:
        return "–" if value is None else f"{1e3 * value:.4g}"

    for name, task in report["tasks"].items():
        before, after = task["before"] or {}, task["after"]
        change = task.get("change")
        table.add_row(
            escape(name) + (" (new)" if task["new"] else ""),
            str(after["n"]),
            milli(before.get("energy_rmse")),
            milli(after["energy_rmse"]),
            milli(before.get("force_rmse")),
            milli(after["force_rmse"]),
            "–" if change is None else f"{100 * change:+.1f} %",
        )
    return table
