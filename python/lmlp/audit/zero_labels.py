"""Forces and stresses that are exactly zero where the geometry says they cannot be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lmlp.audit.finding import Finding, sources
from lmlp.neighbors import find_neighbors
from lmlp.structure import Structure
from lmlp.structure.geometry import BOND_FACTOR, Geometry, n_shapes
from lmlp.structure.radii import radii_of_numbers

_LOPSIDED = 0.02  # a shift of an atom by that share of a bond
_FEWEST = 2  # geometries; one may be relaxed to the last digit
_COARSE = 0.05  # of the typical value; what is printed in larger steps may be rounded to zero
_STRAINED = 1e-3
_MOVING = 1e-3  # eV/Å


def check_zero_forces(structures: Sequence[Structure], geometries: Sequence[Geometry]) -> list[Finding]:
    """Forces of zero, on all or some atoms, that no symmetry demands."""
    both = [
        (s, g) for s, g in zip(structures, geometries, strict=True) if s.forces is not None and len(s) > 1
    ]
    usable = [s for s, _ in both]
    still = [(s, g) for s, g in both if not np.any(s.forces)]
    found = []
    suspects = [(s, g) for s, g in still if lopsided(s).any()]
    if n_shapes([g for _, g in suspects]) >= _FEWEST:
        zero = [s for s, _ in suspects]
        where = "all structures" if len(still) == len(usable) else f"{len(zero)} of {len(usable)} structures"
        message = (
            f"all forces are exactly zero in {where}, though their atoms are not at symmetric places: "
            "placeholders, not forces"
        )
        found.append(Finding("warning", "zero-forces", message, sources(zero)))
    partly = [s for s in usable if _partly_zero(s)]
    if len(partly) >= _FEWEST:
        message = (
            f"forces of some atoms are exactly zero in {len(partly)} structures, though these atoms are not "
            "at symmetric places: fixed atoms, or forces that are missing?"
        )
        found.append(Finding("warning", "zero-forces-of-atoms", message, sources(partly)))
    return found


def lopsided(structure: Structure) -> np.ndarray:
    """Tell which atoms have bonds that do not balance each other, bool ``[n_atoms]``.

    An atom at a place of high symmetry has none, and neither has one without bonds.
    """
    radii = radii_of_numbers(structure.numbers)
    reach = BOND_FACTOR * 2 * float(radii.max())
    pairs = find_neighbors(structure.positions, structure.cell, structure.pbc, reach)
    lengths = np.linalg.norm(pairs.vectors, axis=1)
    tight = lengths / (radii[pairs.centers] + radii[pairs.neighbors])
    # fades out smoothly where bonds end, so that no bond counts on one side only
    weights = np.maximum(0.0, 1.0 - (tight / BOND_FACTOR) ** 2) ** 2 * radii[pairs.neighbors]
    arrows = pairs.vectors * (weights / np.maximum(lengths, 1e-12))[:, None]
    sums, total = np.zeros((len(structure), 3)), np.zeros(len(structure))
    np.add.at(sums, pairs.centers, arrows)
    np.add.at(total, pairs.centers, weights)
    return np.asarray(np.linalg.norm(sums, axis=1) > _LOPSIDED * np.maximum(total, 1e-12))


def _partly_zero(structure: Structure) -> bool:
    """Tell whether several atoms, not known to be held, feel nothing though others do."""
    from lmlp.io.labels import CONSTRAINED

    forces = structure.forces
    still = ~np.any(forces, axis=1)
    still[structure.info.get(CONSTRAINED, [])] = False
    if still.sum() < 2 or still.all():
        return False
    if _is_coarse(np.ravel(forces)):  # type: ignore[arg-type]
        return False
    return bool((still & lopsided(structure)).sum() >= 2)


def check_zero_stress(structures: Sequence[Structure], geometries: Sequence[Geometry]) -> list[Finding]:
    """Stresses of exactly zero in structures that are strained or whose atoms feel forces."""
    usable = [
        (s, g)
        for s, g in zip(structures, geometries, strict=True)
        if s.stress is not None and s.pbc.all() and g.bonds.any()
    ]
    zero = [s for s, _ in usable if not np.any(s.stress)]
    if not zero or _is_coarse(np.concatenate([np.ravel(s.stress) for s, _ in usable])):  # type: ignore[arg-type]
        return []
    moving = [s for s in zero if s.forces is not None and np.abs(s.forces).max() > _MOVING]
    wrong = moving + [s for s in _of_several_volumes(zero) if not any(s is m for m in moving)]
    if not wrong:
        return []
    message = (
        f"stress is exactly zero in {len(wrong)} of {len(usable)} structures, though they are strained or "
        "feel forces: a placeholder, not a label; leave it out with --stress-key none"
    )
    return [Finding("warning", "zero-stress", message, sources(wrong))]


def _is_coarse(values: np.ndarray) -> bool:
    """Tell whether values are printed so coarsely that some may be rounded to zero."""
    sizes = np.abs(values[values != 0.0])
    if sizes.size == 0:
        return False
    steps = sizes / sizes.min()
    even = bool((np.abs(steps - np.round(steps)) < 1e-3).all())
    return even and bool(_COARSE * float(np.median(steps)) < 1.0)


def _of_several_volumes(structures: Sequence[Structure]) -> list[Structure]:
    """Return the structures of compositions that occur here with more than one volume per atom."""
    groups: dict[bytes, list[Structure]] = {}
    for s in structures:
        elements, counts = np.unique(s.numbers, return_counts=True)
        groups.setdefault(elements.tobytes() + (counts / counts.min()).tobytes(), []).append(s)
    found: list[Structure] = []
    for members in groups.values():
        volumes = [s.volume / len(s) for s in members]
        if max(volumes) > (1.0 + _STRAINED) * min(volumes):
            found += members
    return found
