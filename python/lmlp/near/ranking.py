"""Rank architectures, activations or initializations by the scores of untrained networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lmlp.errors import DataError, InvalidArgumentError
from lmlp.near.architecture import Activation, Architecture, Initialization
from lmlp.near.data import NearData
from lmlp.near.score import SCORES, Score, ScoreOptions


@dataclass(frozen=True)
class RankedArchitecture:
    """An architecture with its scores.

    Attributes:
        architecture: what was scored.
        n_parameters: of one network.
        scores: by the names of ``SCORES``; None where a score is not defined, with the reason in ``notes``.
        notes: reason why a score is missing, by name.
    """

    architecture: Architecture
    n_parameters: int
    scores: dict[str, Score | None]
    notes: dict[str, str]


def rank_architectures(
    architectures: Sequence[Architecture],
    data: NearData,
    options: ScoreOptions | None = None,
    *,
    scores: Sequence[str] = ("near", "epsilon", "cv"),
) -> list[RankedArchitecture]:
    """Score architectures and sort them, best first, by the first of ``scores``.

    Raises:
        InvalidArgumentError: an unknown score, or the first score is not defined for an architecture.
        DataError: the first score cannot be computed from the data.
    """
    if not scores or any(name not in SCORES for name in scores):
        raise InvalidArgumentError(f"scores {list(scores)}: choose from {', '.join(SCORES)}")
    options = options or ScoreOptions()
    ranked = []
    for architecture in architectures:
        found: dict[str, Score | None] = {}
        notes: dict[str, str] = {}
        for name in scores:
            try:
                found[name] = SCORES[name].compute(architecture, data, options)
            except (InvalidArgumentError, DataError) as error:
                if name == scores[0]:
                    raise
                found[name], notes[name] = None, str(error)
        n_parameters = architecture.n_parameters(data.n_inputs)
        ranked.append(RankedArchitecture(architecture, n_parameters, found, notes))
    sign = -1.0 if SCORES[scores[0]].higher_is_better else 1.0

    def key(entry: RankedArchitecture) -> float:
        score = entry.scores[scores[0]]
        assert score is not None
        return sign * score.value

    return sorted(ranked, key=key)


def rank_activations(
    hidden: Sequence[int],
    activations: Sequence[str | Activation],
    data: NearData,
    options: ScoreOptions | None = None,
) -> list[RankedArchitecture]:
    """Rank activations for given layer sizes by NEAR."""
    return rank_architectures([Architecture(tuple(hidden), a) for a in activations], data, options)


def rank_initializations(
    hidden: Sequence[int],
    initializations: Sequence[str | Initialization],
    data: NearData,
    options: ScoreOptions | None = None,
    *,
    activation: str | Activation = "bounded-ssilu",
) -> list[RankedArchitecture]:
    """Rank initializations for given layer sizes and activation by NEAR; ε does not depend on them."""
    candidates = [Architecture(tuple(hidden), activation, i) for i in initializations]
    return rank_architectures(candidates, data, options, scores=("near", "cv"))
