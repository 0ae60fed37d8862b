"""Units as people write them: ``eV/Å``, ``kcal mol^-1 A^-1``, ``Ha/Bohr``, ``hartree/(bohr^3)``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from lmlp.units import AVOGADRO, BAR, BOHR, ELEMENTARY_CHARGE, GPA, HARTREE

Powers = tuple[int, int, int, int]
"""Of energy, length, mol and atoms."""

_ENERGY, _LENGTH, _PRESSURE = (1, 0, 0, 0), (0, 1, 0, 0), (1, -3, 0, 0)
# calories and joules are known per mol only: nobody means them per structure
_PER_MOL_ONLY = (1, 0, 1, 0)
_KJ = 1000.0 / ELEMENTARY_CHARGE
_NAMES: tuple[tuple[str, float, Powers], ...] = (
    ("ev electronvolt electronvolts", 1.0, _ENERGY),
    ("mev", 1e-3, _ENERGY),
    ("hartree hartrees ha eh", HARTREE, _ENERGY),
    ("mhartree mha meh", 1e-3 * HARTREE, _ENERGY),
    ("rydberg rydbergs ry", 0.5 * HARTREE, _ENERGY),
    ("mrydberg mry", 0.5e-3 * HARTREE, _ENERGY),
    ("kcal", 4.184 * _KJ, _PER_MOL_ONLY),
    ("kj", _KJ, _PER_MOL_ONLY),
    ("mol mole", AVOGADRO, (0, 0, 1, 0)),
    ("atom atoms natoms", 1.0, (0, 0, 0, 1)),
    ("a å ang ang. angs angst angstrom angstroms angstroem ångström ångstrom", 1.0, _LENGTH),
    ("bohr bohrs a0", BOHR, _LENGTH),
    ("nm nanometer", 10.0, _LENGTH),
    ("pm picometer", 0.01, _LENGTH),
    ("gpa", GPA, _PRESSURE),
    ("mpa", 1e-3 * GPA, _PRESSURE),
    ("kpa", 1e-6 * GPA, _PRESSURE),
    ("pa", 1e-9 * GPA, _PRESSURE),
    ("kbar kilobar", 1e3 * BAR, _PRESSURE),
    ("bar bars", BAR, _PRESSURE),
    ("atm", 1.01325 * BAR, _PRESSURE),
)
_UNITS: Mapping[str, tuple[float, Powers]] = MappingProxyType(
    {name: (factor, powers) for names, factor, powers in _NAMES for name in names.split()}
)
_ALIKE = str.maketrans(
    {"−": "-", "·": "*", "⋅": "*", "×": "*", "⁻": "-", "¹": "1", "²": "2", "³": "3", "_": " "}
)
_TOKEN = re.compile(r"\s*(?:(?P<sign>[()*/])|(?P<name>a0|[a-zåö.]+)(?:\s*\^?\s*(?P<power>[+-]?[0-9]+))?)\s*")


def parse_unit(text: str) -> tuple[float, Powers]:
    """Return the factor to eV and Å, and the powers of energy, length, mol and atoms.

    Raises:
        ValueError: not understood.
    """
    line = text.strip().lower().translate(_ALIKE).replace("**", "^").replace(" per ", "/")
    line = re.sub(r"^(kcal|kj) ?mol$", r"\1/mol", line).replace("\u212b", "å")
    tokens: list[tuple[str, str, int]] = []
    position = 0
    while position < len(line):
        found = _TOKEN.match(line, position)
        if found is None:
            raise ValueError(text)
        tokens.append((found["sign"] or "", found["name"] or "", int(found["power"] or 1)))
        position = found.end()
    factor, powers = _product(tokens)
    if tokens:
        raise ValueError(text)
    return factor, powers


def _product(tokens: list[tuple[str, str, int]]) -> tuple[float, Powers]:
    """Multiply and divide from left to right until the end or a closing bracket."""
    factor, powers = 1.0, [0, 0, 0, 0]
    direction, empty = 1, True
    while tokens and tokens[0][0] != ")":
        sign, name, power = tokens.pop(0)
        if sign in ("*", "/"):
            direction = 1 if sign == "*" else -1
            if empty:
                raise ValueError(sign)
            empty = True
            continue
        if sign == "(":
            one, its = _product(tokens)
            if not tokens:
                raise ValueError(sign)
            tokens.pop(0)
        elif name in _UNITS and abs(power) < 10:
            one, its = _UNITS[name]
        else:
            raise ValueError(name)
        factor *= one ** (direction * power)
        powers = [p + direction * power * q for p, q in zip(powers, its, strict=True)]
        direction, empty = 1, False
    if empty:
        raise ValueError("nothing")
    return factor, (powers[0], powers[1], powers[2], powers[3])
