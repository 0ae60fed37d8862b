"""``lmlp train``: from reference data to a model file."""

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
    file_name,
    overrides,
)

if TYPE_CHECKING:
    from lmlp.training.config import TrainConfig
    from lmlp.training.workers import Workers

_MODEL = "Model"


def command(
    config: Annotated[
        Path | None,
        typer.Argument(help="config.yaml; options given beside it take precedence.", show_default=False),
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            help="Training structures: extended XYZ or anything ASE reads, also .xz or .gz. May be repeated.",
            rich_help_panel=DATA,
        ),
    ] = None,
    valid: Annotated[
        list[Path] | None,
        typer.Option(
            "--valid",
            help="Held-out structures: no member trains on them; test errors and calibration come from them. "
            "Without it a share of the data (holdout_fraction, 5 %) is held out.",
            rich_help_panel=DATA,
        ),
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
            help="Model file to write, e.g. model.pt. Files of an earlier run are kept as model.previous.*.",
            parser=file_name,
            metavar="PATH",
            rich_help_panel=RUN,
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Symmetry functions: eeacsf-resolved (default), eeacsf-correlation, eeacsf-153 or -bump.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    cutoff: Annotated[
        float | None,
        typer.Option(help="Cutoff radius in Å; the preset's own by default.", rich_help_panel=_MODEL),
    ] = None,
    open_elements: Annotated[
        bool,
        typer.Option(
            "--open-elements",
            help="Symmetry functions and element table that carry any element to come (lmlp learn), also "
            "functions that the present ones have no use for.",
            rich_help_panel=_MODEL,
        ),
    ] = False,
    members: Annotated[
        int | None,
        typer.Option(
            min=1, help="Ensemble members (10); one member gives no uncertainties.", rich_help_panel=_MODEL
        ),
    ] = None,
    hidden: Annotated[
        str | None, typer.Option(help="Sizes of the hidden layers, e.g. 64,64.", rich_help_panel=_MODEL)
    ] = None,
    activation: Annotated[
        str | None,
        typer.Option(
            help="bounded-ssilu (default), ssilu, stanh, tanh or tanhshrink.", rich_help_panel=_MODEL
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            help="Repulsion of atoms that come too close, added to the networks: zbl or none (default). "
            "Radii: --set model.baseline.outer=1.0, docs/training.md.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes through the data (200).", rich_help_panel=RUN)
    ] = None,
    time_limit: TimeLimit = None,
    batch_size: BatchSize = None,
    optimizer: Annotated[str | None, typer.Option(help="core or adamw.", rich_help_panel=RUN)] = None,
    selection: Annotated[
        str | None,
        typer.Option(
            help="uniform (default): all data in every epoch; adaptive: a tenth of them, rather those "
            "that are not learned yet; or that share, e.g. 0.2.",
            rich_help_panel=RUN,
        ),
    ] = None,
    seed: Seed = None,
    threads: Threads = None,
    memory_budget: Annotated[
        str | None,
        typer.Option(
            "--memory-budget",
            "--memory",
            help="For data, neighbor lists and features, e.g. 4GB (2G); data that need more stay on disk.",
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
    together. Ctrl-C
    or a crash loses at most a minute: [bold]--resume[/bold] goes on and arrives at the same weights.

    [bold]Files[/bold] (beside model.pt): model.checkpoint, to resume or to [bold]lmlp export[/bold];
    model.log.jsonl, one line per epoch with errors in eV/atom and eV/Å. Those of an earlier run become
    model.previous.pt and so on, unless --force is given.

    [bold]Examples[/bold]

      lmlp train --data train.xyz -o model.pt

      lmlp train --data train.xyz --valid test.xyz --members 4 --time-limit 6m -o model.pt

      lmlp train --data train.xyz --time-limit 6m -o model.pt --resume

      lmlp train config.yaml --set optimizer.max_step=0.005

      torchrun --nproc-per-node 4 -m lmlp train config.yaml

    [bold]config.yaml[/bold] has the keys data, valid, output,
    keys.{energy,forces,stress,virial,weights,units}, elements,
    descriptor.{preset,cutoff,options,open_elements,spec},
    model.{members,hidden,activation,decorrelation,keep,floor,atomic_energies},
    model.baseline.{type,inner,outer,pairs},
    loss.{energy,final_energy,force,stress},
    optimizer.{name,lr,max_step,min_step,etas,betas,weight_decay,score_history,
    frozen,decay,final,warmup,gradient_clip}, epochs, time_limit, batch_size, selection, valid_every,
    valid_fraction,
    holdout_fraction, average, seed, dtype, threads, memory_budget, derivatives, stream, shuffle_block,
    checkpoint_interval. Unknown keys are
    refused.
    """
    import os
    import time

    from lmlp.cli.threads import shorten_waiting

    started = time.monotonic()
    shorten_waiting()
    from lmlp.config.validate import merge
    from lmlp.training.config import load_config, make_config

    given = overrides(
        {
            "data": [str(p) for p in data] if data else None,
            "valid": [str(p) for p in valid] if valid else None,
            "output": None if output is None else str(output),
            "keys.energy": energy_key,
            "keys.forces": forces_key,
            "keys.stress": stress_key,
            "keys.virial": virial_key,
            "keys.weights": weights_key,
            "keys.units": units_key,
            "descriptor.preset": preset,
            "descriptor.cutoff": cutoff,
            "descriptor.open_elements": open_elements or None,
            "model.members": members,
            "model.hidden": None if hidden is None else _sizes(hidden),
            "model.activation": activation,
            "model.baseline": _baseline(baseline),
            "optimizer.name": optimizer,
            "epochs": epochs,
            "time_limit": time_limit,
            "batch_size": batch_size,
            "selection": selection,
            "seed": seed,
            "threads": threads,
            "memory_budget": memory_budget,
        },
        set_ or [],
    )
    settings = load_config(config, given) if config is not None else make_config(merge({}, given))
    if settings.threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(settings.threads)  # before any OpenMP runtime starts

    from lmlp.cli.train_files import claimed
    from lmlp.training.workers import connected

    with connected() as workers, claimed(settings, workers, config):
        _train(settings, workers, resume=resume, force=force, started=started)


def _train(settings: TrainConfig, workers: Workers, *, resume: bool, force: bool, started: float) -> None:
    """Train and write the model; only the first of several processes speaks and writes."""
    from lmlp.cli.train_files import farewell, state_before, tell_earlier, write_model
    from lmlp.cli.train_view import TrainView
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
