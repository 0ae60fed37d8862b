"""Free atoms: single atoms whose energies are reference states, and no structures to train on.

Data sets list them beside molecules and crystals. A bulk cell of one atom is none: its images are neighbors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lmlp.elements import symbol
from lmlp.neighbors import find_neighbors
from lmlp.structure import Structure

DEFAULT_CUTOFF = 4.5
"""Å; that of the default symmetry functions, for whoever has no model."""

SAME_ENERGY = 1e-6  # eV; what printing leaves
CONTRADICTION = 0.5  # eV; boxes, cutoffs and smearing move the energy of an atom by less
STRONGEST_BOND = 20.0  # eV/atom; tungsten has 9, diamond 8
MOST_ABOVE = 2.0  # eV/atom; no data set lies so far above its free atoms as a whole

_NAMES = ("isolatedatom", "isolatedatoms", "isolated", "freeatom", "freeatoms")
_CHARGES = ("charge", "total_charge", "totalcharge", "tot_charge")
_SPINS = ("spin", "total_spin", "multiplicity", "spin_multiplicity", "magmom", "magnetic_moment")


@dataclass(frozen=True)
class FreeAtom:
    """What the data say of a free atom.

    Attributes:
        element: chemical symbol.
        energy: eV, or None.
        source: file and frame.
        state: what the frame tells of charge and spin, as sorted (name, value) pairs.
        charged: whether it tells of a charge other than 0.
        room: distance of its nearest image in Å; None if there is none within two cutoffs, or if the file
            calls it free.
    """

    element: str
    energy: float | None
    source: str
    state: tuple[tuple[str, str], ...] = ()
    charged: bool = False
    room: float | None = None


def is_called_free(structure: Structure) -> bool:
    """Tell whether the file calls it an isolated atom (``config_type=IsolatedAtom``), in any spelling."""
    return any(
        name.lower() == "config_type" and "".join(filter(str.isalpha, str(value))).lower() in _NAMES
        for name, value in structure.info.items()
    )


def has_neighbors(structure: Structure, cutoff: float) -> bool:
    """Tell whether any pair, periodic images included, is closer than the cutoff in Å."""
    return find_neighbors(structure.positions, structure.cell, structure.pbc, cutoff).n_pairs > 0


def is_free_atom(structure: Structure, cutoff: float) -> bool:
    """Tell whether a structure is one atom without neighbors within the cutoff in Å, or called so."""
    return len(structure) == 1 and (is_called_free(structure) or not has_neighbors(structure, cutoff))


def set_apart(structures: Sequence[Structure], cutoff: float) -> tuple[list[Structure], list[FreeAtom]]:
    """Divide structures into those to train on and the free atoms among them; both keep their order."""
    rest, free = [], []
    for s in structures:
        if is_free_atom(s, cutoff):
            free.append(free_atom(s, cutoff))
        else:
            rest.append(s)
    return rest, free


def free_atom(structure: Structure, cutoff: float) -> FreeAtom:
    """Return what a structure of one atom says; cutoff in Å."""
    info = {name.lower(): value for name, value in structure.info.items()}
    state = {name: str(info[name]) for name in (*_CHARGES, *_SPINS) if name in info}
    charged = any(_is_charge(info[name]) for name in _CHARGES if name in info)
    return FreeAtom(
        element=symbol(int(structure.numbers[0])),
        energy=structure.energy,
        source=structure.source,
        state=tuple(state.items()),
        charged=charged,
        room=None if is_called_free(structure) else _nearest(structure, 2.0 * cutoff),
    )


def _nearest(structure: Structure, reach: float) -> float | None:
    pairs = find_neighbors(structure.positions, structure.cell, structure.pbc, reach)
    return float(np.linalg.norm(pairs.vectors, axis=1).min()) if pairs.n_pairs else None


def to_plain(atom: FreeAtom) -> dict[str, Any]:
    """Return a free atom as plain data for JSON."""
    return {**asdict(atom), "state": [list(pair) for pair in atom.state]}


def from_plain(entry: Mapping[str, Any]) -> FreeAtom:
    """Return the free atom of :func:`to_plain`."""
    return FreeAtom(**{**entry, "state": tuple((name, value) for name, value in entry["state"])})


def _is_charge(value: Any) -> bool:
    try:
        return float(value) != 0.0
    except (TypeError, ValueError):
        return False


def ground_states(atoms: Sequence[FreeAtom]) -> dict[str, FreeAtom]:
    """Choose one energy per element: the lowest, of neutral atoms if there are any, with most room.

    A crystal stretched beyond the cutoff is no free atom yet if there is a better one.
    """
    chosen: dict[str, FreeAtom] = {}
    for atom in atoms:
        best = chosen.get(atom.element)
        if atom.energy is not None and (best is None or _rank(atom) < _rank(best)):
            chosen[atom.element] = atom
    return {element: chosen[element] for element in sorted(chosen)}


def _rank(atom: FreeAtom) -> tuple[bool, float, float]:
    room = np.inf if atom.room is None else atom.room
    return atom.charged, -room, np.inf if atom.energy is None else atom.energy


@dataclass(frozen=True)
class Disagreement:
    """Several energies of one element.

    Attributes:
        message: with element, energies and choice.
        sources: frames concerned.
        is_error: two frames of one file differ by more than what settings of a calculation change, and
            nothing in the file tells them apart: one of them is wrong.
    """

    message: str
    sources: list[str]
    is_error: bool


def disagreements(atoms: Sequence[FreeAtom]) -> list[Disagreement]:
    """Find elements with several energies; atoms of another charge or spin, said in the frame, differ
    rightly."""
    found = []
    for element, best in ground_states(atoms).items():
        alike = [a for a in atoms if a.element == element and a.energy is not None and a.state == best.state]
        energies = sorted({a.energy for a in alike if a.energy is not None})
        if energies[-1] - energies[0] <= SAME_ENERGY:
            continue
        listed = ", ".join(f"{e:.9g}" for e in energies[:5]) + (" …" if len(energies) > 5 else "")
        message = f"isolated atoms of {element} have different energies: {listed} eV"
        error = _spread_within_files([a for a in alike if a.room is None]) > CONTRADICTION
        message += (
            "; nothing tells which is right, keep one of them"
            if error
            else f"; the lowest of those with most room is taken, {best.energy:.9g} eV of {best.source}"
        )
        found.append(Disagreement(message, [a.source for a in alike], error))
    return found


def _spread_within_files(atoms: Sequence[FreeAtom]) -> float:
    files: dict[str, list[float]] = {}
    for atom in atoms:
        if atom.energy is not None:
            files.setdefault(atom.source.rpartition(":")[0], []).append(atom.energy)
    return max((max(energies) - min(energies) for energies in files.values()), default=0.0)


def other_references(
    free: Mapping[str, float], elements: Sequence[str], counts: np.ndarray, energies: np.ndarray
) -> dict[str, float]:
    """Find free atoms whose energies cannot belong to those of the structures.

    The energy of a structure less those of its free atoms is that of its bonds: some eV per atom below 0. An
    element is found if in the median of the structures with it the value is beyond 20 eV/atom, or if in all
    of them it is more than 2 eV/atom above 0.

    Args:
        free: energies of free atoms in eV by symbol.
        elements: symbols of the columns of ``counts``.
        counts: atoms per structure and element ``[n_structures, n_elements]``.
        energies: total energies in eV ``[n_structures]``, NaN where there is none.

    Returns:
        median in eV/atom by symbol. Structures with an element that has no free atom are not judged.
    """
    counts = np.asarray(counts, dtype=np.float64).reshape(-1, len(elements))
    atoms = np.array([free.get(e, np.nan) for e in elements])
    missing = counts[:, np.isnan(atoms)].sum(axis=1) > 0
    judged = np.isfinite(energies) & ~missing
    counts, energies = counts[judged], energies[judged]
    bonds = (energies - counts @ np.nan_to_num(atoms)) / counts.sum(axis=1)
    found = {}
    for k, element in enumerate(elements):
        mine = bonds[counts[:, k] > 0]
        if len(mine) and (abs(np.median(mine)) > STRONGEST_BOND or mine.min() > MOST_ABOVE):
            found[element] = float(np.median(mine))
    return found
