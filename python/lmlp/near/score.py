"""Scores of untrained networks under one interface: NEAR, ε, and the variation of the untrained error."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lmlp.errors import DataError, InvalidArgumentError
from lmlp.model.torch_fork import safe_after_fork
from lmlp.near.architecture import Architecture, generator
from lmlp.near.data import NearData
from lmlp.near.rank import effective_rank


@dataclass(frozen=True)
class ScoreOptions:
    """What the scores depend on besides network and data.

    Attributes:
        repetitions: number of initializations that a score is averaged over (NEAR), or taken over (CV).
        seed: of initializations and of the sampled atoms.
        constants: the two weights of the ε score.
    """

    repetitions: int = 16
    seed: int = 0
    constants: tuple[float, float] = (1e-7, 1.0)

    def __post_init__(self) -> None:
        """Check the number of repetitions."""
        if self.repetitions < 1:
            raise InvalidArgumentError(f"repetitions={self.repetitions}: at least 1 is needed")


@dataclass(frozen=True)
class Score:
    """A score: its value, and the standard error of its mean over repetitions (None without)."""

    value: float
    error: float | None = None


@dataclass(frozen=True)
class LayerRanks:
    """Mean effective ranks of one hidden layer of ``units`` units before and after the activation."""

    units: int
    pre: float
    post: float

    @property
    def relative(self) -> float:
        """Share of the units in use, (pre + post) / (2 units): 1 for a layer of one unit."""
        return (self.pre + self.post) / (2.0 * self.units)


ScoreFunction = Callable[[Architecture, NearData, ScoreOptions], Score]


def _ranks(architecture: Architecture, inputs: np.ndarray, element: str, options: ScoreOptions) -> np.ndarray:
    """Return effective ranks ``[repetitions, layers, 2]`` of matrices with as many sampled atoms as units."""
    most = max(architecture.hidden)
    if len(inputs) < most:
        raise InvalidArgumentError(
            f"a layer of {most} units needs as many atoms of {element}, the data have {len(inputs)}"
        )
    x = torch.from_numpy(np.ascontiguousarray(inputs, dtype=np.float64))
    ranks = np.empty((options.repetitions, len(architecture.hidden), 2))
    for r in range(options.repetitions):
        rows = torch.randperm(len(x), generator=generator(options.seed, r, 0))[:most]
        parameters = architecture.draw(x.shape[1], (options.seed, r, 1))
        for layer, (pre, post) in enumerate(architecture.layers(x[rows], parameters)):
            n = architecture.hidden[layer]
            ranks[r, layer] = effective_rank(pre[:n]), effective_rank(post[:n])
    return ranks


@safe_after_fork
def layer_ranks(
    architecture: Architecture, data: NearData, options: ScoreOptions | None = None
) -> dict[str, list[LayerRanks]]:
    """Compute the mean effective ranks of every hidden layer by element.

    Each is of an n × n matrix: n units, n atoms drawn at random for each initialization.

    Raises:
        InvalidArgumentError: fewer atoms of an element than units in a layer.
    """
    options = options or ScoreOptions()
    result = {}
    for element, inputs in data.inputs.items():
        means = _ranks(architecture, inputs, element, options).mean(axis=0)
        result[element] = [
            LayerRanks(n, float(pre), float(post))
            for n, (pre, post) in zip(architecture.hidden, means, strict=True)
        ]
    return result


@safe_after_fork
def near_score(architecture: Architecture, data: NearData, options: ScoreOptions | None = None) -> Score:
    """Compute NEAR = Σ over hidden layers of erank(pre-activation) + erank(post-activation).

    The mean over initializations and over the elements of ``data``; the layer with the single output is left
    out, as its rank is 1 for every network. Needs no labels and no training. Higher is better.

    Raises:
        InvalidArgumentError: fewer atoms of an element than units in a layer.

    Source: arXiv 2408.08776.
    """
    options = options or ScoreOptions()
    values = np.mean(
        [_ranks(architecture, x, e, options).sum(axis=(1, 2)) for e, x in data.inputs.items()], axis=0
    )
    error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return Score(float(values.mean()), error)


@safe_after_fork
def epsilon_score(architecture: Architecture, data: NearData, options: ScoreOptions | None = None) -> Score:
    """Compute mean|y1 − y2| / mean(y1, y2), y the outputs with all weights equal to one constant.

    The outputs for the two constants are scaled to 0 … 1 each; biases are 0, the initialization does not
    enter. The mean over the elements of ``data``. Higher is better; weak for layer sizes, as all units of a
    layer are equal.

    Raises:
        InvalidArgumentError: the outputs for one of the constants are all equal.
    """
    options = options or ScoreOptions()
    values = []
    for element, inputs in data.inputs.items():
        x = torch.from_numpy(np.ascontiguousarray(inputs, dtype=np.float64))
        y1, y2 = (_constant_output(architecture, x, w, element) for w in options.constants)
        values.append(float((y1 - y2).abs().mean() / (0.5 * (y1 + y2)).mean()))
    return Score(float(np.mean(values)))


def _constant_output(architecture: Architecture, inputs: Tensor, constant: float, element: str) -> Tensor:
    """Compute outputs with every weight equal to ``constant``, scaled to 0 … 1."""
    sizes = [inputs.shape[1], *architecture.hidden, 1]
    parameters = [
        (torch.full((a, b), constant, dtype=torch.float64), torch.zeros(b, dtype=torch.float64))
        for a, b in itertools.pairwise(sizes)
    ]
    y = architecture.output(inputs, parameters)
    low, high = y.min(), y.max()
    if not high > low:
        raise InvalidArgumentError(
            f"ε score of {architecture.label}: with all weights {constant:g} the network of {element} gives "
            "the same output for every atom"
        )
    return (y - low) / (high - low)


@safe_after_fork
def error_variation(architecture: Architecture, data: NearData, options: ScoreOptions | None = None) -> Score:
    """Compute std/mean over initializations of the untrained networks' energy error.

    The error is the root mean square difference to the energies per atom, which are scaled to mean 0 and
    variance 1. Lower is better.

    Raises:
        DataError: fewer than two different energies, or elements left out.
        InvalidArgumentError: fewer than two repetitions.
    """
    options = options or ScoreOptions()
    if options.repetitions < 2:
        raise InvalidArgumentError("the variation of the untrained error needs at least 2 repetitions")
    if data.energies is None:
        raise DataError("the untrained error needs the networks of all elements of the structures")
    known = np.isfinite(data.energies)
    target = data.energies[known]
    if len(target) < 2 or not target.std() > 0.0:
        raise DataError("the untrained error needs structures with different energies")
    target = (target - target.mean()) / target.std()
    inputs = {e: torch.from_numpy(np.ascontiguousarray(x)) for e, x in data.inputs.items()}
    errors = np.empty(options.repetitions)
    for r in range(options.repetitions):
        energies = np.zeros(len(data.n_atoms))
        for k, (element, x) in enumerate(inputs.items()):
            parameters = architecture.draw(data.n_inputs, (options.seed, r, 2 + k))
            outputs = architecture.output(x, parameters).numpy()
            energies += np.bincount(data.structure[element], outputs, minlength=len(energies))
        errors[r] = np.sqrt(np.mean(((energies / data.n_atoms)[known] - target) ** 2))
    return Score(float(errors.std(ddof=1) / errors.mean()))


@dataclass(frozen=True)
class ScoreKind:
    """A score with its name and direction."""

    name: str
    compute: ScoreFunction
    higher_is_better: bool


SCORES: dict[str, ScoreKind] = {
    "near": ScoreKind("NEAR", near_score, higher_is_better=True),
    "epsilon": ScoreKind("ε", epsilon_score, higher_is_better=True),
    "cv": ScoreKind("CV", error_variation, higher_is_better=False),
}
