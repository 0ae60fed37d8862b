"""What can be wrong with reference data, one check per function; each finding names structures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from lmlp.audit.consistency import check_consistency
from lmlp.audit.energy_range import check_energy_range
from lmlp.audit.finding import Finding
from lmlp.audit.finding import sources as _sources
from lmlp.audit.length_unit import check_length_unit
from lmlp.audit.levels import find_levels
from lmlp.audit.repeated_labels import check_repeated_labels
from lmlp.audit.torque import check_torques
from lmlp.audit.zero_labels import check_zero_forces, check_zero_stress
from lmlp.io.keys import LABELS, is_free_energy, lookalikes
from lmlp.io.labels import CONSTRAINED, LABEL_KEYS
from lmlp.structure import Structure
from lmlp.structure.composition import composition_matrix, residuals, spread
from lmlp.structure.free_atoms import DEFAULT_CUTOFF, is_free_atom
from lmlp.structure.geometry import Geometry, equal_geometries

_ONE_SPOT = 0.1  # Å
TOO_CLOSE = 0.5  # of the sum of covalent radii; the shortest bond there is, H2, is at 1.2
ENERGY_CONTRADICTION = 1e-4  # eV/atom between equal geometries; converged calculations repeat to 1e-6
FORCE_CONTRADICTION = 0.01  # eV/Å
OUTLIER_SPREADS = 10.0
SMALLEST_ENERGY_OUTLIER = 0.05  # eV/atom
FORCE_OUTLIER_RATIO = 10.0  # to the median over structures of the largest force
SMALLEST_FORCE_OUTLIER = 5.0  # eV/Å
LARGE_FORCE = 50.0  # eV/Å
NET_FORCE = 0.05  # eV/Å; plane-wave codes leave 0.001 to 0.01
FREE_ENERGY_DIFFERENCE = 1e-4  # eV/atom


def find_all(
    structures: Sequence[Structure], geometries: Sequence[Geometry], cutoff: float = DEFAULT_CUTOFF
) -> list[Finding]:
    """Run every check; errors first, then warnings, then notes.

    Atoms without neighbors within the cutoff in Å are free: what is said of structures is not said of them.
    """
    bound = [i for i, s in enumerate(structures) if not is_free_atom(s, cutoff)]
    bonded, shapes = [structures[i] for i in bound], [geometries[i] for i in bound]
    found = [
        *check_labels(structures),
        *check_keys(structures),
        *check_distances(bonded, shapes),
        *check_length_unit(bonded, shapes),
        *check_equal_geometries(bonded),
        *check_levels(bonded, shapes),
        *check_energies(bonded),
        *check_energy_range(structures),
        *check_repeated_labels(bonded, shapes),
        *check_forces(structures),
        *check_zero_forces(bonded, shapes),
        *check_torques(bonded),
        *check_zero_stress(bonded, shapes),
        *check_consistency(bonded),
        *check_constraints(structures),
    ]
    return by_level(found)


def by_level(findings: Sequence[Finding]) -> list[Finding]:
    """Sort findings: errors first, then warnings, then notes."""
    return sorted(findings, key=lambda f: ("error", "warning", "note").index(f.level))


def check_labels(structures: Sequence[Structure]) -> list[Finding]:
    """Energy, forces or stress missing everywhere or here and there; stress where it has no meaning."""
    found = []
    for label in ("energy", "forces", "stress"):
        missing = [s for s in structures if getattr(s, label) is None]
        if label == "stress":
            missing = [s for s in missing if s.pbc.all()]
            if len(missing) == sum(bool(s.pbc.all()) for s in structures):
                continue
        if not missing:
            continue
        everywhere = len(missing) == len(structures)
        level = "error" if everywhere and label == "energy" else "warning"
        message = f"no {label} in {len(missing)} of {len(structures)} structures"
        likely = sorted(
            {n for s in missing for n in lookalikes(label, s.columns if label == "forces" else s.info)}
        )
        if likely:
            message += f"; is it {' or '.join(likely)}? name it with --{label}-key"
        if label == "forces" and all(len(s) == 1 for s in missing):
            level, message = "note", f"{len(missing)} single atoms without forces"
        found.append(Finding(level, f"no-{label}", message, _sources(missing)))
    partial = [s for s in structures if s.stress is not None and not s.pbc.all()]
    if partial:
        message = f"stress given for {len(partial)} structures that are not periodic in all directions"
        found.append(Finding("warning", "stress-not-periodic", message, _sources(partial)))
    return found


def check_keys(structures: Sequence[Structure]) -> list[Finding]:
    """Labels read from different names, and free energies that differ from the energy used."""
    found = []
    for label in LABELS:
        names = Counter(s.info.get(LABEL_KEYS, {}).get(label) for s in structures)
        names.pop(None, None)
        if len(names) > 1:
            parts = ", ".join(f"{name} ({count})" for name, count in names.most_common())
            rare = names.most_common()[-1][0]
            frames = [s.source for s in structures if s.info.get(LABEL_KEYS, {}).get(label) == rare]
            message = f"{label} read from different keys: {parts}; choose one with --{label}-key"
            found.append(Finding("warning", "mixed-keys", message, frames))
    differing = []
    largest = 0.0
    for s in structures:
        for name, value in s.info.items():
            if is_free_energy(name) and s.energy is not None and isinstance(value, int | float):
                difference = abs(float(value) - s.energy) / len(s)
                if difference > FREE_ENERGY_DIFFERENCE:
                    differing.append(s)
                    largest = max(largest, difference)
    if differing:
        message = (
            f"energy and free energy differ by up to {1e3 * largest:.3g} meV/atom; the energy is used. "
            "Forces of calculations with smearing belong to the free energy: --energy-key free_energy"
        )
        found.append(Finding("note", "free-energy", message, _sources(differing)))
    return found


def check_distances(structures: Sequence[Structure], geometries: Sequence[Geometry]) -> list[Finding]:
    """Atoms on one spot, or closer than any bond."""
    found = []
    for i, g in enumerate(geometries):
        if g.shortest is not None and g.shortest < _ONE_SPOT and g.pair is not None:
            message = f"atoms {g.pair[0]} and {g.pair[1]} are {g.shortest:.3g} Å apart"
            found.append(Finding("error", "coincident-atoms", message, [structures[i].source]))
    close = [
        i
        for i, g in enumerate(geometries)
        if g.relative is not None and g.relative < TOO_CLOSE and (g.shortest or 0.0) >= _ONE_SPOT
    ]
    if close:
        worst = min(close, key=lambda i: geometries[i].relative or 0.0)
        message = (
            f"{len(close)} structures with atoms closer than {TOO_CLOSE} of the sum of their covalent radii; "
            f"closest {geometries[worst].shortest:.3f} Å in {structures[worst].source}"
        )
        found.append(Finding("warning", "close-atoms", message, [structures[i].source for i in close]))
    return found


def check_equal_geometries(structures: Sequence[Structure]) -> list[Finding]:
    """Structures that occur more than once, with the same or with contradicting labels."""
    duplicates: list[Structure] = []
    found = []
    for group in equal_geometries(structures):
        members = [structures[i] for i in group]
        difference = contradiction(members)
        if difference:
            message = f"same geometry, different labels: {difference}"
            found.append(Finding("warning", "contradiction", message, _sources(members)))
        else:
            duplicates += members[1:]
    if duplicates:
        message = f"{len(duplicates)} structures repeat an earlier one"
        found.append(Finding("warning", "duplicates", message, _sources(duplicates)))
    return found


def check_overlap(structures: Sequence[Structure], known: Sequence[Structure]) -> list[Finding]:
    """Structures that occur among ``known`` too: test data that were trained on."""
    if not known:
        return []
    groups = equal_geometries([*known, *structures])
    both = sorted({i - len(known) for g in groups if g[0] < len(known) for i in g if i >= len(known)})
    if not both:
        return []
    message = f"{len(both)} structures are among the training data: errors on them say nothing"
    return [Finding("warning", "overlap", message, [structures[i].source for i in both])]


def contradiction(members: list[Structure]) -> str:
    """Say by how much the labels of structures with equal geometry differ; empty when they agree."""
    parts = []
    energies = [s.energy / len(s) for s in members if s.energy is not None]
    if len(energies) > 1 and max(energies) - min(energies) > ENERGY_CONTRADICTION:
        parts.append(f"energies by {1e3 * (max(energies) - min(energies)):.3g} meV/atom")
    forces = [s.forces for s in members if s.forces is not None]
    if len(forces) > 1:
        difference = float(np.ptp(np.array(forces), axis=0).max())
        if difference > FORCE_CONTRADICTION:
            parts.append(f"forces by {difference:.3g} eV/Å")
    return " and ".join(parts)


def check_levels(structures: Sequence[Structure], geometries: Sequence[Geometry]) -> list[Finding]:
    """Energies of two levels of theory in one data set."""
    found = []
    for level in find_levels(structures, geometries):
        lower, upper = ([structures[i] for i in side] for side in (level.lower, level.upper))
        message = (
            f"energies of two levels of theory? {level.composition}: {len(upper)} structures lie "
            f"{level.offset:.3f} eV/atom above the other {len(lower)}"
        )
        where = _what_separates(lower, upper)
        rare = upper if len(upper) <= len(lower) else lower
        found.append(Finding("warning", "mixed-levels", message + where, _sources(rare)))
    return found


def _what_separates(lower: list[Structure], upper: list[Structure]) -> str:
    """Name the file or the info entry whose values never occur on both sides."""

    def values(side: list[Structure], key: str) -> set[str]:
        return {s.source.rpartition(":")[0] if key == "file" else str(s.info.get(key)) for s in side}

    keys = ["file", *(k for k in lower[0].info if isinstance(lower[0].info[k], str))]
    for key in keys:
        one, other = values(lower, key), values(upper, key)
        if not one & other and len(one | other) <= 10:
            return f"; {key} {', '.join(sorted(other))} above, {', '.join(sorted(one))} below"
    return ""


def check_energies(structures: Sequence[Structure]) -> list[Finding]:
    """Energies per atom that no composition explains, among structures that are no free atoms."""
    usable = [s for s in structures if s.energy is not None]
    if len(usable) < 8:
        return []
    counts = composition_matrix(usable)[1]
    left = residuals(counts, np.array([s.energy for s in usable], dtype=float))
    deviation = np.abs(left - np.median(left))
    limit = max(OUTLIER_SPREADS * spread(left), SMALLEST_ENERGY_OUTLIER)
    far = [i for i in np.argsort(-deviation) if deviation[i] > limit]
    if far:
        message = (
            f"{len(far)} structures with unusual energies: up to {deviation[far[0]]:.3g} eV/atom from the "
            f"rest after the fit of atomic energies, whose spread is {spread(left):.3g} eV/atom"
        )
        return [Finding("warning", "energy-outliers", message, [usable[i].source for i in far])]
    return []


def check_forces(structures: Sequence[Structure]) -> list[Finding]:
    """Very large forces, and forces that do not add up to zero."""
    found: list[Finding] = []
    usable = [s for s in structures if s.forces is not None and len(s) > 1]
    if not usable:
        return found
    forces = [s.forces for s in usable if s.forces is not None]
    largest = np.array([np.linalg.norm(f, axis=1).max() for f in forces])
    limit = min(max(FORCE_OUTLIER_RATIO * float(np.median(largest)), SMALLEST_FORCE_OUTLIER), LARGE_FORCE)
    far = [i for i in np.argsort(-largest) if largest[i] > limit]
    if far:
        message = f"{len(far)} structures with forces above {limit:.3g}, up to {largest[far[0]]:.3g} eV/Å"
        found.append(Finding("warning", "large-forces", message, [usable[i].source for i in far]))
    net = np.array([np.linalg.norm(np.sum(f, axis=0)) for f in forces])
    moving = [i for i in np.argsort(-net) if net[i] > NET_FORCE]
    if moving:
        message = (
            f"{len(moving)} structures with a net force above {NET_FORCE}, up to {net[moving[0]]:.3g} eV/Å; "
            "no potential can reproduce it"
        )
        found.append(Finding("warning", "net-force", message, [usable[i].source for i in moving]))
    return found


def check_constraints(structures: Sequence[Structure]) -> list[Finding]:
    """Constrained atoms, and forces that a constraint has set to zero."""
    held = [s for s in structures if s.info.get(CONSTRAINED)]
    if not held:
        return []
    message = f"{len(held)} structures with constrained atoms; the forces in the file are used as they are"
    found = [Finding("note", "constrained", message, _sources(held))]
    zeroed = [s for s in held if s.forces is not None and not np.any(s.forces[s.info[CONSTRAINED]])]
    if zeroed:
        message = (
            f"in {len(zeroed)} structures the forces of all constrained atoms are exactly zero: they are "
            "what the constraint left, not what the atoms feel"
        )
        found.append(Finding("warning", "constrained-forces", message, _sources(zeroed)))
    return found
