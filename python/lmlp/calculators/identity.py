"""What atoms are beside positions, momenta and cell: isotopes, constraints, tags; kept from file to file.

ASE takes natural masses and free atoms for granted wherever a file does not say otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms
from ase.constraints import FixBondLengths, FixConstraint, dict2constraint
from ase.io.jsonio import decode, encode

from lmlp.errors import DataError, InvalidArgumentError
from lmlp.io.keys import LABELS, candidates

_ARRAYS = ("masses", "tags", "initial_charges", "initial_magmoms")


def check_atoms(atoms: Atoms) -> None:
    """Refuse masses that move nothing, and constraints that no file can keep.

    Raises:
        InvalidArgumentError: names the atom, or the constraint.
    """
    masses = atoms.get_masses()
    for i in np.flatnonzero(~(np.isfinite(masses) & (masses > 0))):
        raise InvalidArgumentError(
            f"atom {i} ({atoms.symbols[i]}) has the mass {masses[i]} u: give a positive number"
        )
    identity(atoms)


def identity(atoms: Atoms) -> str:
    """Return all of it as text (JSON).

    Raises:
        InvalidArgumentError: a constraint that cannot be written.
    """
    constraints = []
    for constraint in atoms.constraints:
        try:
            constraints.append(_described(constraint, atoms))
        except (AttributeError, NotImplementedError):
            name = type(constraint).__name__
            raise InvalidArgumentError(f"the constraint {name} cannot be kept in a restart file") from None
    arrays = {name: atoms.arrays[name] for name in _ARRAYS if atoms.has(name)}
    return str(
        encode({"arrays": arrays, "pbc": atoms.pbc, "constraints": constraints, "info": _plain(atoms.info)})
    )


def _described(constraint: FixConstraint, atoms: Atoms) -> dict[str, Any]:
    """Return a constraint as plain data; ASE leaves out the lengths that rigid bonds began with."""
    found: dict[str, Any] = constraint.todict()
    if isinstance(constraint, FixBondLengths):
        lengths = constraint.bondlengths
        if lengths is None:
            lengths = constraint.initialize_bond_lengths(atoms)
        found["kwargs"]["bondlengths"] = [float(x) for x in lengths]
    return found


def _plain(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries that can be written; a run does not depend on any."""
    kept = {}
    for name, value in info.items():
        try:
            encode({name: value})
        except (TypeError, ValueError):
            continue
        kept[name] = value
    return kept


def restore(atoms: Atoms, text: str) -> None:
    """Give atoms the identity of an earlier run.

    Args:
        atoms: as read from the start; what they do not say is taken over.
        text: from :func:`identity`.

    Raises:
        DataError: the atoms have other masses, constraints or periodicity; it says which.
    """
    kept: Mapping[str, Any] = decode(text)
    natural = Atoms(atoms.numbers).get_masses()
    masses = kept["arrays"].get("masses", natural)
    now = [c.todict() for c in atoms.constraints]
    constraints = [dict2constraint(c) for c in kept["constraints"]]
    changed = {
        "masses": atoms.has("masses") and not np.array_equal(atoms.get_masses(), masses),
        "constraints": bool(atoms.constraints) and encode(now) != encode([c.todict() for c in constraints]),
        "pbc": not np.array_equal(atoms.pbc, kept["pbc"]),
    }
    if any(changed.values()):
        raise DataError(", ".join(name for name, differs in changed.items() if differs))
    for name in _ARRAYS:
        atoms.set_array(name, kept["arrays"].get(name))
    atoms.set_constraint(constraints)
    atoms.info = {**atoms.info, **kept["info"]}


def frame_of(atoms: Atoms) -> tuple[Atoms, list[str]]:
    """Copy atoms for a trajectory, without labels of the structure that the run began with.

    Returns:
        the copy; names of its columns that tell isotopes, constraints and tags.
    """
    frame = atoms.copy()
    for label in LABELS:
        for name in candidates(label, list(frame.info)):
            del frame.info[name]
    columns = [name for name in _ARRAYS if atoms.has(name)]
    return frame, columns + ["move_mask"] * bool(atoms.constraints)
