"""What a new model begins as: functions, input map, networks, and its fixed parts, chosen for the data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmlp.dataset.arrays import Dataset
from lmlp.dataset.division import Split
from lmlp.dataset.free_atoms import (
    FreeAtomBlock,
    free_energies,
    make_block,
    smallest_densities,
    unlike_free,
)
from lmlp.dataset.store import Store
from lmlp.dataset.training_atoms import training_distance
from lmlp.descriptor.compute import Descriptor
from lmlp.elements import atomic_number
from lmlp.errors import ConfigError
from lmlp.model.baseline import Zbl, make_zbl, parse_baseline
from lmlp.model.distance_fit import TrainedDistance
from lmlp.model.network import EnsembleNetwork
from lmlp.model.potential import EnsemblePotential
from lmlp.model.scaling import anchored_energies, fit_atomic_energies, fit_input_map, left_over
from lmlp.training.config import TrainConfig
from lmlp.training.functions import cutoff_of, in_words, make_spec, useful_functions, where_they_begin, worth

Say = Callable[[str], None]


@dataclass(frozen=True)
class NewModel:
    """A model before its first step.

    Attributes:
        potential: with random weights.
        store: with the inputs of the data set.
        limits: smallest and largest value of each feature by element.
        distance: from the training atoms.
        chosen: what was chosen for the data, for the log.
    """

    potential: EnsemblePotential
    store: Store
    limits: tuple[Tensor, Tensor]
    distance: TrainedDistance | None
    chosen: dict[str, Any]


def new_model(
    config: TrainConfig,
    dataset: Dataset,
    n_known: int,
    trained: np.ndarray,
    shortest: dict[str, float],
    make_store: Callable[[Descriptor], Store],
    say: Say,
) -> NewModel:
    """Choose functions and input map, and make networks.

    Args:
        config: settings.
        dataset: structures; inputs of all are computed.
        n_known: so many of them, the first ones, the model may know.
        trained: those that a member trains on, ascending.
        shortest: distances in Å by pair of elements.
        make_store: serves the data set with a descriptor.
        say: hears what was chosen.

    Raises:
        ConfigError: atomic energies of elements that do not occur.
        DataError: no function varies over the data.
    """
    m, elements = config.model, dataset.elements
    spec = make_spec(config.descriptor, elements, shortest)
    begin = where_they_begin(spec, config.descriptor, shortest)
    if begin is not None:
        say(begin)
    keep_all = bool(config.descriptor.preset_options.get("keep_all"))
    _, store, moments = useful_functions(Descriptor(spec, elements), make_store, say, keep_all=keep_all)
    input_map = fit_input_map(moments, m.decorrelation, m.keep, m.floor)
    counted = worth(elements, moments, input_map)
    if m.decorrelation is not None:
        say(in_words(counted, m.keep))
    distance = training_distance(store, trained, config.seed)
    dtype = getattr(torch, config.dtype)
    store.set_inputs(input_map, dtype)
    network = EnsembleNetwork(
        len(elements),
        m.members,
        [input_map.n_inputs, *m.hidden],
        activation=m.activation,
        seed=config.seed,
        dtype=dtype,
    )
    network.scale_output(m.output_scale)
    energies = _atomic_energies(m.atomic_energies, dataset, n_known)
    if m.atomic_energies:  # they are not those that fit best: biases make up for it, not steps
        rows = _with_energy(dataset, n_known)
        network.shift_output(left_over(dataset.counts[rows], dataset.energies[rows], energies).tolist())
    return NewModel(
        EnsemblePotential(store.descriptor, input_map, network, energies),
        store,
        (torch.from_numpy(moments.minimum), torch.from_numpy(moments.maximum)),
        distance,
        {**counted, "range": begin, "shortest_distances": shortest},
    )


def _atomic_energies(chosen: dict[str, float], dataset: Dataset, n_known: int) -> np.ndarray:
    given = {atomic_number(e): v for e, v in chosen.items()}
    foreign = [e for e in chosen if atomic_number(e) not in dataset.numbers]
    if foreign:
        raise ConfigError(
            f"model.atomic_energies: {', '.join(foreign)} not among {', '.join(dataset.elements)}"
        )
    rows = _with_energy(dataset, n_known)
    return fit_atomic_energies(dataset.counts[rows], dataset.energies[rows], dataset.numbers, given)


def _with_energy(dataset: Dataset, n_known: int) -> np.ndarray:
    """Return the structures whose energies the model may know."""
    return np.flatnonzero(np.isfinite(dataset.energies[:n_known]))


def new_baseline(config: TrainConfig, elements: Sequence[str], shortest: dict[str, float]) -> Zbl | None:
    """Return the pair repulsion that a model gets."""
    chosen = config.model.baseline
    if chosen is None:
        return None
    cutoff = float(make_spec(config.descriptor, elements, {})["cutoff"])
    radii = chosen.model_dump(exclude={"type"})
    return parse_baseline(make_zbl(elements, cutoff, **radii, shortest=shortest), elements, cutoff)


def new_free_atoms(config: TrainConfig, dataset: Dataset, split: Split, say: Say) -> FreeAtomBlock | None:
    """Return the energies of free atoms that a model gets."""
    rows = np.unique(np.concatenate([*split.train, *split.valid]))
    energies = free_energies(dataset, rows, config.model.atomic_energies, say)
    if not energies:
        return None
    cutoff = cutoff_of(config.descriptor)
    smallest = smallest_densities(dataset, rows, cutoff)
    return make_block(energies, smallest, unlike_free(dataset, rows, cutoff, energies, smallest), say)


def anchored(
    config: TrainConfig, dataset: Dataset, own: np.ndarray, free_atoms: FreeAtomBlock | None
) -> np.ndarray:
    """Return E_atom of the model: those of the training, but where its compositions leave no choice.

    Args:
        config: settings.
        dataset: compositions.
        own: E_atom of the training in eV by species.
        free_atoms: energies that they move toward.
    """
    block = free_atoms or {}
    kinds = [k for k, e in enumerate(dataset.elements) if e not in config.model.atomic_energies]
    names = [dataset.elements[k] for k in kinds]
    free = np.array([block[e]["energy"] if e in block else np.nan for e in names])
    result = np.array(own)
    result[kinds] = anchored_energies(dataset.counts[:, kinds], own[kinds], free)
    return result
