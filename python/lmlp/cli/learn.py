"""``lmlp learn``: new data and new elements without forgetting the old."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lmlp.cli.options import (
    DATA,
    RUN,
    BatchSize,
    EnergyKey,
    ForcesKey,
    Seed,
    StressKey,
    Threads,
    TimeLimit,
    UnitsKey,
    VirialKey,
    WeightsKey,
    overrides,
)

if TYPE_CHECKING:
    from lmlp.lifelong.learn import Outcome

_MEMORY = "Memory"


def command(
    model: Annotated[
        Path, typer.Argument(help="Model file or training checkpoint to go on from.", show_default=False)
    ],
    data: Annotated[
        list[Path],
        typer.Argument(help="New structures: extended XYZ or anything ASE reads, also .xz or .gz."),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Model file to write; default: MODEL is replaced.", rich_help_panel=RUN
        ),
    ] = None,
    memory: Annotated[
        Path | None,
        typer.Option(help="Memory of earlier data; default: <MODEL>.memory.", rich_help_panel=_MEMORY),
    ] = None,
    old: Annotated[
        list[Path] | None,
        typer.Option(
            "--old",
            help="Data that the model was trained on and that are not in the memory yet. Repeatable.",
            rich_help_panel=_MEMORY,
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="Name of the new data; default: that of the first file.", rich_help_panel=DATA),
    ] = None,
    memory_structures: Annotated[
        int | None, typer.Option(min=1, help="Bound of the memory (5000).", rich_help_panel=_MEMORY)
    ] = None,
    memory_size: Annotated[
        str | None, typer.Option(help="Bound of the memory's content, e.g. 50M.", rich_help_panel=_MEMORY)
    ] = None,
    max_forgetting: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="Largest growth of an earlier task's error, e.g. 0.1 for 10 %; beyond it model and memory "
            "stay as they are.",
            rich_help_panel=RUN,
        ),
    ] = None,
    networks: Annotated[
        str | None,
        typer.Option(
            help="Which learn: present (default), those of the elements of the new data; new, those of new "
            "elements; or all. The others stay bit by bit.",
            rich_help_panel=RUN,
        ),
    ] = None,
    ewc: Annotated[
        float | None,
        typer.Option(min=0.0, help="Strength of elastic weight consolidation (0).", rich_help_panel=RUN),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Epochs (400), each of a tenth of the data.", rich_help_panel=RUN),
    ] = None,
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

    Further settings: those of [bold]lmlp train[/bold] (loss, optimizer, average, dtype, memory_budget …),
    selection.{share,old_share,raise_above,lower_below,up,down,smallest,largest,new,redundant_after,
    recheck_every,suspect_after,suspect_loss,suspect_likes}, balance, check_fraction, ewc_structures.
    """
    import os
    import time

    from lmlp.cli.threads import shorten_waiting

    started = time.monotonic()
    shorten_waiting()
    if threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(threads)
    from lmlp.errors import ConfigError
    from lmlp.lifelong.base import session_config
    from lmlp.lifelong.learn import learn

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("learning runs in one process, with --threads: start it without torchrun")
    if output is None and model.suffix == ".checkpoint":
        raise ConfigError("a checkpoint is not replaced by a model: name the output (-o)")
    options = overrides(
        {
            "start": str(model),
            "data": [str(p) for p in data],
            "output": str(output or model),
            "memory": str(memory or model.with_suffix(".memory")),
            "old": [str(p) for p in old] if old else None,
            "task": task or data[0].name.partition(".")[0],
            "memory_structures": memory_structures,
            "memory_bytes": memory_size,
            "max_forgetting": max_forgetting,
            "networks": networks,
            "ewc": ewc,
            "epochs": epochs,
            "time_limit": time_limit,
            "batch_size": batch_size,
            "seed": seed,
            "threads": threads,
            "keys.energy": energy_key,
            "keys.forces": forces_key,
            "keys.stress": stress_key,
            "keys.virial": virial_key,
            "keys.weights": weights_key,
            "keys.units": units_key,
        },
        set_ or [],
    )
    if stream is not None:
        from lmlp.cli.learn_stream import run_stream

        run_stream(options, stream, resume=resume)
        return
    config = session_config(options, resume=resume)
    from lmlp.cli.train_view import TrainView

    with TrainView() as view:
        try:
            outcome = learn(config, observer=view, resume=resume, started=started)
        except KeyboardInterrupt:
            view.stop()
            view.say(
                f"Stopped. All progress is in {config.checkpoint}; the same command with --resume goes on."
            )
            raise typer.Exit(130) from None
        view.stop()
    _finish(outcome, config.output.with_suffix(".learning.html"))


def _finish(outcome: Outcome, page: Path) -> None:
    """Print what was gained and lost; write the page."""
    from rich.console import Console
    from rich.markup import escape

    from lmlp.evaluation.retention import write_retention_report

    report = outcome.report
    console = Console()
    console.print(retention_table(report))
    counts = {k: len(report[k]) for k in ("suspects", "parked", "removed")}
    typer.echo(
        f"{counts['suspects']} suspects, {counts['parked']} parked, {counts['removed']} removed from the "
        f"memory; {report['gradient_evaluations']:,} structures per member in all steps"
    )
    suspects = [*report["suspects"], *report.get("check_suspects", [])]
    for row in suspects[:10]:
        console.print(escape(f"suspect {row['source']}: {row['reason']}"), soft_wrap=True, highlight=False)
    write_retention_report(report, page)
    typer.echo(f"{outcome.path}: model;  {page}: report")
    if outcome.refused:
        typer.echo(
            f"lmlp: refused: forgetting of {100 * report['forgetting']:.1f} % exceeds "
            f"{100 * report['max_forgetting']:.1f} %; model and memory are as they were, the new model is "
            f"{outcome.path}",
            err=True,
        )
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
