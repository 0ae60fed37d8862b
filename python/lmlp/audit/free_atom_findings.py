"""What the data report says of free atoms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lmlp.audit.finding import Finding
from lmlp.elements import symbol
from lmlp.structure import Structure
from lmlp.structure.composition import composition_matrix
from lmlp.structure.free_atoms import (
    DEFAULT_CUTOFF,
    FreeAtom,
    disagreements,
    free_atom,
    ground_states,
    has_neighbors,
    is_called_free,
    is_free_atom,
    other_references,
)


def check_free_atoms(structures: Sequence[Structure], cutoff: float = DEFAULT_CUTOFF) -> list[Finding]:
    """Free atoms, their contradictions, and energies of another reference than those of the structures.

    Args:
        structures: all.
        cutoff: Å; an atom without neighbors within it is free.
    """
    free = [s for s in structures if is_free_atom(s, cutoff)]
    found = _wrongly_called(structures)
    if not free:
        return found
    atoms = [free_atom(s, cutoff) for s in free]
    elements = ", ".join(sorted({a.element for a in atoms}))
    message = (
        f"{len(free)} isolated atoms (no neighbor within {cutoff:g} Å, or so called): {elements}; they are "
        "reference energies of lone atoms, not structures to train on"
    )
    found.append(Finding("note", "isolated-atoms", message, [s.source for s in free]))
    crowded = [s.source for s in free if has_neighbors(s, cutoff)]
    if crowded:
        message = (
            f"{len(crowded)} structures called isolated atoms have images within {cutoff:g} Å: taken as "
            "isolated all the same"
        )
        found.append(Finding("note", "isolated-atoms-crowded", message, crowded))
    silent = [a.source for a in atoms if a.energy is None]
    if silent:
        message = f"{len(silent)} isolated atoms without an energy: of no use"
        found.append(Finding("note", "isolated-atoms-no-energy", message, silent))
    for d in disagreements(atoms):
        level = "error" if d.is_error else "warning"
        found.append(Finding(level, "isolated-atoms-differ", d.message, d.sources))
    rest = [s for s in structures if not is_free_atom(s, cutoff)]
    return found + (_references(rest, atoms) if rest else [])


def _wrongly_called(structures: Sequence[Structure]) -> list[Finding]:
    several = [s.source for s in structures if len(s) > 1 and is_called_free(s)]
    if not several:
        return []
    message = (
        f"{len(several)} structures are called isolated atoms and have several: taken as any other structure"
    )
    return [Finding("note", "not-isolated", message, several)]


def _references(structures: Sequence[Structure], atoms: Sequence[FreeAtom]) -> list[Finding]:
    chosen = ground_states(atoms)
    numbers, counts = composition_matrix(structures)
    energies = np.array([np.nan if s.energy is None else s.energy for s in structures])
    free = {e: a.energy for e, a in chosen.items() if a.energy is not None}
    wrong = other_references(free, [symbol(z) for z in numbers], counts, energies)
    if not wrong:
        return []
    sources = [chosen[e].source for e in wrong]
    return [Finding("warning", "other-reference", reference_message(wrong), sources)]


def reference_message(wrong: Mapping[str, float]) -> str:
    """Say which free atoms do not belong to the structures; see ``other_references``."""
    worst = max(wrong.values(), key=abs)
    return (
        f"energies of isolated atoms ({', '.join(wrong)}) are of another reference than those of the "
        f"structures: per atom these lie {worst:+.4g} eV from them, bonds are worth 0 to −10 eV"
    )
