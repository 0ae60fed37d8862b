"""`precision mixed`: networks in single, everything else as with `precision double`."""

from __future__ import annotations

import numpy as np
from lammps_case import Case
from lammps_run import columns


def run(case: Case, settings: str, ranks: int = 1) -> tuple[str, np.ndarray, np.ndarray]:
    """Return output, forces and pressures; the next run writes to the same folder."""
    result = case.run(case.full_script(settings=settings), ranks=ranks)
    return result.output, columns(result.dump("full.dump"), "fx", "fy", "fz"), result.value("pressure")


def test_mixed_precision(case: Case) -> None:
    text, exact, exact_pressure = run(case, "")
    assert "precision double" in text
    text, mixed, pressure = run(case, "precision mixed")
    assert "precision mixed" in text
    assert np.abs(exact).max() > 0.05
    # networks are rounded to 6e-8; measured 3e-8 eV/Å, by a model whose forces are about 0.3 eV/Å
    assert 1e-11 < np.abs(mixed - exact).max() < 1e-6
    np.testing.assert_allclose(pressure, exact_pressure, rtol=1e-5, atol=1e-2)
    assert np.array_equal(run(case, "precision mixed threads 2")[1], mixed)
    # as in double: what ranks sum in another order is in double
    np.testing.assert_allclose(run(case, "precision mixed", ranks=2)[1], mixed, rtol=0, atol=1e-12)
