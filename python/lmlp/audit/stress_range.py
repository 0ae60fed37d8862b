"""Stresses beyond what solids bear: another unit, another sign, or a virial."""

from __future__ import annotations

from collections.abc import Container, Sequence

import numpy as np

from lmlp.audit.finding import Finding, sources
from lmlp.audit.unit_names import plausible_stress_units
from lmlp.structure import Structure
from lmlp.units import GPA

TENSION = 150 * GPA  # diamond, pulled apart evenly, bears about 90 GPa
COMPRESSION = 2000 * GPA  # static experiments reach 1000 GPa
_BEARABLE = 400 * GPA


def check_stress_range(structures: Sequence[Structure], confirmed: Container[int] = ()) -> list[Finding]:
    """Mean of the diagonal beyond the strength of any solid.

    Args:
        structures: all.
        confirmed: indices of those whose energies change as the stress demands: a toy, in units of its own.
    """
    means = [
        (s, float(np.trace(s.stress)) / 3)
        for i, s in enumerate(structures)
        if s.stress is not None and i not in confirmed
    ]
    far = [(s, m) for s, m in means if m > TENSION or m < -COMPRESSION]
    if not far:
        return []
    worst, value = max(far, key=lambda entry: abs(entry[1]))
    largest = max(abs(m) for _, m in means)
    units = plausible_stress_units(largest, _BEARABLE)
    if worst.volume > 1.0 and largest / worst.volume < _BEARABLE:
        units.append("eV (a virial)")
    likely = f"In {', '.join(units)}" if units else "In another unit"
    message = (
        f"stress of {len(far)} structures beyond what any solid bears: {value:.4g} eV/Å³ = "
        f"{value / GPA:.4g} GPa in {worst.source}. {likely}, or with "
        "compression positive (VASP: kbar, compression positive)?"
    )
    return [Finding("warning", "impossible-stress", message, sources([s for s, _ in far]))]
