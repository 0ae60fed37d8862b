"""Quantities of a frame that ``lmlp md --observables`` and ``lmlp.reweight`` know by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import ArrayLike

from lmlp.errors import DataError, InvalidArgumentError
from lmlp.observables.radial import RadialDistribution

# g/cm³ of u/Å³
_DENSITY = 1.66053906892

KNOWN = (
    "energy, volume, density, distance:0-1 and angle:0-1-2 (atoms counted from 0), "
    "rdf:O-H and rdf:O-H:8 (up to 8 Å)"
)


@dataclass(frozen=True)
class Quantity:
    """Something that each frame has.

    Attributes:
        name: as the user names it.
        unit: "" for none.
        of: computes it, a number or an array of always the same shape; None: it is known otherwise.
        axis: positions of the points of a curve, or None.
        axis_label: what they are, with unit.
        is_energy: it is the potential energy, which each member has its own of.
    """

    name: str
    unit: str
    of: Callable[[Atoms], ArrayLike] | None
    axis: np.ndarray | None = None
    axis_label: str = ""
    is_energy: bool = False

    def __call__(self, atoms: Atoms) -> np.ndarray:
        """Return the value of a frame.

        Raises:
            DataError: the frame has no such quantity, or it is no number.
        """
        assert self.of is not None
        value = self.of(atoms)
        try:
            return np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError):
            raise DataError(f"{self.name}: {value!r} is neither a number nor an array of numbers") from None


def parse_quantities(text: str) -> list[Quantity]:
    """Read a list of names with commas between them.

    Raises:
        InvalidArgumentError: no name, an unknown one, or one that comes twice.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise InvalidArgumentError(f"no observable is named; there are {KNOWN}")
    twice = [name for k, name in enumerate(names) if name in names[:k]]
    if twice:
        raise InvalidArgumentError(f"{twice[0]} is named twice among the observables")
    return [parse_quantity(name) for name in names]


def parse_quantity(name: str) -> Quantity:
    """Read a name, e.g. ``rdf:O-H``.

    Raises:
        InvalidArgumentError: an unknown name; all are named.
    """
    kind, _, rest = name.partition(":")
    if not rest and kind in _PLAIN:
        return _PLAIN[kind]
    if kind == "rdf" and rest:
        radial = RadialDistribution.parse(rest)
        return Quantity(name, "", radial, radial.centers, "r (Å)")
    if kind in _BETWEEN:
        n_atoms, unit, of = _BETWEEN[kind]
        return Quantity(name, unit, _Between(name, _indices(name, rest, n_atoms), of))
    raise InvalidArgumentError(f"{name!r} is not an observable; there are {KNOWN}")


def check_frame(quantities: Iterable[Quantity], atoms: Atoms) -> None:
    """Compute each quantity of one frame.

    Raises:
        DataError: the frame has not all of them.
    """
    for quantity in quantities:
        if quantity.of is not None:
            quantity(atoms)


@dataclass(frozen=True)
class _Between:
    """A distance or an angle between atoms, over the nearest images."""

    name: str
    indices: tuple[int, ...]
    function: Callable[..., float]

    def __call__(self, atoms: Atoms) -> float:
        if max(self.indices) >= len(atoms):
            raise DataError(f"{self.name}: there are {len(atoms)} atoms, counted from 0")
        return float(self.function(atoms, *self.indices, mic=bool(atoms.pbc.any())))


def _indices(name: str, text: str, n_atoms: int) -> tuple[int, ...]:
    words = text.split("-")
    if (
        len(words) != n_atoms
        or not all(w.isascii() and w.isdigit() for w in words)
        or len(set(words)) < n_atoms
    ):
        raise InvalidArgumentError(
            f"{name!r}: give {n_atoms} different atoms, counted from 0, with - between them"
        )
    return tuple(int(word) for word in words)


def _volume(atoms: Atoms) -> float:
    if atoms.cell.rank < 3:
        raise DataError("volume and density need three cell vectors")
    return float(atoms.get_volume())


def _density(atoms: Atoms) -> float:
    return _DENSITY * float(atoms.get_masses().sum()) / _volume(atoms)


_PLAIN = {
    "energy": Quantity("energy", "eV", None, is_energy=True),
    "volume": Quantity("volume", "Å³", _volume),
    "density": Quantity("density", "g/cm³", _density),
}
_BETWEEN: dict[str, tuple[int, str, Callable[..., float]]] = {
    "distance": (2, "Å", Atoms.get_distance),
    "angle": (3, "°", Atoms.get_angle),
}
