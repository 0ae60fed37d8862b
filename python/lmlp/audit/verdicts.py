"""What a slope of energies against forces or stress says of the labels, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lmlp.audit.slopes import Slope
from lmlp.audit.unit_names import name_force_units, name_stress_units

# A slope counts where the line leaves less than the first number over, it is off 1 by more than the second
# as a factor, and there are as many pairs as the third. Honest sets: 0.75 to 1.2 where the line fits, and
# 0.5 to 1.1 for hot molecules, where it leaves 0.5 to 0.7.
_FORCE_LIMITS = ((0.25, 1.6, 6), (0.6, 3.0, 6), (0.8, 8.0, 30))
_HARTREE_LIMITS = ((0.25, 1.35, 6), (0.75, 1.35, 30))  # where the energies look like Hartree
_STRESS_LIMITS = ((0.25, 1.8, 4), (0.6, 2.5, 4))
_SIGN_LIMITS = ((0.6, 4), (0.75, 30))
_BENT_DOWN = -0.97
_BENT_FREELY = 0.85
_MANY = 20
_SOME = 12


@dataclass(frozen=True)
class Verdict:
    """What is wrong with the labels of some structures.

    Attributes:
        code: of the finding.
        what: in words.
        likely: units or mistakes that would explain it.
        slope: of the energies against what the labels demand.
        demand: what that is.
    """

    code: str
    what: str
    likely: tuple[str, ...]
    slope: Slope
    demand: str


def describe_verdicts(verdicts: Sequence[Verdict]) -> str:
    """Put verdicts of one code on several groups of structures into one sentence or two."""
    likely = list(dict.fromkeys(name for v in verdicts for name in v.likely))
    text = verdicts[0].what + (f" {' or '.join(likely)}?" if likely else "?")
    if verdicts[0].code == "forces-foreign":
        return f"{text} Between similar structures energies do not follow them at all"
    n = sum(v.slope.n for v in verdicts)
    value = float(np.median([v.slope.value for v in verdicts]))
    return (
        f"{text} Between similar structures (of {n} pairs) energies change {value:.3g} times as much as "
        f"{verdicts[0].demand}"
    )


def judge_forces(slope: Slope | None, n_atoms: float, in_hartree: bool) -> Verdict | None:
    """Say what is wrong with forces, or None.

    Args:
        slope: of the energies against −F·Δr.
        n_atoms: per structure.
        in_hartree: the energies are, as numbers, those of all electrons in Hartree.
    """
    if slope is None:
        return None
    limits = _HARTREE_LIMITS if in_hartree else _FORCE_LIMITS
    if slope.is_one(within=limits[0][1]):
        return None
    demand = "−F·Δr"
    signed = _is_negative(slope)
    if signed or (slope.bend < _BENT_DOWN and slope.n >= _MANY and slope.value < 0.3):
        what = "forces have the wrong sign: gradients given as forces"
        if slope.bend > 0:
            what = "energies and forces have opposite signs: energies with the wrong sign"
        scaled = signed and abs(np.log(-slope.value)) > np.log(1.6)
        likely = name_force_units(-slope.value, n_atoms) if scaled else []
        what += ", and" if likely else ""
        return Verdict("forces-sign", what, tuple(likely), slope, demand)
    if any(slope.n >= n and slope.is_other(beyond, left) for left, beyond, n in limits):
        likely = name_force_units(slope.value, n_atoms)
        what = "energies and forces are not in the same units" + (":" if likely else ", or not of one level")
        return Verdict("forces-unit", what, tuple(likely), slope, demand)
    if slope.left > 0.85 and slope.bend < _BENT_FREELY and slope.apart > 0.3 and slope.n >= _SOME:
        what = "forces do not belong to the energies:"
        likely = ["of other structures", "of atoms in another order", "in another orientation"]
        return Verdict("forces-foreign", what, tuple(likely), slope, demand)
    return None


def judge_stress(slope: Slope, volume: float) -> Verdict | None:
    """Say what is wrong with a stress, or None.

    Args:
        slope: of the energies against V σ:ε.
        volume: of the cells in Å³.
    """
    if slope.is_one(within=1.8):
        return None
    size = abs(slope.value)
    signed = _is_negative(slope)
    other = slope.stable and any(
        slope.left < left and slope.n >= n and abs(np.log(size)) > np.log(beyond)
        for left, beyond, n in _STRESS_LIMITS
    )
    if not signed and not other:
        return None
    units = name_stress_units(size, volume) if other else []
    parts = ["in another unit than eV/Å³"] if other and not units else [f"in {unit}" for unit in units]
    if signed:
        sign = "with compression positive (tension is positive here)"
        parts = [f"{part} and {sign}" for part in parts] or [sign]
    code = "stress-unit" if other else "stress-sign"
    return Verdict(code, "stress and energies do not belong together: stress", tuple(parts), slope, "V σ:ε")


def _is_negative(slope: Slope) -> bool:
    good = any(slope.left < left and slope.n >= n for left, n in _SIGN_LIMITS)
    return slope.value < 0 and slope.stable and good
