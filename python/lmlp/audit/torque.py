"""Net torques on molecules that are not periodic: no potential can reproduce them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lmlp.audit.finding import Finding, sources
from lmlp.structure import Structure

_SHARE = 0.1  # of Σ|r×F|'s bound Σ|r||F|; calculations leave less than 0.01
SMALLEST = 0.01  # eV/Å; the torque as a force on each atom; grids and loose convergence leave less


def check_torques(structures: Sequence[Structure]) -> list[Finding]:
    """Forces that turn a free molecule: of another orientation, of other atoms, or of another structure."""
    found, largest = [], 0.0
    usable = [s for s in structures if s.forces is not None and len(s) > 1 and not s.pbc.any()]
    for s in usable:
        share, force = net_torque(s)
        if share > _SHARE and force > SMALLEST:
            found.append(s)
            largest = max(largest, share)
    if not found:
        return []
    message = (
        f"net torque in {len(found)} of {len(usable)} structures that are not periodic, up to {largest:.2f} "
        "of Σ|r||F|: no potential can reproduce it. Forces in another orientation than the positions "
        "(Gaussian: standard and input orientation), of atoms in another order, of another structure, or of "
        "a periodic structure whose cell is lost?"
    )
    return [Finding("warning", "net-torque", message, sources(found))]


def net_torque(structure: Structure) -> tuple[float, float]:
    """Return |Σ r×F| / Σ |r||F|, and |Σ r×F| / Σ |r| in eV/Å; r from the center, F without a net force."""
    arms = structure.positions - structure.positions.mean(axis=0)
    forces = structure.forces - structure.forces.mean(axis=0)  # type: ignore[union-attr]
    torque = float(np.linalg.norm(np.cross(arms, forces).sum(axis=0)))
    lengths = np.linalg.norm(arms, axis=1)
    bound = float((lengths * np.linalg.norm(forces, axis=1)).sum())
    return (torque / bound, torque / float(lengths.sum())) if bound > 0.0 else (0.0, 0.0)
