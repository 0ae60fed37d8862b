"""``lmlp calibrate``: test errors and σ of a model measured anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lmlp.cli.shared.described import TRAINING, described_by
from lmlp.cli.shared.options import (
    KEYS,
    EnergyKey,
    Force,
    ForcesKey,
    ModelOutput,
    StressKey,
    UnitsKey,
    VirialKey,
    WeightsKey,
)

Command = described_by(TRAINING, KEYS, defaults=False)


def command(
    model: Annotated[Path, typer.Argument(help="Model file.")],
    data: Annotated[
        list[str],
        typer.Argument(help="Labeled structures that no member trained on, like those that matter to you."),
    ],
    output: ModelOutput,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
    virial_key: VirialKey = None,
    weights_key: WeightsKey = None,
    units_key: UnitsKey = None,
    threads: Annotated[
        int, typer.Option(min=0, max=1024, help="OpenMP threads; 0 takes OpenMP's default.")
    ] = 0,
    force: Force = False,
) -> None:
    """Measure the test errors of a model anew, and what σ has to be on data like yours.

    Energies and forces stay what they are, bit by bit. σ, the grade and what counts as grade 1 follow the
    structures given here. Structures that a member trained on make σ too small. Models of older format
    versions get spread maps, which is version 4.

    [bold]Example[/bold]

      lmlp calibrate model.pt hot.xyz -o hot-model.pt
    """
    from lmlp.cli.shared.measured import measured_on, report_measured
    from lmlp.cli.shared.written import report_written
    from lmlp.export.model_file import read_model_file
    from lmlp.export.writing import write_model_file
    from lmlp.files.kinds import MODEL
    from lmlp.files.rule import Output, check_outputs
    from lmlp.io import DataKeys

    check_outputs([Output(output, MODEL)], [model, *data], force=force)
    keys = DataKeys(energy_key, forces_key, stress_key, virial_key, weights_key, units_key)
    measured = measured_on(read_model_file(model), data, keys, threads)
    report_written(output, measured, write_model_file(measured, output))
    report_measured(measured, data)
