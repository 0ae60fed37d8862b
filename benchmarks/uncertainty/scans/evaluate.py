"""Errors, grades and distances along a path, and whether a watch would have seen the errors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from lmlp import LMLPCalculator
from lmlp.export.model_file import read_model_file
from paths import Path as ScanPath
from systems import labeled


@dataclass(frozen=True)
class Scan:
    """One path as a model and the reference see it, one entry per structure with a label.

    Attributes:
        name: of the path.
        title: of the plot.
        coordinate: name and unit.
        values: of the coordinate.
        force_errors: largest length of an atom's error of the force over √3 RMSE_F; NaN without labels.
        energy_errors: error of the energy over N RMSE_E.
        grades: of the structures.
        distances: of the farthest atoms.
        failed: structures for which the reference method did not converge.
    """

    name: str
    title: str
    coordinate: str
    values: np.ndarray
    force_errors: np.ndarray
    energy_errors: np.ndarray
    grades: np.ndarray
    distances: np.ndarray
    failed: int

    @property
    def combined(self) -> np.ndarray:
        """Combined grades: the larger of grade and distance."""
        return np.maximum(self.grades, self.distances)


def reference(path: ScanPath, folder: Path) -> list[tuple[float, Atoms]]:
    """Labeled structures of a path with their coordinates; those of public data have their labels already."""
    file = folder / f"{path.name}.xyz"
    if not file.exists():
        found = []
        for value, atoms in zip(path.values, path.structures, strict=True):
            for one in [atoms] if atoms.calc is not None else labeled([atoms]):
                one.info["coordinate"] = float(value)
                found.append(one)
        unfinished = file.with_suffix(".tmp")
        ase.io.write(unfinished, found, format="extxyz")
        unfinished.replace(file)
    return [(a.info["coordinate"], a) for a in ase.io.read(file, ":", format="extxyz")]


def evaluate(path: ScanPath, model: Path, folder: Path) -> Scan:
    """Predict all structures of a path and compare with their labels.

    Args:
        path: what to walk.
        model: a trained ensemble of format version 4.
        folder: of the labels, which are computed where they are not there.
    """
    facts = read_model_file(model)
    calculator = LMLPCalculator(model, uncertainty=True, distances=True, threads=1, rmin=None)
    rows = []
    structures = reference(path, folder)
    for value, atoms in structures:
        labels = atoms.calc.results
        calculator.calculate(atoms, ["energy", "forces"])
        found = calculator.results
        force_error = np.nan
        if "forces" in labels:
            lengths = np.linalg.norm(found["forces"] - labels["forces"], axis=1)
            force_error = lengths.max() / (np.sqrt(3.0) * facts.force_rmse)
        energy_error = abs(found["energy"] - labels["energy"]) / (len(atoms) * facts.energy_rmse)
        rows.append((value, force_error, energy_error, found["grade"], found["distance"]))
    columns = np.array(rows).T
    failed = len(path.structures) - len(structures)
    return Scan(path.name, path.title, path.coordinate, *columns, failed=failed)
