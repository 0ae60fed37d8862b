"""Predict reference structures and compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lmlp.calculators.backends import Backend, ModelFacts, open_backend
from lmlp.calculators.many import predict_structures
from lmlp.calculators.prediction import Prediction
from lmlp.errors import DataError
from lmlp.evaluation.words import in_a_line, in_words
from lmlp.structure import Structure
from lmlp.structure.free_atoms import is_free_atom


@dataclass(frozen=True)
class StructureResult:
    """One structure, its reference labels and what the model says.

    Attributes:
        structure: as read.
        group: the data set that it belongs to, e.g. its file.
        prediction: of the model, with uncertainties when it has several members.
    """

    structure: Structure
    group: str
    prediction: Prediction

    @property
    def config_type(self) -> str:
        """The frame's ``config_type``, "" where it has none."""
        return str(self.structure.info.get("config_type", ""))

    @property
    def energy_error(self) -> float | None:
        """Predicted − reference in eV/atom, None without reference energy."""
        if self.structure.energy is None:
            return None
        return (self.prediction.energy - self.structure.energy) / len(self.structure)

    @property
    def force_errors(self) -> np.ndarray | None:
        """Predicted − reference in eV/Å ``[n, 3]``, None without reference forces."""
        reference = self.structure.forces
        return None if reference is None else np.asarray(self.prediction.forces - reference)

    @property
    def stress(self) -> np.ndarray | None:
        """Predicted stress in eV/Å³ ``[3, 3]``, None without a volume."""
        volume = self.structure.volume
        return np.asarray(self.prediction.virial / volume) if volume > 0.0 else None

    @property
    def stress_errors(self) -> np.ndarray | None:
        """Predicted − reference in eV/Å³, the six distinct components, None without reference stress."""
        predicted = self.stress
        if self.structure.stress is None or predicted is None:
            return None
        return np.asarray(predicted - self.structure.stress)[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]


@dataclass(frozen=True, repr=False)
class Evaluation:
    """A model on reference structures; ``print`` shows the errors.

    Attributes:
        facts: of the model.
        results: one per structure, in the order given.
    """

    facts: ModelFacts
    results: Sequence[StructureResult]

    def divided(self) -> tuple[Evaluation, Sequence[StructureResult]]:
        """Set the free atoms among the structures apart; where there is nothing else, they are structures.

        Their errors are no errors of structures: one of some eV would hide those of thousands.
        """
        free = [is_free_atom(r.structure, self.facts.cutoff) for r in self.results]
        if all(free):
            return self, []
        bound = [r for r, is_free in zip(self.results, free, strict=True) if not is_free]
        return replace(self, results=bound), [
            r for r, is_free in zip(self.results, free, strict=True) if is_free
        ]

    def metrics(self) -> dict[str, Any]:
        """Return all figures as plain JSON data (keys: docs/evaluation.md)."""
        from lmlp.evaluation.tables import metrics

        return metrics(self)

    def __str__(self) -> str:
        return in_words(self.metrics())

    def __repr__(self) -> str:
        return in_a_line(self.metrics())


def evaluate(
    model: str | Path | Backend,
    data: Mapping[str, Sequence[Structure]] | Sequence[Structure],
    *,
    threads: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Evaluation:
    """Predict reference structures; with uncertainties when the model has several members.

    Args:
        model: model file or a loaded one.
        data: structures, or several named sets of them.
        threads: OpenMP threads; 0 means OpenMP's default.
        progress: called with the number of structures done so far.

    Raises:
        DataError: no structures.
        UnknownElementError, GeometryError: naming the structure.
    """
    backend = open_backend(model, threads=threads) if isinstance(model, (str, Path)) else model
    groups = data if isinstance(data, Mapping) else {"": data}
    labeled = [(name, structure) for name, structures in groups.items() for structure in structures]
    if not labeled:
        raise DataError("no structures to evaluate")
    predictions = predict_structures(
        backend,
        [structure for _, structure in labeled],
        [structure.source or "structure" for _, structure in labeled],
        uncertainty=backend.facts.n_members > 1,
        threads=threads,
    )
    results: list[StructureResult] = []
    for batch in predictions:
        waiting = labeled[len(results) : len(results) + len(batch)]
        results += [StructureResult(s, name, p) for (name, s), p in zip(waiting, batch, strict=True)]
        if progress is not None:
            progress(len(results))
    return Evaluation(backend.facts, results)
