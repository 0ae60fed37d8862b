"""Labels less the baseline: what the networks of a model with one learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lmlp.dataset.arrays import Dataset
from lmlp.dataset.blocks import PairBlock, find_block
from lmlp.model.baseline import Zbl

_CHUNK = 256  # structures whose pair lists are held at once


def without_baseline(
    dataset: Dataset, baseline: Zbl | None, say: Callable[[str], None] | None = None
) -> Dataset:
    """Return the data set with the baseline subtracted from energies, forces and stresses.

    ``structures`` stay as they are; missing labels stay missing. ``say`` hears how much was subtracted, if
    anything.

    Raises:
        GeometryError: coincident atoms; the structure is named.
    """
    if baseline is None:
        return dataset
    energies, forces, stress = dataset.energies.copy(), dataset.forces.copy(), dataset.stress.copy()
    for start in range(0, len(dataset), _CHUNK):
        ids = np.arange(start, min(start + _CHUNK, len(dataset)))
        atoms = slice(int(dataset.first_atom[ids[0]]), int(dataset.first_atom[ids[-1] + 1]))
        block = find_block(dataset, ids, baseline.reach)
        parts = _baseline_labels(block, dataset.species[atoms], baseline)
        energies[ids] -= parts[0]
        forces[atoms] -= parts[1]
        stress[ids] -= parts[2] / dataset.volumes[ids, None, None]
    rest = replace(dataset, energies=energies, forces=forces, stress=stress)
    if say is not None:
        _tell_reach(dataset, rest, say)
    return rest


def _tell_reach(before: Dataset, after: Dataset, say: Callable[[str], None]) -> None:
    """Say how much of the labels a baseline has taken, if any."""
    changed = (before.energies != after.energies) & np.isfinite(before.energies)
    if changed.any():
        largest = float(np.nanmax(np.abs(before.forces - after.forces), initial=0.0))
        say(
            f"the baseline reaches the atoms of {int(changed.sum())} of {len(before)} structures, with "
            f"forces up to {largest:.3g} eV/Å; the networks learn the rest"
        )


def _baseline_labels(
    block: PairBlock, species: np.ndarray, baseline: Zbl
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return energies in eV ``[n]``, forces in eV/Å and strain derivatives in eV ``[n, 3, 3]``."""
    pairs = block.environments
    centers, n = pairs.centers, len(block.first_atom) - 1
    distance = np.linalg.norm(pairs.vectors, axis=1)
    energy, slope = baseline.evaluate(species[centers], block.neighbor_species, distance)
    # every pair is listed from both sides, with half of its energy each
    gradient = 0.5 * (slope / distance)[:, None] * pairs.vectors
    forces = np.zeros((len(species), 3))
    np.add.at(forces, centers, gradient)
    np.add.at(forces, pairs.neighbors, -gradient)
    structure = np.repeat(np.arange(n), np.diff(block.first_atom))[centers]
    energies = np.bincount(structure, 0.5 * energy, minlength=n)
    strain = np.zeros((n, 3, 3))
    np.add.at(strain, structure, pairs.vectors[:, :, None] * gradient[:, None, :])
    return energies, forces, strain
