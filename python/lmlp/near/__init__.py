"""Scores of untrained networks: effective rank, NEAR, layer sizes, rankings (arXiv 2408.08776)."""

from lmlp.near.architecture import FURTHER_ACTIVATIONS, INITIALIZATIONS, Architecture
from lmlp.near.data import NearData, make_data
from lmlp.near.layer_size import (
    PowerLaw,
    SizeEstimate,
    SizeOptions,
    estimate_sizes,
    fit_power_law,
)
from lmlp.near.rank import effective_rank
from lmlp.near.ranking import (
    RankedArchitecture,
    rank_activations,
    rank_architectures,
    rank_initializations,
)
from lmlp.near.score import (
    SCORES,
    LayerRanks,
    Score,
    ScoreOptions,
    epsilon_score,
    error_variation,
    layer_ranks,
    near_score,
)

__all__ = [
    "FURTHER_ACTIVATIONS",
    "INITIALIZATIONS",
    "SCORES",
    "Architecture",
    "LayerRanks",
    "NearData",
    "PowerLaw",
    "RankedArchitecture",
    "Score",
    "ScoreOptions",
    "SizeEstimate",
    "SizeOptions",
    "effective_rank",
    "epsilon_score",
    "error_variation",
    "estimate_sizes",
    "fit_power_law",
    "layer_ranks",
    "make_data",
    "near_score",
    "rank_activations",
    "rank_architectures",
    "rank_initializations",
]


def __dir__() -> list[str]:
    return sorted(__all__)
