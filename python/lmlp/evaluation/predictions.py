"""Write predictions beside the reference labels, as extended XYZ."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lmlp.elements import symbol
from lmlp.evaluation.compare import Evaluation
from lmlp.evaluation.result import StructureResult
from lmlp.files.kinds import PREDICTIONS
from lmlp.files.writing import replacing


def write_predictions(evaluation: Evaluation, path: str | Path) -> None:
    """Write all structures with reference and predicted values, in eV and eV/Å.

    Reference labels keep the names ``energy`` and ``forces``; predictions are ``lmlp_energy``,
    ``lmlp_forces``, ``lmlp_stress`` (eV/Å³, nine numbers) and, from ensembles, ``lmlp_energy_uncertainty``,
    ``lmlp_forces_uncertainty``, ``lmlp_sigma_forces`` (of each atom), ``lmlp_grade`` and
    ``lmlp_stress_uncertainty`` (of each component), so that a prediction is never mistaken for a label. From
    models that know them also ``lmlp_distances`` (of each atom) and ``lmlp_distance``
    (the largest).
    The file appears under its name only when it is complete.

    Raises:
        InvalidArgumentError: there is a file of another kind.
        OutputError: the file cannot be written.
    """
    with replacing(path, PREDICTIONS) as unfinished, unfinished.open("w", encoding="utf-8") as file:
        for result in evaluation.results:
            file.writelines(_lines(result))


def _lines(result: StructureResult) -> Iterator[str]:
    structure, prediction = result.structure, result.prediction
    columns: list[tuple[str, np.ndarray]] = [("pos", structure.positions)]
    if structure.forces is not None:
        columns.append(("forces", structure.forces))
    columns.append(("lmlp_forces", prediction.forces))
    head = [f'Lattice="{_join(structure.cell)}"'] if structure.cell.any() else []
    labels: list[str] = []
    if structure.energy is not None:
        labels.append(f"energy={float(structure.energy)!r}")
    labels.append(f"lmlp_energy={prediction.energy!r}")
    if structure.stress is not None:
        labels.append(f'stress="{_join(structure.stress)}"')
    if result.stress is not None:
        labels.append(f'lmlp_stress="{_join(result.stress)}"')
    if prediction.uncertainty is not None:
        columns.append(("lmlp_forces_uncertainty", prediction.uncertainty.forces))
        columns.append(("lmlp_sigma_forces", prediction.uncertainty.sigma_forces[:, None]))
        labels.append(f"lmlp_energy_uncertainty={float(prediction.uncertainty.energy)!r}")
        if prediction.uncertainty.grade is not None:
            labels.append(f"lmlp_grade={float(prediction.uncertainty.grade)!r}")
        if prediction.uncertainty.virial is not None and structure.volume > 0.0:
            sigma = float(prediction.uncertainty.virial / structure.volume)
            labels.append(f"lmlp_stress_uncertainty={sigma!r}")
    if prediction.distances is not None:
        columns.append(("lmlp_distances", prediction.distances[:, None]))
        labels.append(f"lmlp_distance={float(prediction.distances.max(initial=0.0))!r}")
    if result.config_type:
        labels.append(f'config_type="{_clean(result.config_type)}"')
    head.append("Properties=species:S:1" + "".join(f":{name}:R:{a.shape[1]}" for name, a in columns))
    labels.append(f'source="{_clean(structure.source)}"')
    pbc = " ".join("T" if periodic else "F" for periodic in structure.pbc)
    yield f"{len(structure)}\n"
    yield " ".join([*head, *labels, f'pbc="{pbc}"']) + "\n"
    for atom, number in enumerate(structure.numbers):
        values = " ".join(_join(array[atom]) for _, array in columns)
        yield f"{symbol(int(number)):<2} {values}\n"


def _join(values: np.ndarray) -> str:
    return " ".join(repr(float(value)) for value in np.ravel(values))


def _clean(text: str) -> str:
    return text.replace("\\", "/").replace('"', "'").replace("\n", " ")
