"""``lmlp import-original``: models of the original prediction program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lmlp.cli.shared.options import Force, ModelOutput


def command(
    settings: Annotated[Path, typer.Argument(help="Settings file (.ini) of the model.", show_default=False)],
    output: ModelOutput,
    force: Force = False,
) -> None:
    """Convert a model of the original lMLP prediction program.

    Reads the settings file and the member checkpoints that it names (looked for beside it), checks them,
    and writes one model file with the same energies, forces and uncertainties. Checkpoints are read as plain
    data: nothing in them is executed.

    Models with a molecular mechanics environment (qmmm = True) are not supported.
    """
    from lmlp.cli.shared.written import report_written
    from lmlp.export.original import import_original
    from lmlp.export.writing import write_model_file
    from lmlp.files.kinds import MODEL
    from lmlp.files.rule import Output, check_outputs

    check_outputs([Output(output, MODEL)], [settings], force=force)
    model = import_original(settings)
    report_written(output, model, write_model_file(model, output))
