"""Energies, forces and stress against each other: do they belong together, in sign, unit and structure?

The rise of the energy between similar structures (``similar``) is compared with what forces and stress
demand. Decided is per file and ``config_type``, and there per kind of structure where pairs suffice, so that
one wrong file among good ones is named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from lmlp.io.energy_range import all_electron_energy
from lmlp.io.finding import Finding, file_of, sources
from lmlp.io.misfits import check_force_misfits, check_stress_misfits
from lmlp.io.similar import SAME_CELL, Pair, similar_pairs
from lmlp.io.slopes import fit_slope
from lmlp.io.stress_range import check_stress_range
from lmlp.io.verdicts import Verdict, describe, judge_forces, judge_stress
from lmlp.structure import Structure
from lmlp.units import HARTREE

_FEWEST_FORCE = 6
_FEWEST_STRESS = 4
_FEWEST_OF_A_KIND = 12  # pairs with which a kind of structure is judged on its own
_MANY = 20
_SMALLEST_WORK = 2e-3  # eV; files print energies to 1e-3 at worst
_SMALLEST_DISTANCE = 3e-3  # Å
_SMALLEST_STRAIN = 1e-3
_STRESS_DISTANCE = 0.15  # Å; what forces demand is reliable there
_STRESS_FITS = "stress fits"
_JUMP = 3.0  # times what the terms of force amount to
_JUMP_RATIO = 20.0  # times the median
_FEW = 4  # structures; those of files and types with fewer are compared with each other


def check_consistency(structures: Sequence[Structure]) -> list[Finding]:
    """Forces or stress that do not belong to the energies, and stress beyond what solids bear."""
    kinds = _kinds(structures)
    pairs = similar_pairs(structures, kinds)
    wrong: dict[str, list[tuple[Verdict, list[int]]]] = {}
    sound: list[Pair] = []
    confirmed: set[int] = set()
    for members, group in _cells(structures, kinds, pairs):
        verdict = _judge(structures, group)
        if verdict == _STRESS_FITS:
            confirmed.update(members)
        if isinstance(verdict, Verdict):
            wrong.setdefault(verdict.code, []).append((verdict, members))
        else:
            sound += group
    found = check_stress_range(structures, confirmed)
    for code, entries in wrong.items():
        where = sorted({i for _, members in entries for i in members})
        text = describe([verdict for verdict, _ in entries])
        found.append(Finding("warning", code, text, sources([structures[i] for i in where])))
    about_stress = [p for p in sound if _tells_of_stress(p) and _force_matters_little(p)]
    return [
        *found,
        *check_force_misfits(structures, [p for p in sound if _tells_of_forces(p)]),
        *check_stress_misfits(structures, about_stress),
    ]


def _kinds(structures: Sequence[Structure]) -> list[str]:
    """Return file and configuration type of each structure, without what only few structures have."""
    files = [file_of(s) for s in structures]
    types = [f"{file}|{s.info.get('config_type', '')}" for file, s in zip(files, structures, strict=True)]
    in_file, in_type = Counter(files), Counter(types)
    return [
        name if in_type[name] >= _FEW else file if in_file[file] >= _FEW else ""
        for name, file in zip(types, files, strict=True)
    ]


def _cells(
    structures: Sequence[Structure], kinds: Sequence[str], pairs: Sequence[Pair]
) -> list[tuple[list[int], list[Pair]]]:
    """Group pairs by file, type and kind of structure; kinds with few pairs are taken together."""

    def key(i: int) -> tuple[str, bytes, bytes]:
        s = structures[i]
        return kinds[i], s.numbers.tobytes(), s.pbc.tobytes()

    counts = Counter(key(p.first) for p in pairs)
    cells: dict[tuple, tuple[list[int], list[Pair]]] = {}
    names = [k if counts[k := key(i)] >= _FEWEST_OF_A_KIND else k[:1] for i in range(len(structures))]
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
        and 0.0 not in pair.force
    )


def _without_jumps(pairs: list[Pair]) -> list[Pair]:
    """Leave out energies far off those of the other pairs: what is wrong with them, other checks tell."""
    if not pairs:
        return []
    sizes = np.array([abs(p.rise) / (abs(p.force[0]) + abs(p.force[1])) for p in pairs])
    limit = max(_JUMP, _JUMP_RATIO * float(np.median(sizes)))
    return [p for p, size in zip(pairs, sizes, strict=True) if size <= limit]


def _tells_of_stress(pair: Pair) -> bool:
    """Tell whether a pair is good for the stress: strained, and near enough for forces to be taken off."""
    if pair.stress is None or not any(pair.stress):
        return False
    return pair.strain > _SMALLEST_STRAIN and pair.distance < _STRESS_DISTANCE


def _force_matters_little(pair: Pair) -> bool:
    return pair.stress is not None and 2 * sum(map(abs, pair.force)) < sum(map(abs, pair.stress))


def _judge(structures: Sequence[Structure], pairs: Sequence[Pair]) -> Verdict | str:
    """Return what is wrong with the forces, or with the stress, of the structures of these pairs.

    Nothing wrong is empty, or ``_STRESS_FITS`` where energies change as the stress demands.
    """
    about_forces = _without_jumps([p for p in pairs if _tells_of_forces(p)])
    slope = None
    if len(about_forces) >= _FEWEST_FORCE:
        rises = np.array([p.rise for p in about_forces])
        slope = fit_slope(rises, np.array([p.force for p in about_forces]), even=True)
        verdict = judge_forces(slope, _atoms(structures, about_forces), _in_hartree(structures, about_forces))
        if verdict is not None:  # energies that are wrong against forces are so against stress
            return verdict
    about_stress = [p for p in pairs if _tells_of_stress(p)]
    if len(about_stress) < _FEWEST_STRESS:
        return ""
    rises = np.array([p.rise - sum(p.force) for p in about_stress])
    terms = np.array([p.stress for p in about_stress])
    slope, most = fit_slope(rises, terms), fit_slope(rises, terms, even=True)
    if slope is None or most is None or not slope.agrees(most):
        return ""  # a few pairs outweigh the others: not all are wrong
    verdict = judge_stress(slope, float(np.mean([structures[p.first].volume for p in about_stress])))
    if verdict is not None:
        return verdict
    return _STRESS_FITS if slope.is_one(within=1.8) else ""


def _atoms(structures: Sequence[Structure], pairs: Sequence[Pair]) -> float:
    return float(np.mean([len(structures[p.first]) for p in pairs]))


def _in_hartree(structures: Sequence[Structure], pairs: Sequence[Pair]) -> bool:
    """Tell whether energies are, as numbers, those of all electrons in Hartree."""
    shares = [
        structures[p.first].energy / float(all_electron_energy(structures[p.first].numbers).sum())  # type: ignore[operator]
        for p in pairs[:_MANY]
    ]
    return bool(abs(np.log(max(float(np.median(shares)), 1e-12) * HARTREE)) < 0.1)
