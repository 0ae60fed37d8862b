"""Test errors and calibration of a model from structures that none of its members trained on."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from lmlp.io import DataKeys
    from lmlp.model.data import ModelData


def measured_on(model: ModelData, data: list[str], keys: DataKeys, threads: int) -> ModelData:
    """Evaluate a model, from a temporary file, and return it with the errors that were found.

    Args:
        model: any.
        data: files of structures.
        keys: names of their labels.
        threads: OpenMP threads, 0: OpenMP's default.

    Raises:
        DataError: no energies and no forces.
    """
    from lmlp.evaluation import evaluate
    from lmlp.evaluation.recalibrate import recalibrated
    from lmlp.export.writing import write_model_file
    from lmlp.io import read_structures

    structures = read_structures(data, keys)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.pt"
        write_model_file(model, path, verify=False)
        measured = recalibrated(model, evaluate(path, structures, threads=threads))
    tested = {"files": data, "n_structures": len(structures)}
    return dataclasses.replace(measured, provenance={**model.provenance, "tested_on": tested})


def report_measured(model: ModelData, data: list[str]) -> None:
    """Print the test errors."""
    parts = [
        f"{1e3 * value:.4g} {unit}"
        for value, unit in ((model.energy_rmse, "meV/atom"), (model.force_rmse, "meV/Å"))
        if value is not None
    ]
    typer.echo(f"test RMSE {', '.join(parts)}; calibrated on {', '.join(data)}")
