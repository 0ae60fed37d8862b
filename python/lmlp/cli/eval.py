"""``lmlp eval``: errors and uncertainties of a model on reference data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lmlp.cli.shared.described import TRAINING, described_by
from lmlp.cli.shared.options import (
    KEYS,
    EnergyKey,
    Force,
    ForcesKey,
    StressKey,
    UnitsKey,
    VirialKey,
    WeightsKey,
    file_name,
)
from lmlp.errors import LMLPError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from lmlp.evaluation import Evaluation

Command = described_by(TRAINING, KEYS, defaults=False)


def command(
    model: Annotated[Path, typer.Argument(help="Model file.")],
    data: Annotated[
        list[str], typer.Argument(help="Reference structures: anything ASE reads, also .xz and .gz.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON, in eV and Å.")] = False,
    report: Annotated[
        Path | None,
        typer.Option(help="Write a report as one HTML file.", parser=file_name, metavar="PATH"),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            help="Write reference and predicted values as extended XYZ.", parser=file_name, metavar="PATH"
        ),
    ] = None,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
    virial_key: VirialKey = None,
    weights_key: WeightsKey = None,
    units_key: UnitsKey = None,
    threads: Annotated[
        int, typer.Option(min=0, max=1024, help="OpenMP threads; 0 takes OpenMP's default.")
    ] = 0,
    precision: Annotated[
        str, typer.Option(help="double, or mixed: networks in single precision, faster.")
    ] = "double",
    force: Force = False,
) -> None:
    """Compare a model with reference data.

    Prints root mean square and mean absolute errors of energies (per atom), force components and stresses, by
    element, file and configuration type, how well the uncertainties tell the errors, whether the errors
    contradict what the model states, and how far the atoms are from the training data. Structures without a
    label are counted and left out of that error; data without any are an error that tells what they have
    (with --predictions they are predicted all the same).

    Example: lmlp eval model.pt test.xyz --report report.html
    """
    from rich.console import Console

    from lmlp.calculators.backends import open_backend
    from lmlp.errors import DataError
    from lmlp.evaluation import evaluate
    from lmlp.evaluation.missing import missing_labels
    from lmlp.io import read_structures
    from lmlp.io.keys import DataKeys

    _check_targets(report, predictions, [model, *data], force=force)
    backend = open_backend(model, threads=threads, precision=precision)
    keys = DataKeys(energy_key, forces_key, stress_key, virial_key, weights_key, units_key)
    sets = {file: read_structures(file, keys) for file in data}
    missing = missing_labels([s for structures in sets.values() for s in structures])
    if missing is not None and missing.nothing and predictions is None:
        raise DataError(f"{', '.join(data)}: {missing.text}")
    console = Console(stderr=True, quiet=as_json)
    with console.status("") as status:
        total = sum(len(structures) for structures in sets.values())
        evaluation = evaluate(
            backend, sets, threads=threads, progress=lambda n: status.update(f"{n} of {total} structures")
        )
    metrics = evaluation.metrics()
    failures = _write(evaluation, report, predictions)
    if as_json:
        import json

        typer.echo(json.dumps(metrics, indent=1, allow_nan=False))
    else:
        print_metrics(metrics, Console())
        if missing is not None:
            typer.echo(missing.text)
        for name, path in (("report", report), ("predictions", predictions)):
            if path is not None and path not in failures:
                typer.echo(f"{name}: {path}")
    for error in failures.values():
        raise error


def _check_targets(
    report: Path | None, predictions: Path | None, inputs: list[str | Path], *, force: bool
) -> None:
    """Refuse what could not be written before hours of work."""
    from lmlp.files.kinds import PREDICTIONS, REPORT
    from lmlp.files.rule import Output, check_outputs
    from lmlp.plots import check_installed

    if report is not None:
        check_installed()
    targets = ((report, REPORT), (predictions, PREDICTIONS))
    check_outputs([Output(path, kind) for path, kind in targets if path is not None], inputs, force=force)


def _write(evaluation: Evaluation, report: Path | None, predictions: Path | None) -> dict[Path, LMLPError]:
    """Write the files; returns why some could not be, so that the errors are printed all the same."""
    from lmlp.evaluation import write_report
    from lmlp.evaluation.predictions import write_predictions

    failures = {}
    for path, write in ((predictions, write_predictions), (report, write_report)):
        if path is not None:
            try:
                write(evaluation, path)
            except LMLPError as error:
                failures[path] = error
    return failures


def print_metrics(metrics: Mapping[str, Any], console: Console) -> None:
    """Print the tables of an evaluation."""
    from rich.markup import escape
    from rich.table import Table

    from lmlp.cli.shared.sigma_view import print_sigma

    def milli(value: float | None) -> str:
        return "–" if value is None else f"{1e3 * value:.4g}"

    def make(title: str, *names: str) -> Table:
        table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
        table.add_column(names[0], justify="left", overflow="fold")
        for name in names[1:]:
            table.add_column(name, justify="right")
        return table

    errors = make(f"{metrics['n_structures']} structures", "", "RMSE", "MAE", "unit", "values")
    for name, key, unit, count in (
        ("energy", "energy", "meV/atom", "n_energies"),
        ("forces", "force", "meV/Å", "n_force_components"),
        ("stress", "stress", "meV/Å³", "n_stress_components"),
    ):
        if count in metrics:
            rmse, mae = milli(metrics[f"{key}_rmse"]), milli(metrics[f"{key}_mae"])
            errors.add_row(name, rmse, mae, unit, str(metrics[count]))
    console.print(errors)
    for key, name in (("n_without_energy", "energy"), ("n_without_forces", "forces")):
        if metrics[key]:
            console.print(
                f"{metrics[key]} structures without reference {name} are left out there", style="yellow"
            )
    if metrics["free_atoms"]:
        from lmlp.evaluation.tables import free_atoms_in_words

        listed = free_atoms_in_words(metrics["free_atoms"])
        console.print(f"isolated atoms, not among the structures: {listed}", highlight=False, soft_wrap=True)
    if metrics["elements"]:
        table = make("Forces by element (meV/Å)", "element", "RMSE", "MAE", "components")
        for element, entry in metrics["elements"].items():
            table.add_row(element, milli(entry["force_rmse"]), milli(entry["force_mae"]), str(entry["n"]))
        console.print("", table)
    for key, title in (("files", "By file"), ("config_types", "By configuration type")):
        if len(metrics[key]) > 1:
            table = make(f"{title} (RMSE)", "", "structures", "meV/atom", "meV/Å")
            for name, entry in metrics[key].items():
                row = milli(entry["energy_rmse"]), milli(entry["force_rmse"])
                table.add_row(escape(name), str(entry["n_structures"]), *row)
            console.print("", table)
    print_sigma(metrics, console)
