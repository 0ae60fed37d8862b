"""Under which names a data file keeps energy, forces, stress and virial."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lmlp.errors import InvalidArgumentError

NONE = "none"
"""Key that says: do not read this label."""

# Lower-case names that are taken for a label when the user names none; case is ignored in the file.
# calculator. and info.: where an ASE file says two things under one name
_PREFIXES = ("", "ref_", "dft_", "qm_", "reference_", "calculator.", "info.")
_STEMS = {
    "energy": ("energy", "total_energy", "totenergy", "potential_energy", "energies_total"),
    "forces": ("forces", "force"),
    "stress": ("stress", "stresses"),
    "virial": ("virial", "virials"),
}
GUESSES = {label: tuple(p + s for s in stems for p in _PREFIXES) for label, stems in _STEMS.items()}
FREE_ENERGY = tuple(p + "free_energy" for p in _PREFIXES)
LABELS = tuple(GUESSES)


@dataclass(frozen=True)
class DataKeys:
    """Names of the labels in a data file; None guesses, ``"none"`` leaves the label out.

    Guessed are ``energy``, ``total_energy``, ``TotEnergy``, ``potential_energy``; ``forces``, ``force``;
    ``stress``; ``virial``; each also with ``REF_``, ``dft_``, ``qm_`` or ``reference_`` before it, in any
    case. ``free_energy`` is taken for the energy only where there is no other.

    Attributes:
        energy: total energy in eV.
        forces: eV/Å.
        stress: eV/Å³, tension positive (ASE sign): 3x3, nine numbers, or Voigt xx yy zz yz xz xy.
        virial: eV, equal to −V·stress; same shapes. Left out with the stress if only that is ``"none"``.
        weights: ``"none"`` ignores weights in the files that are neither 0 nor 1; a weight of 0 leaves its
            label out in any case.
        units: ``"none"`` ignores what the files say of their units.

    Raises:
        InvalidArgumentError: ``weights`` or ``units`` with another value.
    """

    energy: str | None = None
    forces: str | None = None
    stress: str | None = None
    virial: str | None = None
    weights: str | None = None
    units: str | None = None

    def __post_init__(self) -> None:
        for name in ("weights", "units"):
            if getattr(self, name) not in (None, NONE):
                raise InvalidArgumentError(f"{name}: {getattr(self, name)!r}; the only choice is {NONE!r}")

    def wanted(self, label: str) -> str | None:
        """Return the name that the user gave for ``label``, or None to guess."""
        value = getattr(self, label)
        if label == "virial" and value is None and self.stress == NONE:
            return NONE
        return None if value is None else str(value)


def candidates(label: str, names: Iterable[str]) -> list[str]:
    """Return the names that may hold ``label``, best first."""
    present = list(names)
    found = [n for guess in GUESSES[label] for n in present if n.lower() == guess]
    if label == "energy":
        found += [n for guess in FREE_ENERGY for n in present if n.lower() == guess]
    return found


def is_free_energy(name: str) -> bool:
    """Tell whether ``name`` means the electronic free energy."""
    return name.lower() in FREE_ENERGY


# words in names that are about a label, but not the label of the structure in eV and Å
_OTHER_WORDS = """
sigma uncertainty error err std stdev var variance weight weights mask unit units type tol tolerance atom per
shift kinetic gap fermi cutoff repulsion nuclear hull formation binding cohesive zero correction dispersion
mae rmse max fmax min norm rms constant field change e0 lmlp hartree ha ry rydberg kcal kj mev
"""


def lookalikes(label: str, names: Iterable[str]) -> list[str]:
    """Return names that are no guess for ``label`` but may be it, for messages."""
    stem = {"energy": "energ", "forces": "forc", "stress": "stress", "virial": "virial"}[label]
    return [n for n in names if stem in n.lower() and _words(n).isdisjoint(_OTHER_WORDS.split())]


def _words(name: str) -> set[str]:
    """Cut a name at everything but letters and digits, and where capitals begin."""
    return {w.lower() for w in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name)}
