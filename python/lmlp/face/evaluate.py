"""``lmlp.evaluate``: errors and uncertainties of a model on reference data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lmlp.calculators.backends import open_backend
from lmlp.errors import DataError
from lmlp.evaluation import Evaluation
from lmlp.evaluation import evaluate as run
from lmlp.evaluation.missing import missing_labels
from lmlp.export.model_file import read_content
from lmlp.face.inputs import Data, read_sets
from lmlp.face.model import Model
from lmlp.face.settings import KeysSettings, nested
from lmlp.io import DataKeys
from lmlp.io.notes import warn

if TYPE_CHECKING:
    from typing_extensions import Unpack


def evaluate(
    model: Model | str | Path,
    data: Data,
    *,
    threads: int = 0,
    precision: str = "double",
    progress: Callable[[int], None] | None = None,
    **keys: Unpack[KeysSettings],
) -> Evaluation:
    """Compare a model with reference data; the figures are those of ``lmlp eval``.

    >>> report = lmlp.evaluate(model, "test.xyz")
    >>> report.metrics()["n_structures"]
    3

    Args:
        model: a model or a model file.
        data: reference structures: a file, several, or ``ase.Atoms`` with labels, in eV, eV/Å, eV/Å³.
        threads: OpenMP threads; 0 means OpenMP's default.
        precision: of the networks, ``double`` or ``mixed`` (single, faster).
        progress: called with the number of structures done so far.
        keys: names of the labels: ``energy_key``, ``forces_key``, ``stress_key``, ``virial_key``,
            ``weights_key``, ``units_key``.

    Returns:
        an evaluation: ``print`` shows the errors, ``metrics()`` returns all figures in eV and Å
        (docs/evaluation.md), ``results`` has the single structures. Structures without a label are left
        out of that error; where no structure has energies, or none has forces, a DataWarning tells it.

    Raises:
        DataError: no structures, or no labels at all; what they have is named.
        ConfigError: an unknown key. ModelFileError: ``model`` is none.
        UnknownElementError, GeometryError: structures that the model cannot predict; they are named.
    """
    names = nested(keys, ["keys"], "lmlp.evaluate").get("keys", {})
    path = model.file() if isinstance(model, Model) else model
    read_content(path)  # the core names no reason
    backend = open_backend(path, threads=threads, precision=precision)
    sets = read_sets(data, DataKeys(**names))
    missing = missing_labels([s for structures in sets.values() for s in structures])
    if missing is not None:
        if missing.nothing:
            raise DataError(f"{', '.join(sets)}: {missing.text}")
        warn(missing.text)
    return run(backend, sets, threads=threads, progress=progress)
