"""``lmlp export``: a model file from a training checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lmlp.cli.shared.options import Force, ModelOutput


def command(
    checkpoint: Annotated[
        Path, typer.Argument(help="Checkpoint written by `lmlp train`.", show_default=False)
    ],
    output: ModelOutput,
    force: Force = False,
) -> None:
    """Write a model file from a training checkpoint.

    The best weights so far become one model file for LAMMPS, ASE and torch. Before it is put in place, the
    reference, the TorchScript module in it and the compiled core are evaluated on a random structure of all
    elements and must agree.
    """
    from lmlp.cli.shared.written import report_written
    from lmlp.export.writing import write_model_file
    from lmlp.files.kinds import MODEL
    from lmlp.files.rule import Output, check_outputs
    from lmlp.training.state.checkpoint import load_model_data

    check_outputs([Output(output, MODEL)], [checkpoint], force=force)
    model = load_model_data(checkpoint)
    report_written(output, model, write_model_file(model, output))
