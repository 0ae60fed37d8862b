"""Predict reference structures and compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lmlp.calculators.backends import Backend, ModelFacts, SpeciesTable, open_backend
from lmlp.calculators.prediction import predict_many, refuse_coincident
from lmlp.environments import Environments
from lmlp.errors import DataError, LMLPError
from lmlp.evaluation.result import StructureResult
from lmlp.evaluation.tables import all_figures
from lmlp.neighbors import find_neighbors
from lmlp.structure import Structure
from lmlp.structure.free_atoms import is_free_atom

# Numbers in the largest array of one batch (members × pairs × 3): 64 MiB.
BATCH_SIZE = 1 << 23


@dataclass(frozen=True)
class Evaluation:
    """A model on reference structures.

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
    species_of = SpeciesTable(backend.facts)
    uncertainty = backend.facts.n_members > 1
    results: list[StructureResult] = []
    batch: list[tuple[Environments, np.ndarray]] = []

    def finish() -> None:
        waiting = labeled[len(results) : len(results) + len(batch)]
        predictions = predict_many(backend, batch, uncertainty=uncertainty)
        for (name, structure), prediction in zip(waiting, predictions, strict=True):
            results.append(StructureResult(structure, name, prediction))
        batch.clear()
        if progress is not None:
            progress(len(results))

    size = 0
    for _, structure in labeled:
        item = _prepare(structure, species_of, backend.facts.cutoff, threads)
        cost = 3 * item[0].n_pairs * backend.facts.n_members
        if batch and size + cost > BATCH_SIZE:
            finish()
            size = 0
        batch.append(item)
        size += cost
    finish()
    return Evaluation(backend.facts, results)


def _prepare(
    structure: Structure, species_of: SpeciesTable, cutoff: float, threads: int
) -> tuple[Environments, np.ndarray]:
    try:
        species = species_of(structure.numbers)
        environments = find_neighbors(
            structure.positions, structure.cell, structure.pbc, cutoff, n_threads=threads
        )
        refuse_coincident(environments)
    except LMLPError as error:
        raise type(error)(f"{structure.source or 'structure'}: {error}") from None
    return environments, species
