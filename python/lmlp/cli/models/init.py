"""``lmlp init``: a model with random weights."""

from __future__ import annotations

from typing import Annotated

import typer

from lmlp.cli.shared.options import Force, ModelOutput
from lmlp.model.activations import ACTIVATION_NAMES


def command(
    output: ModelOutput,
    elements: Annotated[
        str, typer.Option(help="Chemical symbols, separated by commas, in species order: H,O.")
    ],
    preset: Annotated[str, typer.Option(help="Set of symmetry functions.")] = "eeacsf-153",
    cutoff: Annotated[
        float | None, typer.Option(help="Cutoff radius in Å; the preset's own by default.")
    ] = None,
    members: Annotated[int, typer.Option(min=1, max=1000, help="Number of ensemble members.")] = 10,
    hidden: Annotated[str, typer.Option(help="Sizes of the hidden layers.")] = "102,61,44",
    activation: Annotated[str, typer.Option(help=f"One of {', '.join(ACTIVATION_NAMES)}.")] = "stanh",
    baseline: Annotated[
        str, typer.Option(help="Repulsion of atoms that come too close: zbl or none (docs/training.md).")
    ] = "none",
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal models.")] = 1,
    verify: Annotated[bool, typer.Option(help="Check reference = TorchScript = core before writing.")] = True,
    force: Force = False,
) -> None:
    """Make a model with random weights, for benchmarks and tests.

    Inputs of the networks are of order 1 and forces of order 0.3 eV/Å at the density of condensed matter:
    enough to measure speed and memory and to try a simulation setup. It describes no real material.
    """
    from lmlp.cli.shared.written import report_written
    from lmlp.descriptor.presets import make_preset
    from lmlp.errors import InvalidArgumentError
    from lmlp.export.random_model import RandomModelOptions, random_model
    from lmlp.export.writing import write_model_file
    from lmlp.files.kinds import MODEL
    from lmlp.files.rule import Output, check_outputs

    check_outputs([Output(output, MODEL)], force=force)
    symbols = [symbol.strip() for symbol in elements.split(",")]
    try:
        sizes = tuple(int(size) for size in hidden.split(","))
    except ValueError:
        raise InvalidArgumentError(
            f"--hidden {hidden!r}: give sizes separated by commas, e.g. 102,61,44"
        ) from None
    if not all(1 <= size <= 10_000 for size in sizes):
        raise InvalidArgumentError(f"--hidden {hidden!r}: give sizes of at least 1 and at most 10000")
    if baseline not in ("zbl", "none"):
        raise InvalidArgumentError(f"--baseline {baseline!r}: zbl or none")
    descriptor = make_preset(preset, symbols, cutoff)
    options = RandomModelOptions(
        n_members=members,
        hidden_layers=sizes,
        activation=activation,
        seed=seed,
        baseline=baseline == "zbl",
    )
    model = random_model(descriptor, symbols, options)
    report_written(output, model, write_model_file(model, output, verify=verify))
