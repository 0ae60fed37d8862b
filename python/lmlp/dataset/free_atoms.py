"""The free atoms of a model: which energies it gets, and how loosely the atoms of its data are bound."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import numpy as np

from lmlp.audit.free_atom_findings import reference_message
from lmlp.dataset.arrays import Dataset
from lmlp.dataset.blocks import find_block
from lmlp.errors import DataError
from lmlp.model.free_atoms import neighbor_density, switching_density
from lmlp.structure import Structure
from lmlp.structure.free_atoms import FreeAtom, disagreements, ground_states, other_references, set_apart

_CHUNK = 64  # structures whose pair lists are held at once
_SAME = 1e-3  # eV; energies of a free atom that differ by more are not those of one calculation
_LONE = 0.05  # eV/atom; lone atoms in a box and as free atoms are the same to less
_NAMED = 5

FreeAtomBlock = dict[str, dict[str, float]]


def bound_ones(
    structures: Sequence[Structure], files: Sequence[object], cutoff: float
) -> tuple[list[Structure], list[FreeAtom]]:
    """Set the free atoms of some files apart; returns the structures to train on, and them.

    Raises:
        DataError: free atoms only; files and frames are named.
    """
    rest, free = set_apart(structures, cutoff)
    if free and not rest:
        raise nothing_bound(free, files)
    return rest, free


def nothing_bound(atoms: Iterable[FreeAtom], files: Sequence[object]) -> DataError:
    """Return the error of files that hold free atoms only."""
    names = named([a.source for a in atoms])
    return DataError(
        f"{', '.join(map(str, files))}: nothing to train on, all structures are isolated atoms ({names})"
    )


def named(sources: Sequence[str]) -> str:
    """Return the first sources as text."""
    more = f" and {len(sources) - _NAMED} more" if len(sources) > _NAMED else ""
    return ", ".join(sources[:_NAMED]) + more


def tell_disagreements(atoms: Sequence[FreeAtom], say: Callable[[str], None]) -> None:
    """Say which elements have several energies.

    Raises:
        DataError: two energies of one file contradict each other.
    """
    for d in disagreements(atoms):
        if d.is_error:
            raise DataError(f"{d.message} ({named(d.sources)})")
        say(f"warning: {d.message} ({named(d.sources)})")


def free_energies(
    dataset: Dataset, rows: np.ndarray, given: Mapping[str, float], say: Callable[[str], None]
) -> dict[str, float]:
    """Choose the energies of free atoms that a model gets, in eV by symbol.

    Args:
        dataset: with the free atoms of its files.
        rows: structures that train.
        given: energies that win over those of the files.
        say: hears what was chosen and why.
    """
    chosen = ground_states(dataset.free_atoms)
    alone = [e for e in chosen if e not in dataset.elements]
    if alone:
        sources = named([a.source for a in dataset.free_atoms if a.element in alone])
        say(f"{', '.join(alone)}: isolated atoms only ({sources}), no structure to learn from: left out")
    found = {e: a for e, a in chosen.items() if e in dataset.elements}
    energies = {e: float(a.energy) for e, a in found.items() if a.energy is not None}
    for e in sorted(set(given) & set(energies)):
        if abs(given[e] - energies[e]) > _SAME:
            say(
                f"warning: model.atomic_energies has {given[e]:.9g} eV for {e}, the isolated atom in "
                f"{found[e].source} {energies[e]:.9g} eV: the former is taken"
            )
    all_of_them = {**energies, **given}
    wrong = other_references(all_of_them, dataset.elements, dataset.counts[rows], dataset.energies[rows])
    if wrong:
        say(f"warning: {reference_message(wrong)}; no lone atom gets them")
    energies = {e: value for e, value in energies.items() if e not in wrong and e not in given}
    if energies:
        frames = named([found[e].source for e in energies])
        say(
            f"isolated atoms {', '.join(energies)} ({frames}): not trained on; the model gets their energies "
            "for atoms without neighbors"
        )
    return {**energies, **{e: float(value) for e, value in given.items() if e not in wrong}}


def tell_known(atoms: Sequence[FreeAtom], known: FreeAtomBlock, say: Callable[[str], None]) -> list[FreeAtom]:
    """Compare free atoms with those that a model has; returns the others."""
    chosen = ground_states(atoms)
    other = [
        a for e, a in chosen.items() if e in known and abs((a.energy or 0.0) - known[e]["energy"]) > _SAME
    ]
    if other:
        values = ", ".join(
            f"{a.element} {a.energy:.9g} eV in {a.source}, {known[a.element]['energy']:.9g} eV in the model"
            for a in other
        )
        say(f"warning: isolated atoms have other energies than in the model, which keeps its own: {values}")
    return [a for a in atoms if a.element not in known]


def smallest_densities(dataset: Dataset, rows: np.ndarray, cutoff: float) -> dict[str, float]:
    """Find the smallest neighbor density of each element's atoms in some structures; elements that occur."""
    smallest = np.full(len(dataset.elements), np.inf)
    for start in range(0, len(rows), _CHUNK):
        ids = rows[start : start + _CHUNK]
        pairs = find_block(dataset, ids, cutoff).environments
        atoms = np.concatenate([np.arange(dataset.first_atom[i], dataset.first_atom[i + 1]) for i in ids])
        np.minimum.at(smallest, dataset.species[atoms], neighbor_density(pairs, cutoff))
    return {e: float(x) for e, x in zip(dataset.elements, smallest, strict=True) if np.isfinite(x)}


def unlike_free(
    dataset: Dataset,
    rows: np.ndarray,
    cutoff: float,
    energies: Mapping[str, float],
    smallest: Mapping[str, float],
) -> set[str]:
    """Find elements whose lone atoms have other energies in structures than as free atoms.

    Judged are structures of lone atoms only, as at the end of a dissociation; spin may make the difference.

    Args:
        dataset: with energies.
        rows: structures that train.
        cutoff: Å.
        energies: of free atoms in eV by symbol.
        smallest: neighbor densities of the atoms that train, by symbol.
    """
    lone = [e for e in energies if smallest.get(e) == 0.0]
    if not lone:
        return set()
    free = np.array([energies.get(e, np.nan) for e in dataset.elements])
    found: set[str] = set()
    for i in rows:
        counts = dataset.counts[i]
        present = counts > 0
        if not np.isfinite(dataset.energies[i]) or not np.isfinite(free[present]).all():
            continue
        rest = dataset.energies[i] - counts[present] @ free[present]
        if abs(rest) > _LONE * counts.sum() and not len(find_block(dataset, [int(i)], cutoff).neighbors):
            found |= {dataset.elements[k] for k in np.flatnonzero(present)}
    return found & set(lone)


def make_block(
    energies: Mapping[str, float],
    smallest: Mapping[str, float],
    unlike: Collection[str],
    say: Callable[[str], None],
) -> FreeAtomBlock | None:
    """Return the ``free_atoms`` block of a model, None for none.

    Args:
        energies: in eV by symbol.
        smallest: neighbor densities of the atoms that train, by symbol.
        unlike: elements whose lone atoms have other energies in structures; they learn from these, and have
            no entry.
        say: hears which they are.
    """
    for e in sorted(unlike):
        say(
            f"warning: structures of lone atoms of {e} have other energies than its isolated atom: the "
            "energy of a lone atom is learned from these structures"
        )
    block = {
        e: {"energy": energy, "density": switching_density(smallest[e])}
        for e, energy in energies.items()
        if e in smallest and e not in unlike
    }
    return block or None


def continued_block(
    known: FreeAtomBlock,
    energies: Mapping[str, float],
    smallest: Mapping[str, float],
    unlike: Collection[str],
    say: Callable[[str], None],
) -> FreeAtomBlock | None:
    """Return the block of a model that has learned more: its own energies, and those of new elements.

    Args:
        known: block of the model before.
        energies: of elements without an entry there, in eV by symbol.
        smallest: neighbor densities of the atoms that train now, by symbol.
        unlike: as of :func:`make_block`.
        say: hears which elements have no entry any more.
    """
    own = {e: entry["energy"] for e, entry in known.items()}
    bound = {e: smallest.get(e, np.inf) for e in own}
    block = make_block({**own, **energies}, {**smallest, **bound}, unlike, say) or {}
    for e, entry in block.items():
        if e in known:
            entry["density"] = min(entry["density"], known[e]["density"])
    return block or None
