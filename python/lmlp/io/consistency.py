"""Energies, forces and stress against each other: do they belong together, in sign, unit and structure?

The rise of the energy between similar structures (``similar``) is compared with what forces and stress
demand. Decided is per file and ``config_type``, and there per kind of structure where pairs suffice, so that
one wrong file among good ones is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lmlp.io.finding import Finding, file_of, sources
from lmlp.io.misfits import check_misfits
from lmlp.io.similar import SAME_CELL, Pair, similar_pairs
from lmlp.io.slopes import Slope, fit_slope
from lmlp.io.unit_names import name_force_units, name_stress_units
from lmlp.structure import Structure

_FEWEST_FORCE = 6
_FEWEST_STRESS = 4
_FEWEST_OF_A_KIND = 12  # pairs with which a kind of structure is judged on its own
_MANY = 20
_SMALLEST_WORK = 2e-3  # eV; files print energies to 1e-3 at worst
_SMALLEST_DISTANCE = 3e-3  # Å
_SMALLEST_STRAIN = 1e-3
_STRESS_DISTANCE = 0.15  # Å; what forces demand is reliable there
_FEW_IN_FILE = 4  # structures; files with fewer are compared with each other


@dataclass(frozen=True)
class _Verdict:
    """What is wrong with the labels of some structures: code and words."""

    code: str
    text: str


def check_consistency(structures: Sequence[Structure]) -> list[Finding]:
    """Forces or stress that do not belong to the energies."""
    kinds = _kinds(structures)
    pairs = similar_pairs(structures, kinds)
    wrong: dict[_Verdict, set[int]] = {}
    reliable: list[Pair] = []
    for members, group in _cells(structures, kinds, pairs):
        verdicts = _judge(structures, group)
        for verdict in verdicts:
            wrong.setdefault(verdict, set()).update(members)
        if not verdicts:
            reliable += group
    found = [
        Finding("warning", verdict.code, verdict.text, sources([structures[i] for i in sorted(where)]))
        for verdict, where in wrong.items()
    ]
    return found + check_misfits(structures, [p for p in reliable if _tells_of_forces(p)])


def _kinds(structures: Sequence[Structure]) -> list[str]:
    """Return file and configuration type of each structure."""
    files = [file_of(s) for s in structures]
    counts: dict[str, int] = {}
    for file in files:
        counts[file] = counts.get(file, 0) + 1
    return [
        f"{file if counts[file] >= _FEW_IN_FILE else ''}|{s.info.get('config_type', '')}"
        for file, s in zip(files, structures, strict=True)
    ]


def _cells(
    structures: Sequence[Structure], kinds: Sequence[str], pairs: Sequence[Pair]
) -> list[tuple[list[int], list[Pair]]]:
    """Group pairs by file, type and kind of structure; kinds with few pairs are taken together."""

    def key(i: int) -> tuple[str, bytes, bytes]:
        s = structures[i]
        return kinds[i], s.numbers.tobytes(), s.pbc.tobytes()

    counts: dict[tuple, int] = {}
    for p in pairs:
        counts[key(p.first)] = counts.get(key(p.first), 0) + 1
    cells: dict[tuple, tuple[list[int], list[Pair]]] = {}
    names = [k if counts.get(k := key(i), 0) >= _FEWEST_OF_A_KIND else k[:1] for i in range(len(structures))]
    for i, name in enumerate(names):
        cells.setdefault(name, ([], []))[0].append(i)
    for p in pairs:
        cells[names[p.first]][1].append(p)
    return [cell for cell in cells.values() if cell[1]]


def _tells_of_forces(pair: Pair) -> bool:
    return (
        pair.strain < SAME_CELL
        and pair.distance > _SMALLEST_DISTANCE
        and abs(pair.force[0]) + abs(pair.force[1]) > _SMALLEST_WORK
    )


def _judge(structures: Sequence[Structure], pairs: Sequence[Pair]) -> list[_Verdict]:
    """Return what is wrong with the forces, and with the stress, of the structures of these pairs."""
    about_forces = [p for p in pairs if _tells_of_forces(p)]
    verdicts, factor = [], 1.0
    if len(about_forces) >= _FEWEST_FORCE:
        slope = fit_slope(np.array([p.rise for p in about_forces]), np.array([p.force for p in about_forces]))
        verdict = _judge_forces(slope, float(np.mean([len(structures[p.first]) for p in about_forces])))
        if verdict is not None and slope is not None:
            verdicts.append(verdict)
            factor = slope.value
    about_stress = [p for p in pairs if _tells_of_stress(p, factor)]
    if len(about_stress) >= _FEWEST_STRESS:
        rises = np.array([p.rise - factor * sum(p.force) for p in about_stress])
        slope = fit_slope(rises, np.array([p.stress for p in about_stress]))
        volume = float(np.mean([structures[p.first].volume for p in about_stress]))
        # energies that are wrong against the forces are so against the stress: that has been said
        verdict = None if verdicts else _judge_stress(slope, volume)
        verdicts += [verdict] if verdict is not None else []
    return verdicts


def _tells_of_stress(pair: Pair, factor: float) -> bool:
    return pair.stress is not None and pair.strain > _SMALLEST_STRAIN and pair.distance < _STRESS_DISTANCE


def _judge_forces(slope: Slope | None, n_atoms: float) -> _Verdict | None:
    if slope is None or slope.is_one(within=1.6):
        return None
    bent_down = slope.bend < -0.9 and slope.n >= _MANY and slope.value < 0.3
    if (slope.value < 0 and slope.stable and slope.left < 0.6) or bent_down:
        units = []
        if not bent_down or slope.left < 0.6:
            units = [] if abs(np.log(-slope.value)) < np.log(1.6) else name_force_units(-slope.value, n_atoms)
        what = "forces have the wrong sign: gradients given as forces"
        if slope.bend > 0:
            what = "energies and forces have opposite signs: energies with the wrong sign"
        more = f", and {' or '.join(units)}" if units else ""
        return _Verdict("forces-sign", f"{what}{more}? {_rule(slope)}")
    limits = ((0.25, 1.6, 0), (0.6, 3.0, 0), (0.8, 8.0, 30))
    if any(slope.n >= n and slope.is_other(beyond, left) for left, beyond, n in limits):
        units = name_force_units(slope.value, n_atoms)
        likely = f": {' or '.join(units)}?" if units else ""
        return _Verdict(
            "forces-unit", f"energies and forces are not in the same units{likely} {_rule(slope)}"
        )
    foreign = slope.left > 0.85 and slope.bend < 0.85 and slope.apart > 0.3 and slope.n >= _FEWEST_OF_A_KIND
    if foreign:
        return _Verdict(
            "forces-foreign",
            "forces do not belong to the energies: of other structures, of atoms in another order, or in "
            "another orientation? Between similar structures energies do not follow them at all",
        )
    return None


def _rule(slope: Slope) -> str:
    return (
        f"Between similar structures (of {slope.n} pairs) energies change {slope.value:.3g} times as much as "
        "−F·Δr"
    )


def _judge_stress(slope: Slope | None, volume: float) -> _Verdict | None:
    if slope is None or slope.is_one(within=1.8):
        return None
    size = abs(slope.value)
    limits = ((0.25, 1.8), (0.6, 2.5))
    signed = slope.value < 0 and slope.stable and slope.left < 0.6
    other = slope.stable and any(slope.left < a and abs(np.log(size)) > np.log(b) for a, b in limits)
    if not signed and not other:
        return None
    units = name_stress_units(size, volume) if other else []
    code = "stress-unit" if units or not signed else "stress-sign"
    parts = []
    if units:
        parts.append(f"in {' or '.join(units)}")
    elif other:
        parts.append("in another unit than eV/Å³")
    if signed:
        parts.append("with compression positive (tension is positive here)")
    text = (
        f"stress and energies do not belong together: stress {' and '.join(parts)}? Between strained "
        f"structures (of {slope.n} pairs) energies change {slope.value:.3g} times as much as V σ:ε"
    )
    return _Verdict(code, text)
