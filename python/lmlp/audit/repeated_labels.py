"""Labels that stand for nothing: the same in different geometries, or numbers such as −1000000."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from lmlp.audit.finding import Finding, sources
from lmlp.structure import Structure
from lmlp.structure.geometry import Geometry, n_shapes

_FEWEST = 3  # geometries that share a label
_SHARE = 0.9  # of the structures: the label is constant
_SPIKE = 5.0  # times as frequent as the next value: rounded energies have no such spikes
_SMALLEST_SPIKE = 5


def check_repeated_labels(structures: Sequence[Structure], geometries: Sequence[Geometry]) -> list[Finding]:
    """Energies, forces or stresses that do not change with the geometry, and placeholders."""
    return [
        *_placeholders(structures),
        *_energies(structures, geometries),
        *_arrays(structures, geometries, "forces"),
        *_arrays(structures, geometries, "stress"),
    ]


def _is_placeholder(value: float) -> bool:
    """Tell whether a number is ±10ᵏ (k ≥ 5), ±99…9 (four digits or more) or beyond 10¹²."""
    size = abs(value)
    if size > 1e12:
        return True
    if size != int(size) or size < 9999:
        return False
    digits = str(int(size))
    return set(digits) == {"9"} or (len(digits) > 5 and digits[0] == "1" and set(digits[1:]) == {"0"})


def _placeholders(structures: Sequence[Structure]) -> list[Finding]:
    found = []
    for label in ("energy", "forces", "stress"):
        held = []
        seen: set[float] = set()
        for s in structures:
            value = getattr(s, label)
            large = [] if value is None else [float(v) for v in np.ravel(value) if abs(v) >= 9999]
            marks = {v for v in large if _is_placeholder(v)}
            if marks:
                held.append(s)
                seen |= marks
        if held:
            names = ", ".join(f"{v:g}" for v in sorted(seen)[:3])
            message = (
                f"{label} of {len(held)} structures is a placeholder ({names}), not a label; leave them out, "
                f"or leave the label out with --{label}-key none"
            )
            found.append(Finding("warning", "placeholder", message, sources(held)))
    return found


def _energies(structures: Sequence[Structure], geometries: Sequence[Geometry]) -> list[Finding]:
    usable = [i for i, s in enumerate(structures) if s.energy is not None and geometries[i].bonds.any()]
    values: dict[float, list[int]] = {}
    for i in usable:
        values.setdefault(float(structures[i].energy), []).append(i)  # type: ignore[arg-type]
    ranked = sorted(values.items(), key=lambda entry: -len(entry[1]))
    if not ranked or n_shapes([geometries[i] for i in ranked[0][1]]) < _FEWEST:
        return []
    value, members = ranked[0]
    others = len(ranked[1][1]) if len(ranked) > 1 else 0
    sizes = {len(structures[i]) for i in members}
    everywhere = len(members) >= _SHARE * len(usable)
    spike = len(members) >= max(_SMALLEST_SPIKE, _SPIKE * others)
    if not (everywhere or spike or len(sizes) > 1):
        return []
    message = (
        f"energy is {value:.10g} eV in {len(members)} structures of different geometry: a placeholder, or "
        "the energy of another structure"
    )
    level = "error" if len(members) == len(usable) else "warning"
    return [Finding(level, "constant-energies", message, sources([structures[i] for i in members]))]


def _arrays(structures: Sequence[Structure], geometries: Sequence[Geometry], label: str) -> list[Finding]:
    """Forces or stresses, not zero, that occur with more than one geometry."""
    groups: dict[Hashable, list[int]] = {}
    for i, s in enumerate(structures):
        value = getattr(s, label)
        if value is not None and np.any(value) and geometries[i].bonds.any():
            groups.setdefault(value.tobytes(), []).append(i)
    fewest = 2 if label == "forces" else _FEWEST  # a stress may be rounded to a few digits
    repeated = [
        g for g in groups.values() if len(g) >= fewest and n_shapes([geometries[i] for i in g]) >= fewest
    ]
    if not repeated:
        return []
    members = sorted(i for g in repeated for i in g)
    message = (
        f"{len(members)} structures share their {label} with structures of another geometry: placeholders, "
        "or written down for the wrong structure"
    )
    return [Finding("warning", f"constant-{label}", message, sources([structures[i] for i in members]))]
