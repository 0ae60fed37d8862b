"""Predictions of many structures: small ones together in one call, which all threads share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lmlp.calculators.backends import Backend
from lmlp.calculators.closeness import DistanceGuard
from lmlp.calculators.facts import SpeciesTable
from lmlp.calculators.prediction import Prediction, predict_many, refuse_coincident
from lmlp.environments import AtomsLike, Environments
from lmlp.errors import LMLPError
from lmlp.neighbors import find_neighbors

# Numbers in the largest array of one batch (members × pairs × 3): 64 MiB.
BATCH_SIZE = 1 << 23


def predict_structures(
    backend: Backend,
    structures: Sequence[AtomsLike],
    names: Sequence[str],
    *,
    uncertainty: bool,
    distances: bool = False,
    threads: int = 0,
    guard: DistanceGuard | None = None,
) -> Iterator[list[Prediction]]:
    """Predict structures in their order, batch by batch.

    Args:
        backend: the loaded model.
        structures: of its elements.
        names: of the structures, for messages.
        uncertainty: also evaluate the members, and the distances of a model that has them.
        distances: also evaluate how far the atoms are from the training data.
        threads: OpenMP threads; 0 means OpenMP's default.
        guard: looks at the distances of each structure; default: nobody does.

    Raises:
        UnknownElementError, GeometryError: naming the structure.
        UncertaintyError: asked for the uncertainty of a one-member model, for distances of a model without.
        NotFiniteError: a result that is not a finite number.
    """
    species_of = SpeciesTable(backend.facts)
    batch: list[tuple[Environments, np.ndarray]] = []
    size = 0
    for structure, name in zip(structures, names, strict=True):
        item = _prepare(structure, name, species_of, backend.facts.cutoff, threads)
        if guard is not None:
            guard.check(*item, name)
        cost = 3 * item[0].n_pairs * backend.facts.n_members
        if batch and size + cost > BATCH_SIZE:
            yield predict_many(backend, batch, uncertainty=uncertainty, distances=distances)
            batch.clear()
            size = 0
        batch.append(item)
        size += cost
    yield predict_many(backend, batch, uncertainty=uncertainty, distances=distances)


def _prepare(
    structure: AtomsLike, name: str, species_of: SpeciesTable, cutoff: float, threads: int
) -> tuple[Environments, np.ndarray]:
    try:
        species = species_of(structure.numbers)
        environments = find_neighbors(
            structure.positions, structure.cell, structure.pbc, cutoff, n_threads=threads
        )
        refuse_coincident(environments)
    except LMLPError as error:
        raise type(error)(f"{name}: {error}") from None
    return environments, species
