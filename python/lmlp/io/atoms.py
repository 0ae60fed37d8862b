"""Reference structures from ``ase.Atoms``, as reading a file of them would give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from lmlp.errors import DataError
from lmlp.io.formats.atoms import frame_of
from lmlp.io.frame import Frame
from lmlp.io.keys import DataKeys
from lmlp.io.notes import Notes
from lmlp.io.read import labeled
from lmlp.structure import Structure

if TYPE_CHECKING:
    from ase import Atoms


def structures_of(
    atoms: Iterable[Atoms], keys: DataKeys | None = None, *, name: str = "atoms"
) -> list[Structure]:
    """Return structures with the labels that ``Atoms`` hold: in ``calc.results``, ``info`` or ``arrays``.

    Nothing is computed: a calculator without results gives no labels.

    Args:
        atoms: in Å, with labels in eV, eV/Å, eV/Å³.
        keys: names of the labels; see DataKeys for what is guessed.
        name: of the list, for messages: ``atoms:3`` is the fourth.

    Returns:
        Structures in Å, eV, eV/Å, eV/Å³ (stress: tension positive). Remarks on them are DataWarnings.

    Raises:
        DataError: ambiguous or missing labels; results of a calculator that belong to other atoms or places.
        UnknownElementError, GeometryError: as :func:`lmlp.io.read_structures`.
    """
    return list(labeled(_frames(atoms, name), keys or DataKeys(), Notes(name)))


def _frames(atoms: Iterable[Atoms], name: str) -> Iterator[Frame]:
    for index, one in enumerate(atoms):
        source = f"{name}:{index}"
        _check_results(one, source)
        yield frame_of(one, source)


def _check_results(atoms: Atoms, source: str) -> None:
    """Refuse results of a calculator that are those of another structure."""
    calculator = atoms.calc
    if calculator is None or not getattr(calculator, "results", None):
        return
    changed = calculator.check_state(atoms) if hasattr(calculator, "check_state") else []
    if changed:
        raise DataError(
            f"{source}: the results of its calculator belong to another structure ({', '.join(changed)} "
            "differ): compute them again, or keep those of each structure in a SinglePointCalculator"
        )
