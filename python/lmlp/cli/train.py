"""``lmlp train``: from reference data to a model file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lmlp.cli.shared.described import TRAINING, described_by, given_settings
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
    from lmlp.training.config import TrainConfig
    from lmlp.training.workers import Workers

_MODEL = "Model"
_OPTIONS = {
    **{name: name for name in ("data", "valid", "output", "selection", "memory_budget")},
    **{name: f"descriptor.{name}" for name in ("preset", "cutoff", "open_elements")},
    **{name: f"model.{name}" for name in ("members", "hidden", "activation", "baseline")},
    "optimizer": "optimizer.name",
    **KEYS,
    **STEPS,
}
Command = described_by(TRAINING, _OPTIONS, further=True)


def command(
    ctx: typer.Context,
    config: Annotated[
        Path | None,
        typer.Argument(help="config.yaml; options given beside it take precedence.", show_default=False),
    ] = None,
    data: Annotated[
        list[Path] | None, typer.Option("--data", help="May be repeated.", rich_help_panel=DATA)
    ] = None,
    valid: Annotated[
        list[Path] | None, typer.Option("--valid", help="May be repeated.", rich_help_panel=DATA)
    ] = None,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
    virial_key: VirialKey = None,
    weights_key: WeightsKey = None,
    units_key: UnitsKey = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Files of an earlier run are kept as model.previous.*.",
            parser=file_name,
            metavar="PATH",
            rich_help_panel=RUN,
        ),
    ] = None,
    preset: Annotated[str | None, typer.Option(rich_help_panel=_MODEL)] = None,
    cutoff: Annotated[float | None, typer.Option(rich_help_panel=_MODEL)] = None,
    open_elements: Annotated[bool, typer.Option("--open-elements", rich_help_panel=_MODEL)] = False,
    members: Annotated[int | None, typer.Option(min=1, rich_help_panel=_MODEL)] = None,
    hidden: Annotated[str | None, typer.Option(help="E.g. --hidden 64,64.", rich_help_panel=_MODEL)] = None,
    activation: Annotated[str | None, typer.Option(rich_help_panel=_MODEL)] = None,
    baseline: Annotated[
        str | None,
        typer.Option(help="Radii: --set model.baseline.outer=1.0, docs/training.md.", rich_help_panel=_MODEL),
    ] = None,
    epochs: Epochs = None,
    time_limit: TimeLimit = None,
    batch_size: BatchSize = None,
    optimizer: Annotated[str | None, typer.Option(rich_help_panel=RUN)] = None,
    selection: Annotated[str | None, typer.Option(rich_help_panel=RUN)] = None,
    seed: Seed = None,
    threads: Threads = None,
    memory_budget: Annotated[
        str | None,
        typer.Option(
            "--memory-budget",
            "--memory",
            help="Data that need more stay on disk.",
            rich_help_panel=RUN,
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from <output>.checkpoint.", rich_help_panel=RUN)
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an earlier run, keep nothing of it.", rich_help_panel=RUN)
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any key of config.yaml, e.g. --set loss.energy=20; comes after all else. May be repeated, "
            "each key once.",
            rich_help_panel=RUN,
        ),
    ] = None,
) -> None:
    """Train an ensemble potential on energies, forces and stresses.

    The data are checked and reported first, then time and memory are forecast, then all members train
    together. Ctrl-C or a crash loses at most a minute: [bold]--resume[/bold] goes on and arrives at the same
    weights.

    [bold]Files[/bold] (beside model.pt): model.checkpoint, to resume or to [bold]lmlp export[/bold];
    model.log.jsonl, one line per epoch with errors in eV/atom and eV/Å. Those of an earlier run become
    model.previous.pt and so on, unless --force is given.

    [bold]Examples[/bold]

      lmlp train --data train.xyz -o model.pt

      lmlp train --data train.xyz --valid test.xyz --members 4 --time-limit 6m -o model.pt

      lmlp train --data train.xyz --time-limit 6m -o model.pt --resume

      lmlp train config.yaml --set optimizer.max_step=0.005

      torchrun --nproc-per-node 4 -m lmlp train config.yaml

    [bold]config.yaml[/bold] has the same keys as --set, sections nested (docs/settings.md). Unknown keys are
    refused.
    """
    import os
    import time

    from lmlp.cli.shared.threads import shorten_waiting

    started = time.monotonic()
    shorten_waiting()
    from lmlp.training.config import load_config, make_config

    given = given_settings(ctx.params, _OPTIONS, hidden=_sizes, baseline=_baseline)
    given = overrides(given, set_ or [])
    settings = load_config(config, given) if config is not None else make_config(given)
    if settings.threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(settings.threads)  # before any OpenMP runtime starts

    from lmlp.cli.train_files import claimed
    from lmlp.training.workers import connected

    with connected() as workers, claimed(settings, workers, config):
        _train(settings, workers, resume=resume, force=force, started=started)


def _train(settings: TrainConfig, workers: Workers, *, resume: bool, force: bool, started: float) -> None:
    """Train and write the model; only the first of several processes speaks and writes."""
    from lmlp.cli.shared.train_view import TrainView
    from lmlp.cli.train_files import farewell, state_before, tell_earlier, write_model
    from lmlp.errors import ConfigError, DivergedError, TrainingError
    from lmlp.training.context import Context
    from lmlp.training.divergence import keep_diverged
    from lmlp.training.fresh import train_in
    from lmlp.training.state.outputs import previous_path

    saved = (settings.checkpoint, previous_path(settings.checkpoint))
    if not resume and workers.is_first:
        tell_earlier(settings, force=force)
    if resume and workers.is_first and not any(path.exists() for path in saved):
        raise ConfigError(f"--resume: there is no {settings.checkpoint}")
    with TrainView() as view:
        context = Context(settings, view, resume=resume, started=started, workers=workers, force=force)
        try:
            model = train_in(settings, context)
        except KeyboardInterrupt:
            view.stop()
            if workers.is_first:
                view.say(farewell(context.backup, started=view.started))
            raise typer.Exit(130) from None
        except DivergedError as error:
            view.stop()
            if not workers.is_first:
                raise typer.Exit(1) from None
            raise keep_diverged(error, settings.output) from None
        except TrainingError as error:
            view.stop()
            raise TrainingError(f"{error}; {state_before(context.backup)}") from None
        view.stop()
        if not workers.is_first:
            return
        write_model(context, model)  # words come later
        view.summary(model)
        view.say(f"{settings.checkpoint}: to resume or export;  {settings.log}: learning curve")


def _sizes(text: str) -> list[int]:
    from lmlp.errors import ConfigError

    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(f"--hidden {text!r}: give sizes separated by commas, e.g. 64,64") from None


def _baseline(name: str | None) -> Any:
    """Return a section, so that --set can add radii to it."""
    return {"type": name} if name not in (None, "none") else name
