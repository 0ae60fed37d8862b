"""Pairs of similar structures: what forces and stress say about their difference in energy.

Two structures i and j with the same atoms in the same order differ by displacements Δ and, where all
directions are periodic, by a strain ε. By the trapezoidal rule

    E_j − E_i ≈ −½ (F_i + F_j)·Δ + ½ (V_i σ_i + V_j σ_j):ε

Displacements are counted to the nearest periodic image, without translation; molecules that are not periodic
are turned onto each other first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lmlp.structure import Structure

FARTHEST = 0.35  # Å, root mean square displacement; farther apart, the trapezoidal rule says little
LARGEST_STRAIN = 0.1
SAME_CELL = 1e-4  # strain below which two cells are the same
_NEIGHBORS = 4  # pairs per structure
_GROUP = 400  # structures of one kind that are compared with each other
_WINDOW = 40  # consecutive structures that stay together where a kind has more
_TOTAL = 4000  # structures that are compared in all
_NUMBERS = 4_000_000  # coordinates of one kind at a time


@dataclass(frozen=True)
class Pair:
    """Two similar structures; energies in eV.

    Attributes:
        first, second: indices i and j.
        rise: E_j − E_i.
        force: −½ F_i·Δ and −½ F_j·Δ.
        stress: ½ V σ:ε with the stress of i and of j; None where one has no stress.
        distance: root mean square displacement in Å.
        strain: largest component of ε.
    """

    first: int
    second: int
    rise: float
    force: tuple[float, float]
    stress: tuple[float, float] | None
    distance: float
    strain: float


def similar_pairs(structures: Sequence[Structure], kinds: Sequence[str]) -> list[Pair]:
    """Find pairs of similar structures of the same kind, atoms, order and boundaries.

    Args:
        structures: those without energy, and single atoms that are not periodic, are left out.
        kinds: one per structure; structures of different kind are not compared.

    Returns:
        at most four new pairs per structure. Of large sets, some windows of consecutive structures are
        compared, so that the time grows in proportion to the number of structures at most.
    """
    groups: dict[tuple[str, bytes, bytes], list[int]] = {}
    for i, s in enumerate(structures):
        if s.energy is not None and (len(s) > 1 or s.pbc.all()):
            groups.setdefault((kinds[i], s.numbers.tobytes(), s.pbc.tobytes()), []).append(i)
    several = [group for group in groups.values() if len(group) > 1]
    pairs: list[Pair] = []
    left = _TOTAL
    # in any order, so that not only the first files are compared where there are more than can be
    for group in (several[k] for k in np.random.default_rng(0).permutation(len(several))):
        members = _windows(group, min(_GROUP, left, 1 + _NUMBERS // (3 * len(structures[group[0]]))))
        if len(members) > 1:
            pairs += _pairs_among(structures, members)
            left -= len(members)
    return pairs


def _windows(members: list[int], most: int) -> list[int]:
    """Take at most ``most`` members: windows of consecutive ones, evenly spread."""
    if len(members) <= most:
        return members
    width = min(_WINDOW, most)
    starts = np.linspace(0, len(members) - width, max(1, most // _WINDOW)).astype(int)
    return [members[k] for k in sorted({s + j for s in starts.tolist() for j in range(width)})]


def _pairs_among(structures: Sequence[Structure], members: list[int]) -> Iterator[Pair]:
    frames = [_Frame(structures[i], structures[members[0]]) for i in members]
    vectors = np.array([f.place for f in frames])
    vectors -= vectors.mean(axis=0)
    squares = np.square(vectors).sum(axis=1)
    distances = squares[:, None] + squares[None, :] - 2.0 * vectors @ vectors.T
    np.fill_diagonal(distances, np.inf)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :_NEIGHBORS]
    seen = {(min(a, b), max(a, b)) for a, row in enumerate(nearest.tolist()) for b in row if a != b}
    for a, b in sorted(seen):
        pair = _compare(frames[a], frames[b], members[a], members[b])
        if pair is not None:
            yield pair


class _Frame:
    """A structure in coordinates that can be compared: turned or wrapped like a reference."""

    def __init__(self, structure: Structure, reference: Structure) -> None:
        self.structure = structure
        centered = structure.positions - structure.positions.mean(axis=0)
        self.cell = _completed(structure)
        if not structure.pbc.any():
            start = reference.positions - reference.positions.mean(axis=0)
            self.positions = centered
            self.place = (centered @ _rotation(centered, start)).ravel()
            return
        self.positions = np.linalg.solve(self.cell.T, structure.positions.T).T
        start_cell = _completed(reference)
        start = np.linalg.solve(start_cell.T, reference.positions.T).T
        step = _nearest(self.positions - start, structure.pbc)
        self.place = np.concatenate([((start + step) @ self.cell).ravel(), self.cell.ravel()])


def _completed(structure: Structure) -> np.ndarray:
    """Return the cell with unit vectors across in place of directions that are not periodic."""
    cell: np.ndarray = structure.cell.copy()
    if structure.pbc.all() or not structure.pbc.any():
        return cell
    across = np.linalg.svd(cell[structure.pbc])[2][int(structure.pbc.sum()) :]
    cell[~structure.pbc] = across * np.sign(across.sum(axis=1, keepdims=True) + 1e-12)
    return cell


def _rotation(positions: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """Return the rotation R for which positions @ R comes closest to ``onto``."""
    u, _, vt = np.linalg.svd(positions.T @ onto)
    proper = np.sign(np.linalg.det(u @ vt))
    return np.asarray(u @ np.diag([1.0, 1.0, proper]) @ vt)


def _nearest(step: np.ndarray, pbc: np.ndarray) -> np.ndarray:
    """Return fractional displacements to the nearest image, without a common translation."""
    step = step - step[0]
    step[:, pbc] -= np.round(step[:, pbc])
    return np.asarray(step - step.mean(axis=0))


def _compare(one: _Frame, other: _Frame, first: int, second: int) -> Pair | None:
    a, b = one.structure, other.structure
    strain = np.zeros((3, 3))
    turn = np.eye(3)
    if a.pbc.any():
        middle = 0.5 * (one.cell + other.cell)
        strain = np.linalg.solve(middle, other.cell - one.cell)
        strain = 0.5 * (strain + strain.T)
        step = _nearest(other.positions - one.positions, a.pbc) @ middle
    else:
        turn = _rotation(other.positions, one.positions)
        step = other.positions @ turn - one.positions
    distance = float(np.sqrt(np.square(step).sum(axis=1).mean()))
    largest = float(np.abs(strain).max())
    if (
        distance > FARTHEST
        or largest > LARGEST_STRAIN
        or (a.pbc.any() and not a.pbc.all() and largest > SAME_CELL)
    ):
        return None
    if a.forces is None or b.forces is None:
        if distance > 1e-4:
            return None
        force = (0.0, 0.0)
    else:
        force = (-0.5 * float((a.forces * step).sum()), -0.5 * float(((b.forces @ turn) * step).sum()))
    stress = None
    if a.stress is not None and b.stress is not None and a.pbc.all():
        parts = [0.5 * float((s.stress * strain).sum()) for s in (a, b)]  # type: ignore[operator]
        stress = (a.volume * parts[0], b.volume * parts[1])
    rise = float(b.energy - a.energy)  # type: ignore[operator]
    return Pair(first, second, rise, force, stress, distance, largest)
