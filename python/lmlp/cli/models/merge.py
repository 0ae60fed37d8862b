"""``lmlp merge``: one ensemble from models trained separately."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lmlp.cli.shared.described import TRAINING, described_by
from lmlp.cli.shared.options import KEYS, EnergyKey, Force, ForcesKey, ModelOutput, UnitsKey, WeightsKey

Command = described_by(TRAINING, KEYS, defaults=False)


def command(
    models: Annotated[list[Path], typer.Argument(help="Model files, two or more.")],
    output: ModelOutput,
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="Structures that no member trained on: test errors and calibration of the merged model come "
            "from them. May be repeated."
        ),
    ] = None,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    weights_key: WeightsKey = None,
    units_key: UnitsKey = None,
    threads: Annotated[
        int, typer.Option(min=0, max=1024, help="OpenMP threads; 0 takes OpenMP's default.")
    ] = 0,
    force: Force = False,
) -> None:
    """Merge the members of several models into one ensemble, e.g. of models trained on separate machines.

    Elements, descriptor, layers, activation and atomic energies must be the same: train on the same data with
    the same settings and another [bold]--seed[/bold] each. The test errors and the calibration of the parts
    do not hold for the whole: they are dropped, unless [bold]--data[/bold] gives structures to measure them
    on.
    Without test errors the model gives uncertainties (twice the deviation of the members), but no grade. It
    knows distances from the training data if all parts were trained on the same data.

    [bold]Examples[/bold]

      lmlp merge a.pt b.pt -o model.pt --data test.xyz

      lmlp merge node*/model.pt -o model.pt
    """
    from lmlp.cli.shared.measured import measured_on, report_measured
    from lmlp.cli.shared.written import report_written
    from lmlp.export.merge import merge_models
    from lmlp.export.model_file import read_model_file
    from lmlp.export.writing import write_model_file
    from lmlp.files.kinds import MODEL
    from lmlp.files.rule import Output, check_outputs
    from lmlp.io import DataKeys

    check_outputs([Output(output, MODEL)], [*models, *(data or [])], force=force)
    merged = merge_models([read_model_file(path) for path in models], [str(path) for path in models])
    if data:
        keys = DataKeys(energy_key, forces_key, stress="none", weights=weights_key, units=units_key)
        merged = measured_on(merged, data, keys, threads)
    report_written(output, merged, write_model_file(merged, output))
    if data:
        report_measured(merged, data)
    else:
        typer.echo("no test errors, not calibrated: `lmlp merge … --data held_out.xyz` measures them")
