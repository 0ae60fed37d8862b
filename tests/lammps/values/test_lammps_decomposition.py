"""Forces do not depend on how the box is divided among the ranks."""

from __future__ import annotations

import re

import numpy as np
import pytest
from lammps_case import ELEMENTS, Case
from lammps_run import columns, write_data
from lmlp import _core
from reference_values import Reference, evaluate

SYMBOLS = " ".join(ELEMENTS)


def dump_lines(name: str) -> str:
    return (
        f"dump d all custom 1 {name}.dump id fx fy fz f_u\ndump_modify d sort id format float %.17g\n"
        f'run 0\nprint "{name}: $(pe:%.17g) $(pxx:%.17g) $(pyz:%.17g)"\n'
    )


def agree(result, names: list[str], expected: Reference) -> None:
    """Forces of all cases agree with the core's and, closer, with each other's."""
    forces = [columns(result.dump(f"{name}.dump"), "fx", "fy", "fz") for name in names]
    scale = np.abs(expected.forces).max()
    for name, found in zip(names, forces, strict=True):
        np.testing.assert_allclose(found, expected.forces, rtol=0, atol=1e-12 * scale, err_msg=name)
        assert result.value(name)[0] == pytest.approx(expected.energy, rel=1e-14), name
        np.testing.assert_allclose(result.value(name)[1:], result.value(names[0])[1:], rtol=1e-10)
        assert result.dump(f"{name}.dump")["f_u"].min() > 0


GRIDS = {
    "across": "processors 1 1 4",  # slices of 1.5 Å: ghosts come from ranks three away
    "square": "processors 2 2 1",
    "tiled": "comm_style tiled",  # and balance rcb
    "near": "comm_modify cutoff 1.0",  # LAMMPS itself raises it to what pairs need,
    "types": "processors 1 4 1",  # and likewise those of single types
}
AFTER_THE_BOX = {
    "tiled": "balance 1.0 rcb\n",
    "types": "neighbor 0.5 multi\ncomm_modify mode multi cutoff/multi 1 1.0\n",
}


def test_grids_of_four_and_three_ranks(case: Case) -> None:
    """A triclinic box that is smaller than two cutoffs."""
    crystal = case.crystal
    potential = _core.Potential(str(case.models.many))
    expected = evaluate(potential, crystal.species, crystal.positions, crystal.cell)

    def script(name: str, line: str) -> str:
        return (
            f"clear\n{line}\n"
            + case.header()
            + AFTER_THE_BOX.get(name, "")
            + f"pair_style lmlp\npair_coeff * * {case.models.many} {SYMBOLS}\n"
            + "fix u all pair 1 lmlp sigma_f 1\n"
            + dump_lines(name)
        )

    result = case.run("".join(script(name, line) for name, line in GRIDS.items()), ranks=4)
    agree(result, list(GRIDS), expected)
    result = case.run(script("odd", "processors 1 3 1"), ranks=3)
    agree(result, ["odd"], expected)


def test_slabs_and_ranks_without_atoms(case: Case) -> None:
    """Of four slices two have atoms, one has ghosts only, one has nothing."""
    crystal = case.crystal
    cell = np.diag([7.0, 6.5, 32.0])
    positions = np.linalg.solve(crystal.cell.T, crystal.positions.T).T % 1.0 @ np.diag([7.0, 6.5, 6.0])
    positions += np.array([0.0, 0.0, 5.0])
    write_data(case.folder / "slab.data", crystal.species + 1, positions, cell, 3)
    expected = evaluate(
        _core.Potential(str(case.models.many)), crystal.species, positions, cell, [True, True, False]
    )
    script = ""
    for name, boundary in (("fixed", "p p f"), ("wrapped", "p p s")):
        script += (
            f"clear\nunits metal\natom_style atomic\nboundary {boundary}\nprocessors 1 1 4\n"
            "read_data slab.data\nmass * 12.0\n"
            f"pair_style lmlp\npair_coeff * * {case.models.many} {SYMBOLS}\n"
            "fix u all pair 1 lmlp sigma_f 1\n" + dump_lines(name).replace("$(pxx:%.17g) $(pyz:%.17g)", "0 0")
        )
    result = case.run(script, ranks=4)
    agree(result, ["fixed", "wrapped"], expected)
    spread = re.search(r"Nlocal: +6 ave +(\d+) max +0 min", result.output)  # of the first run
    assert spread, "some rank has no atom"
    assert re.search(r"Nghost: .* 0 min", result.output), "some rank has no ghost either"
