"""The methods that are compared: from trainings to σ on held-out and test structures."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from distances import Distances
from langevin import sample
from last_layer import LastLayer
from likelihood import SQUARES, finish_by
from maps import Map, factor_map, hypot_map, monotone_map
from measures import force_measures, normal_measures
from prediction import Members, Structures, potential_of, predict
from torch import Tensor
from training import Settings, Trained, store_of, structures_of, train_bootstrap, train_plain

HELD_OUT = "held out"
RIDGES = (1e-8, 1e-6, 1e-4, 1e-2)
TEMPERATURES = (0.1, 1.0, 10.0)
NOTHING = 1e-6
"""Reference force in eV/Å below which it vanishes by symmetry."""
USUAL = 2.0
"""Factor b of spreads of energies: some ten structures do not tell it."""
Results = dict[str, dict[str, dict[str, float]]]
"""Of each test (and :data:`HELD_OUT`), quantity ("force", "energy") and measure."""


@dataclass(frozen=True)
class Signal:
    """What a method says of some structures before it is mapped to σ.

    Attributes:
        error: of forces in eV/Å ``[n_atoms, 3]``.
        forces: signals of atoms, ``[n_atoms]`` each; mapped to the length of the error vector.
        species: of the atoms.
        energy_error: eV/atom ``[n]``.
        energies: signals of structures, ``[n]`` each, eV/atom.
        free: whether an atom's force is known, and does not vanish by symmetry ``[n_atoms]``.
        components: spread of the force components ``[n_atoms, 3]``; None: the first signal is no spread.
    """

    error: np.ndarray
    forces: Sequence[np.ndarray]
    species: np.ndarray
    energy_error: np.ndarray
    energies: Sequence[np.ndarray]
    free: np.ndarray
    components: np.ndarray | None = None

    @property
    def of_free_atoms(self) -> Signal:
        """The same without the other atoms."""
        return replace(
            self,
            error=self.error[self.free],
            forces=[s[self.free] for s in self.forces],
            species=self.species[self.free],
            free=self.free[self.free],
            components=None if self.components is None else self.components[self.free],
        )


@dataclass
class Outcome:
    """A method on one set with one seed.

    Attributes:
        results: measures.
        training: CPU seconds of all trainings.
        evaluation: time of an evaluation with σ, in those of one member without.
        notes: what was chosen on the held-out structures.
    """

    results: Results
    training: float
    evaluation: float
    notes: dict[str, Any] = field(default_factory=dict)


class Bench:
    """A set with one seed: trainings, structures and what is computed once.

    Args:
        settings: of the set.
        seed: of everything.
        members: of the largest plain ensemble of this seed.
        folder: of the trainings.
    """

    def __init__(self, settings: Settings, seed: int, members: int, folder: Path) -> None:
        self.settings, self.seed, self.members, self.folder = settings, seed, members, folder

    @cached_property
    def plain(self) -> Trained:
        """The plain ensemble."""
        folder = self.folder / f"plain-{self.members}" / f"seed-{self.seed}"
        return train_plain(self.settings, self.members, self.seed, folder)

    @cached_property
    def groups(self) -> dict[str, Structures]:
        """Held-out structures and those of each test."""
        plan = self.plain.plan
        found = {HELD_OUT: Structures(plan.store, plan.references, plan.split.holdout)}
        for name, source in self.settings["tests"].items():
            structures = structures_of(source)
            store, references = store_of(plan, structures)
            found[name] = Structures(store, references, np.arange(len(structures)))
        return found

    @cached_property
    def training(self) -> Structures:
        """All structures that some member trained on."""
        plan = self.plain.plan
        return Structures(plan.store, plan.references, np.unique(np.concatenate(plan.split.train)))

    def predict(self, weights: Sequence[Tensor]) -> dict[str, Members]:
        """Let members predict all groups."""
        potential = potential_of(self.plain.plan, weights)
        return {name: predict(potential, of) for name, of in self.groups.items()}

    @cached_property
    def of_plain(self) -> dict[str, Members]:
        """Predictions of all members of the plain ensemble."""
        return self.predict(self.plain.weights)

    @cached_property
    def distances(self) -> Distances:
        """Distances from the training atoms."""
        training = self.training
        n = self.plain.plan.potential.network.n_elements
        return Distances(training.features(), training.species, n, self.seed)

    def cost(self, n: int) -> float:
        """CPU seconds of all members' forces of the held-out structures, best of three, for n members."""
        weights = [w[:1].expand(n, *w.shape[1:]) for w in self.plain.weights]
        potential = potential_of(self.plain.plan, weights)
        times = []
        for _ in range(3):
            start = time.process_time()
            predict(potential, self.groups[HELD_OUT])
            times.append(time.process_time() - start)
        return min(times)

    @cached_property
    def cost_of_one(self) -> float:
        """The same for one member."""
        return self.cost(1)

    def share_of_training(self, n: int) -> float:
        """CPU seconds of a plain training of n members, in proportion to that of all."""
        return self.plain.cpu * n / self.members


def signal(of: Structures, members: Members, mean_of: Members | None = None) -> Signal:
    """Take the members' spread; the mean may be that of others."""
    mean = mean_of or members
    spread = members.forces.std(axis=0, ddof=1) if len(members.forces) > 1 else np.zeros(of.forces.shape)
    energies = members.energies.std(axis=0, ddof=1) if len(members.forces) > 1 else np.zeros(len(of.ids))
    return Signal(
        mean.forces.mean(axis=0) - of.forces,
        [np.linalg.norm(spread, axis=1)],
        of.species,
        mean.energies.mean(axis=0) - of.energies,
        [energies],
        np.linalg.norm(of.forces, axis=1) > NOTHING,  # not if it is NaN
        spread,
    )


def beside(s: Signal, energies: np.ndarray, forces: np.ndarray, *, alone: bool) -> Signal:
    """Put a signal of structures and of atoms beside the spread, or in its place."""
    if alone:
        return replace(s, forces=[forces], energies=[energies], components=None)
    return replace(s, forces=[*s.forces, forces], energies=[*s.energies, energies])


def measure(signals: dict[str, Signal], n_elements: int, kind: str = "hypot") -> Results:
    """Fit the map on the held-out structures, and measure σ everywhere; of forces, for free atoms alone."""
    held = signals[HELD_OUT].of_free_atoms
    forces, energies = fit_forces(held, n_elements, kind), fit_energies(held, kind)
    results: Results = {}
    for name, all_atoms in signals.items():
        s = all_atoms.of_free_atoms
        results[name] = {}
        if len(s.error):
            results[name]["force"] = force_measures(forces(s), s.error)
        known = np.isfinite(s.energy_error)
        if known.any():
            sigma = energies(s.energies, np.zeros(len(known), dtype=int))
            results[name]["energy"] = normal_measures(sigma[known], s.energy_error[known])
    return results


def fit_forces(held: Signal, n_elements: int, kind: str) -> Callable[[Signal], np.ndarray]:
    """Fit σ of forces: a map of the vector's length by element, or a factor on each component."""
    if kind == "factor":
        assert held.components is not None
        factor = factor_map(held.components.ravel(), held.error.ravel() ** 2)
        return lambda s: np.maximum(factor([s.components], s.species), 1e-6)
    squares = (held.error**2).sum(axis=1)
    found: Map
    if kind == "monotone":
        found = monotone_map(held.forces[0], squares, held.species, n_elements)
    else:
        found = hypot_map(held.forces, squares, held.species, n_elements)
    return lambda s: found(s.forces, s.species)


def fit_energies(held: Signal, kind: str) -> Map:
    """Fit σ of energies per atom."""
    squares, one = held.energy_error**2, np.zeros(len(held.energy_error), dtype=int)
    if kind == "factor":
        return factor_map(held.energies[0], squares)
    if kind == "monotone":
        return monotone_map(held.energies[0], squares, one, 1)
    usual = None if held.components is None else USUAL
    return hypot_map(held.energies, squares, one, 1, components=1, usual=usual)


# Methods --------------------------------------------------------------------------------------------


def _n_elements(bench: Bench) -> int:
    return int(bench.plain.plan.potential.network.n_elements)


def _ensemble(bench: Bench, members: dict[str, Members], kind: str = "hypot") -> Results:
    signals = {name: signal(of, members[name]) for name, of in bench.groups.items()}
    return measure(signals, _n_elements(bench), kind)


def plain(bench: Bench, n: int, kind: str = "hypot") -> Outcome:
    """Take the first n members of the plain ensemble."""
    members = {name: m.first(n) for name, m in bench.of_plain.items()}
    cost = bench.cost(n) / bench.cost_of_one
    return Outcome(_ensemble(bench, members, kind), bench.share_of_training(n), cost)


def bootstrapped(bench: Bench, n: int) -> Outcome:
    """Train members on resampled structures."""
    folder = bench.folder / f"bootstrap-{n}" / f"seed-{bench.seed}"
    trained = train_bootstrap(bench.settings, n, bench.seed, folder)
    cost = bench.cost(n) / bench.cost_of_one
    return Outcome(_ensemble(bench, bench.predict(trained.weights)), trained.cpu, cost)


def finished(bench: Bench, n: int, score: str) -> Outcome:
    """Finish the training by a likelihood; the epochs that it replaces are not counted."""
    weights, cpu = finish_by(score, bench.plain, n)
    training = 0.8 * bench.share_of_training(n) + cpu
    return Outcome(_ensemble(bench, bench.predict(weights)), training, bench.cost(n) / bench.cost_of_one)


def langevin(bench: Bench, n: int) -> Outcome:
    """Sample weights by chains; the temperature is chosen by the likelihood of held-out forces."""
    candidates = []
    for share in TEMPERATURES:
        weights, cpu = sample(bench.plain, n, share)
        results = _ensemble(bench, bench.predict(weights))
        candidates.append((results, share, cpu, len(weights[0])))
    results, share, cpu, found = min(candidates, key=lambda c: c[0][HELD_OUT]["force"]["nll"])
    cost = bench.cost(found) / bench.cost_of_one
    return Outcome(results, bench.share_of_training(n) + cpu, cost, {"temperature": share})


def last_layer(bench: Bench, n: int = 1) -> Outcome:
    """Take the last-layer covariance of the first member, alone or beside the spread of n members."""
    start = time.process_time()
    laplace = LastLayer(bench.plain.plan, bench.plain.weights, 0, bench.training)
    training = bench.share_of_training(n) + time.process_time() - start
    spreads = {name: laplace.spreads(of, RIDGES) for name, of in bench.groups.items()}
    candidates = []
    for k, ridge in enumerate(RIDGES):
        signals = {
            name: beside(signal(of, bench.of_plain[name].first(n)), *spreads[name][k], alone=n == 1)
            for name, of in bench.groups.items()
        }
        candidates.append((measure(signals, _n_elements(bench)), ridge))
    results, ridge = min(candidates, key=lambda c: c[0][HELD_OUT]["force"]["nll"])
    start = time.process_time()
    laplace.spreads(bench.groups[HELD_OUT], [ridge])
    cost = (time.process_time() - start + bench.cost(n)) / bench.cost_of_one
    return Outcome(results, training, cost, {"ridge": ridge})


def distance(bench: Bench, which: str, n: int = 1) -> Outcome:
    """Take a distance from the training atoms, alone or beside the spread of n members."""
    start = time.process_time()
    measured = getattr(bench.distances, which)
    training = bench.share_of_training(n) + time.process_time() - start
    signals, seconds = {}, 0.0
    for name, of in bench.groups.items():
        features = of.features()
        start = time.process_time()
        d = measured(features, of.species)
        if name == HELD_OUT:
            seconds = time.process_time() - start
        sizes = np.repeat(np.arange(len(of.ids)), of.n_atoms)
        of_structure = np.sqrt(np.bincount(sizes, d**2) / np.bincount(sizes))
        signals[name] = beside(signal(of, bench.of_plain[name].first(n)), of_structure, d, alone=n == 1)
    cost = (seconds + bench.cost(n)) / bench.cost_of_one
    return Outcome(measure(signals, _n_elements(bench)), training, cost)


METHODS: dict[str, Callable[[Bench], Outcome]] = {
    "members-2": lambda b: plain(b, 2),
    "members-4": lambda b: plain(b, 4),
    "members-6": lambda b: plain(b, 6),
    "members-10": lambda b: plain(b, 10),
    "members-20": lambda b: plain(b, 20),
    "members-4-factor": lambda b: plain(b, 4, "factor"),
    "members-4-monotone": lambda b: plain(b, 4, "monotone"),
    "bootstrap-4": lambda b: bootstrapped(b, 4),
    "squares-4": lambda b: finished(b, 4, SQUARES),
    "nll-4": lambda b: finished(b, 4, "NLL"),
    "crps-4": lambda b: finished(b, 4, "CRPS"),
    "nll-10": lambda b: finished(b, 10, "NLL"),
    "crps-10": lambda b: finished(b, 10, "CRPS"),
    "langevin-4": lambda b: langevin(b, 4),
    "last-layer-1": lambda b: last_layer(b, 1),
    "last-layer-4": lambda b: last_layer(b, 4),
    "mahalanobis-1": lambda b: distance(b, "mahalanobis", 1),
    "mahalanobis-4": lambda b: distance(b, "mahalanobis", 4),
    "nearest-1": lambda b: distance(b, "nearest", 1),
    "nearest-4": lambda b: distance(b, "nearest", 4),
}
"""Name, which ends in the number of trained members, and what does it."""
NAMES = {
    "members": "plain ensemble",
    "factor": "plain ensemble, c·std of components",
    "monotone": "plain ensemble, monotone map",
    "bootstrap": "bootstrap",
    "squares": "last epochs on all structures",
    "nll": "last epochs by likelihood (NLL)",
    "crps": "last epochs by CRPS",
    "langevin": "Langevin chains, 5 snapshots of each",
    "last-layer": "last-layer Laplace",
    "mahalanobis": "Mahalanobis distance",
    "nearest": "nearest neighbors",
}
