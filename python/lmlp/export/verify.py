"""Verify a model file before it is put in place: reference, TorchScript and core must agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lmlp import _core
from lmlp.descriptor.compute import Descriptor
from lmlp.environments import Environments
from lmlp.errors import ModelFileError
from lmlp.export.header import weight_arrays
from lmlp.export.model_file import read_model_file
from lmlp.export.random_structure import list_pairs, random_structure
from lmlp.export.reference_potential import MemberResults, reference_results
from lmlp.export.torchscript import load_potential
from lmlp.model.baseline import pair_name
from lmlp.model.data import ModelData
from lmlp.model.number_range import find_overflowing
from lmlp.structure import Structure

# eV and eV/Å, relative for values above 1.
TOLERANCE = 1e-10
_NEIGHBORS = 24


@dataclass(frozen=True)
class Difference:
    """Largest difference between the reference and one path in one quantity.

    Attributes:
        path: ``TorchScript`` or ``core``.
        quantity: ``member energies`` (eV), ``pair gradients`` or ``member pair gradients`` (eV/Å),
            ``distances``.
        difference: largest absolute difference.
        reference: the reference's value there.
        other: the path's value there.
        allowed: largest difference allowed.
    """

    path: str
    quantity: str
    difference: float
    reference: float
    other: float
    allowed: float

    @property
    def passed(self) -> bool:
        """Whether the difference is a number and small enough."""
        return self.difference <= self.allowed


def verify_model_file(path: str | Path, data: ModelData, seed: int = 0) -> list[Difference]:
    """Check that a file gives the model back: same bits of the weights, same energies and gradients.

    Reference, TorchScript and core are compared on a random periodic triclinic structure with every element
    of the model, on one center of a dense structure, on an atom alone of every element, where there is a
    baseline on dimers of all pairs of elements within its reach, and where there are free atoms on dimers
    that are about to become them.

    Args:
        path: the model file.
        data: what was written to it.
        seed: of the random structure.

    Returns:
        one entry per path and quantity.

    Raises:
        ModelFileError: names the quantity, the difference and both values, or elements whose networks could
            overflow.
    """
    _check_weights(read_model_file(path), data, f"{path}: weights read back")
    overflowing = [e for e, bad in zip(data.elements, find_overflowing(data), strict=True) if bad]
    if overflowing:
        raise ModelFileError(
            f"verification failed, nothing was written: the weights of {', '.join(overflowing)} are so large "
            "that energies or gradients overflow"
        )
    module = load_potential(Path(path))
    potential = _core.Potential(str(path))
    rng = np.random.default_rng(seed)
    structure = random_structure(data.elements, max(4, 2 * len(data.elements)), rng)
    species = np.arange(len(structure)) % len(data.elements)
    cutoff = float(data.descriptor["cutoff"])
    differences: list[Difference] = []
    with _one_thread():
        cases = [
            (list_pairs(_diluted(structure, cutoff), cutoff), species),
            (_first_centers(list_pairs(structure, cutoff), 1), species),
            (_first_centers(list_pairs(structure, 0.0), len(data.elements)), species),
        ]
        if data.baseline is not None:
            cases.append(_close_pairs(data))
        if data.free_atoms:
            cases.append(_loose_pairs(data, data.free_atoms))
        for environments, kinds in cases:
            reference = reference_results(data, environments, kinds)
            scripted = _torchscript_results(module, environments, kinds)
            digits = _distance_digits(data, environments, kinds)
            differences += _compare("TorchScript", reference, scripted, digits)
            differences += _compare("core", reference, _core_results(potential, environments, kinds), digits)
    for d in differences:
        if not d.passed:
            raise ModelFileError(
                f"verification failed, nothing was written: {d.quantity} of {d.path} {d.other!r} instead of "
                f"{d.reference!r} (difference {d.difference:.3e}, allowed {d.allowed:.1e})"
            )
    return differences


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep torch on one thread: these tensors are small, and waiting for threads took most of the time."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def _diluted(structure: Structure, cutoff: float) -> Structure:
    """Stretch a structure until its atoms have some ``_NEIGHBORS`` neighbors: the reference is slow."""
    density = len(structure) / structure.volume
    expected = 4.0 / 3.0 * np.pi * cutoff**3 * density
    stretch = max(1.0, float(expected / _NEIGHBORS) ** (1.0 / 3.0))
    return replace(structure, positions=structure.positions * stretch, cell=structure.cell * stretch)


def _close_pairs(data: ModelData) -> tuple[Environments, np.ndarray]:
    """Put dimers of all pairs of elements side by side, too far from each other to be neighbors."""
    n = len(data.elements)
    pairs = [(a, b) for a in range(n) for b in range(a, n)]
    assert data.baseline is not None
    radii = [data.baseline["pairs"][pair_name(data.elements[a], data.elements[b])] for a, b in pairs]
    # below the inner radius, in the switching and near its end, in turn
    distances = [
        (0.7 * inner or 0.1 * outer, 0.5 * (inner + outer), 0.9 * outer)[k % 3]
        for k, (inner, outer) in enumerate(radii)
    ]
    return _dimers(distances), np.array(pairs).ravel()


def _loose_pairs(data: ModelData, free: dict[str, Any]) -> tuple[Environments, np.ndarray]:
    """Put dimers of the elements with free atoms side by side, at distances where the switching is."""
    cutoff = float(data.descriptor["cutoff"])
    kinds = [e for e, name in enumerate(data.elements) if name in free]
    distances = []
    for k, e in enumerate(kinds):
        # one neighbor may not be enough for the share of the density
        overlap = min((0.1, 0.4, 0.8)[k % 3] * free[data.elements[e]]["density"], 0.7)
        distances.append(cutoff * float(np.sqrt(1.0 - overlap ** (1.0 / 3.0))))
    return _dimers(distances), np.repeat(kinds, 2)


def _dimers(distances: Sequence[float]) -> Environments:
    """Put dimers side by side, too far from each other to be neighbors."""
    rows = np.arange(2 * len(distances), dtype=np.int64)
    vectors = np.zeros((len(rows), 3))
    vectors[::2] = np.outer(distances, np.array([2.0, -1.0, 2.0]) / 3.0)
    vectors[1::2] = -vectors[::2]
    return Environments(
        np.arange(len(rows) + 1, dtype=np.int64), rows ^ 1, vectors, np.zeros((len(rows), 3), dtype=np.int32)
    )


def _first_centers(environments: Environments, n: int) -> Environments:
    """Keep the first ``n`` centers with all their neighbors."""
    end = int(environments.offsets[n])
    return Environments(
        environments.offsets[: n + 1],
        environments.neighbors[:end],
        environments.vectors[:end],
        environments.shifts[:end],
    )


def _check_weights(found: ModelData, data: ModelData, where: str) -> None:
    expected, read = weight_arrays(data), weight_arrays(found)
    for name, array in expected.items():
        if read[name].tobytes() != array.tobytes():
            raise ModelFileError(f"{where}: {name} has other bits than were written")


def _torchscript_results(
    module: Any, environments: Environments, species: np.ndarray
) -> tuple[MemberResults, np.ndarray]:
    results = module.evaluate(
        torch.from_numpy(species),
        torch.from_numpy(environments.centers),
        torch.from_numpy(environments.neighbors.astype(np.int64)),
        torch.from_numpy(environments.vectors),
        True,
    )
    arrays = {name: tensor.numpy() for name, tensor in results.items()}
    energies = arrays["energies"][:, : environments.n_centers]
    distances = arrays["distances"][: environments.n_centers] if "distances" in arrays else None
    return MemberResults(energies, arrays["member_pair_gradients"], distances), arrays["pair_gradients"]


def _core_results(
    potential: Any, environments: Environments, species: np.ndarray
) -> tuple[MemberResults, np.ndarray]:
    results = potential.evaluate(
        environments.offsets,
        species[: environments.n_centers].astype(np.int32),
        species[environments.neighbors].astype(np.int32),
        environments.vectors,
        member_energies=True,
        member_gradients=True,
        distances=potential.info()["has_distance"],
        n_threads=1,
    )
    members = MemberResults(
        results["member_energies"], results["member_pair_gradients"], results.get("distances")
    )
    return members, results["pair_gradients"]


def _distance_digits(data: ModelData, environments: Environments, species: np.ndarray) -> float:
    """Return the size of the numbers that distances are differences of; their roundings are what differs."""
    if data.feature_distance is None:
        return 1.0
    features = Descriptor(data.descriptor, data.elements).features(
        environments, species[environments.neighbors]
    )
    kinds = species[: environments.n_centers]
    scale, shift = data.feature_distance.scale[kinds], data.feature_distance.shift[kinds]
    sizes = np.linalg.norm(scale * (np.abs(features) + np.abs(shift)), axis=1)
    return float(sizes.max(initial=1.0))


def _compare(
    path: str, reference: MemberResults, others: tuple[MemberResults, np.ndarray], distance_digits: float
) -> list[Difference]:
    members, mean_gradients = others
    if (reference.distances is None) != (members.distances is None):
        raise ModelFileError(
            f"verification failed, nothing was written: {path} and the model differ in distances"
        )
    differences = []
    if reference.distances is not None and members.distances is not None:
        found = _largest(path, "distances", reference.distances, members.distances)
        differences.append(replace(found, allowed=max(found.allowed, TOLERANCE * distance_digits)))
    return [
        *differences,
        _largest(path, "member energies", reference.energies, members.energies),
        _largest(path, "pair gradients", reference.pair_gradients.mean(0), mean_gradients),
        _largest(path, "member pair gradients", reference.pair_gradients, members.pair_gradients),
    ]


def _largest(path: str, quantity: str, reference: np.ndarray, other: np.ndarray) -> Difference:
    if reference.shape != other.shape:
        raise ModelFileError(
            f"verification failed, nothing was written: {quantity} of {path} has shape {other.shape} "
            f"instead of {reference.shape}"
        )
    allowed = TOLERANCE * max(1.0, float(np.abs(reference).max(initial=0.0)))
    if reference.size == 0:
        return Difference(path, quantity, 0.0, 0.0, 0.0, allowed)
    distance = np.where(np.isfinite(other), np.abs(other - reference), np.inf)
    at = np.unravel_index(int(distance.argmax()), distance.shape)
    return Difference(path, quantity, float(distance[at]), float(reference[at]), float(other[at]), allowed)
