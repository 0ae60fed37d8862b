"""Predict reference structures and compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lmlp.calculators.backends import Backend, open_backend
from lmlp.calculators.facts import ModelFacts
from lmlp.calculators.many import predict_structures
from lmlp.errors import DataError
from lmlp.evaluation.result import StructureResult
from lmlp.evaluation.tables import all_figures
from lmlp.evaluation.words import in_a_line, in_words
from lmlp.structure import Structure
from lmlp.structure.free_atoms import is_free_atom


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
        evaluation, free = self.divided()
        return all_figures(self.facts, evaluation.results, free)

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
    """Predict reference structures; with uncertainties and distances where the model has them.

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
        distances=backend.facts.has_distance,
        threads=threads,
    )
    results: list[StructureResult] = []
    for batch in predictions:
        waiting = labeled[len(results) : len(results) + len(batch)]
        results += [StructureResult(s, name, p) for (name, s), p in zip(waiting, batch, strict=True)]
        if progress is not None:
            progress(len(results))
    return Evaluation(backend.facts, results)
