"""Energies, forces and stress against each other: do they belong together, in sign, unit and structure?

The rise of the energy between similar structures (``similar``) is compared with what forces and stress
demand. Decided is per file and ``config_type``, and there per kind of structure where pairs suffice, so that
one wrong file among good ones is named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lmlp.audit.energy_range import all_electron_energy
from lmlp.audit.finding import Finding, file_of, sources
from lmlp.audit.misfits import check_force_misfits, check_stress_misfits
from lmlp.audit.similar_pairs import SAME_CELL, Pair, similar_pairs
from lmlp.audit.slopes import Row, Slope, slope_of
from lmlp.audit.stress_range import check_stress_range
from lmlp.audit.verdicts import Verdict, describe_verdicts, judge_forces, judge_stress
from lmlp.structure import Structure
from lmlp.units import HARTREE

_FEWEST_FORCE = 6
_FEWEST_STRESS = 4
_FEWEST_OF_A_KIND = 12  # pairs with which a kind of structure is judged on its own
_MANY = 20
_SMALLEST_WORK = 1e-4  # eV
_LEFT_WHEN_STRAINED = 0.4
_BEND_WHEN_STRAINED = 0.7
_SHARE_OF_STRESS = 0.2  # what forces demand, to tell something beside the demand of the stress
_SMALLEST_DISTANCE = 3e-3  # Å
_SMALLEST_STRAIN = 1e-3
_STRESS_DISTANCE = 0.15  # Å; what forces demand is reliable there
_JUMP = 3.0  # times what the terms of force amount to
_JUMP_RATIO = 20.0  # times the median
_FEW = 4  # structures; those of files and types with fewer are compared with each other


@dataclass(frozen=True)
class Judged:
    """What is wrong with the labels of some structures, and whether energies change as the stress demands."""

    verdict: Verdict | None
    stress_fits: bool


def check_consistency(structures: Sequence[Structure]) -> list[Finding]:
    """Forces or stress that do not belong to the energies, and stress beyond what solids bear."""
    kinds = _kinds(structures)
    pairs = similar_pairs(structures, kinds)
    wrong: dict[str, list[tuple[Verdict, list[int]]]] = {}
    sound: tuple[list[Row], list[Row]] = ([], [])
    confirmed: set[int] = set()
    for members, group in _cells(structures, kinds, pairs):
        about_forces = _about_forces(group, _energy_step(structures, members))
        judged = _judge(structures, about_forces, _about_stress(group))
        if judged.stress_fits:
            confirmed.update(members)
        if judged.verdict is not None:
            wrong.setdefault(judged.verdict.code, []).append((judged.verdict, members))
        else:
            sound[0].extend(about_forces)
            sound[1].extend(_about_stress([p for p in group if _force_matters_little(p)]))
    found = check_stress_range(structures, confirmed)
    for code, entries in wrong.items():
        where = sorted({i for _, members in entries for i in members})
        text = describe_verdicts([verdict for verdict, _ in entries])
        found.append(Finding("warning", code, text, sources([structures[i] for i in where])))
    misfits = [*check_force_misfits(structures, sound[0]), *check_stress_misfits(structures, sound[1])]
    return found + misfits


def _force_matters_little(pair: Pair) -> bool:
    return pair.stress is not None and 2 * sum(map(abs, pair.force)) < sum(map(abs, pair.stress))


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
    cells: dict[tuple[str | bytes, ...], tuple[list[int], list[Pair]]] = {}
    names = [k if counts[k := key(i)] >= _FEWEST_OF_A_KIND else k[:1] for i in range(len(structures))]
    for i, name in enumerate(names):
        cells.setdefault(name, ([], []))[0].append(i)
    for p in pairs:
        cells[names[p.first]][1].append(p)
    return [cell for cell in cells.values() if cell[1]]


def _about_forces(pairs: Sequence[Pair], step: float) -> list[Row]:
    """Return what pairs tell of forces; where cells differ, what the stress demands is taken off the rise.

    Args:
        pairs: of one cell.
        step: smallest change of energy to rely on, in eV.
    """
    rows, strained = [], []
    for p in pairs:
        work = abs(p.force[0]) + abs(p.force[1])
        if p.distance < _SMALLEST_DISTANCE or 0.0 in p.force:
            continue
        if p.strain < SAME_CELL:
            if max(work, abs(p.rise)) > step:
                rows.append(Row(p.first, p.second, p.rise, *p.force))
        elif p.stress is not None and work > max(step, _SHARE_OF_STRESS * sum(map(abs, p.stress))):
            strained.append(Row(p.first, p.second, p.rise - sum(p.stress), *p.force, True))
    return _without_jumps(rows if len(rows) >= _FEWEST_FORCE else rows + strained)


def _about_stress(pairs: Sequence[Pair]) -> list[Row]:
    """Return what strained pairs tell of the stress; what forces demand is taken off the rise."""
    return [
        Row(p.first, p.second, p.rise - sum(p.force), *p.stress)
        for p in pairs
        if p.stress is not None
        and any(p.stress)
        and p.strain > _SMALLEST_STRAIN
        and p.distance < _STRESS_DISTANCE
    ]


def _energy_step(structures: Sequence[Structure], members: Sequence[int]) -> float:
    """Return the smallest change of energy to rely on: 20 times the last digit printed, 0.1 meV at least."""
    energies = np.array([structures[i].energy for i in members if structures[i].energy is not None])
    for digits in range(4):
        scaled = energies * 10.0**digits
        if (np.abs(scaled - np.round(scaled)) < 1e-6 * 10.0**digits).all():
            return float(20.0 * 10.0**-digits)
    return _SMALLEST_WORK


def _without_jumps(rows: list[Row]) -> list[Row]:
    """Leave out energies far off those of the other pairs: what is wrong with them, other checks tell."""
    if not rows:
        return []
    sizes = np.array([abs(r.rise) / (abs(r.mine) + abs(r.other)) for r in rows])
    limit = max(_JUMP, _JUMP_RATIO * float(np.median(sizes)))
    return [r for r, size in zip(rows, sizes, strict=True) if size <= limit]


def _judge(
    structures: Sequence[Structure], about_forces: Sequence[Row], about_stress: Sequence[Row]
) -> Judged:
    """Decide on the forces and on the stress of the structures of these pairs."""
    forces, stress, fits = None, None, False
    if len(about_forces) >= _FEWEST_FORCE:
        n_atoms = float(np.mean([len(structures[r.first]) for r in about_forces]))
        slope = slope_of(about_forces, even=True)
        forces = judge_forces(slope, n_atoms, _in_hartree(structures, about_forces))
        if any(r.strained for r in about_forces) and not _is_plain(slope):
            forces = None
    if len(about_stress) >= _FEWEST_STRESS:
        slope, most = slope_of(about_stress), slope_of(about_stress, even=True)
        # where the two differ, a few pairs outweigh the others: not all are wrong
        if slope is not None and most is not None and slope.agrees(most):
            stress = judge_stress(slope, float(np.mean([structures[r.first].volume for r in about_stress])))
            fits = slope.is_one(within=1.8)
    if forces is not None and stress is not None:
        # each was judged as if the other were right: the one that explains more is wrong
        better = forces if forces.slope.left <= stress.slope.left else stress
        return Judged(better, fits)
    return Judged(forces or stress, fits)


def _is_plain(slope: Slope | None) -> bool:
    """Tell whether a slope says enough even where the stress, taken off before, may be wrong."""
    if slope is None or slope.n < _MANY:
        return False
    return slope.left < _LEFT_WHEN_STRAINED or slope.bend < _BEND_WHEN_STRAINED


def _in_hartree(structures: Sequence[Structure], rows: Sequence[Row]) -> bool:
    """Tell whether energies are, as numbers, those of all electrons in Hartree."""
    shares = [
        structures[r.first].energy / float(all_electron_energy(structures[r.first].numbers).sum())  # type: ignore[operator]
        for r in rows[:_MANY]
    ]
    return bool(abs(np.log(max(float(np.median(shares)), 1e-12) * HARTREE)) < 0.1)
