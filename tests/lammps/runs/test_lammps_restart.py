"""Restart and data files: a run continues with the model, the settings and the types it had."""

from __future__ import annotations

import shutil

import numpy as np
from lammps_case import ELEMENTS, Case
from lammps_run import columns, run_lammps

SYMBOLS = " ".join(ELEMENTS)
DUMP = "dump d all custom 1 {} id x y z fx fy fz\ndump_modify d sort id format float %.17g\n"
DYNAMICS = "fix 1 all nve\ntimestep 0.0005\n"


def write_restart(case: Case, more: str = "") -> None:
    """Ten steps, a restart file, ten steps more; the model lies beside the input."""
    shutil.copy(case.models.many, case.folder / "model.pt")
    case.run(
        case.header()
        + "pair_style lmlp extrapolation warn threads 2\npair_coeff * * model.pt "
        + f"{SYMBOLS}\nvelocity all create 300 5 loop geom\n"
        + DYNAMICS
        + "run 10\nwrite_restart r.restart\n"
        + more
    )


def test_a_restart_continues_the_run(case: Case) -> None:
    write_restart(case, DUMP.format("whole.dump") + "run 10\n")
    later = case.folder / "later"  # where the input's relative path leads nowhere
    later.mkdir()
    result = run_lammps(
        "read_restart ../r.restart\n"
        + DYNAMICS
        + "fix u all pair 1 lmlp sigma_f 1\n"
        + DUMP.format("continued.dump")
        + 'run 10\nundump d\nprint "before: $(pe:%.17g)"\nwrite_data now.data\nclear\n'
        + f"units metal\nread_data now.data\npair_style lmlp\npair_coeff * * ../model.pt {SYMBOLS}\n"
        + 'run 0\nprint "data: $(pe:%.17g)"\n',
        later,
        ranks=2,
    )
    assert "2 threads per MPI rank" in result.output, "settings of the pair_style line"
    assert "WARNING: Pair style lmlp extrapolates on step" in result.output
    whole = columns(case.run("print done\n").dump("whole.dump"), "x", "y", "z", "fx", "fy", "fz")
    continued = columns(result.dump("continued.dump"), "x", "y", "z", "fx", "fy", "fz")
    # the same terms in the order of other neighbor lists: measured 1e-15 Å and eV/Å after ten steps
    np.testing.assert_allclose(continued, whole, rtol=0, atol=1e-11)
    # 17 digits in the data file
    np.testing.assert_allclose(result.value("data"), result.value("before"), rtol=1e-14)


def test_another_model_in_its_place_is_not_used(case: Case) -> None:
    write_restart(case)
    shutil.copy(case.models.other, case.folder / "model.pt")
    script = "read_restart r.restart\n"
    result = case.run(script + "run 0\n", ranks=2, check=False)
    assert result.returncode != 0
    text = " ".join(result.output.split())
    assert "the model of the restart file is not used" in text
    assert "give pair_coeff to name one" in text
    assert "All pair coeffs are not set" in text
    result = case.run(script + f"pair_coeff * * {case.models.single} {SYMBOLS}\nrun 0\n")
    assert f"{case.models.single} with 1 ensemble member" in result.output


def test_a_hybrid_style_keeps_its_settings(case: Case) -> None:
    case.run(
        case.header()
        + "pair_style hybrid/overlay lmlp threads 3 lj/cut 3.0\n"
        + f"pair_coeff * * lmlp {case.models.many} {SYMBOLS}\npair_coeff * * lj/cut 0.01 2.0\n"
        + "run 0\nwrite_restart r.restart\n"
    )
    result = case.run(
        f"read_restart r.restart\npair_coeff * * lmlp {case.models.many} {SYMBOLS}\n"
        "pair_coeff * * lj/cut 0.01 2.0\nrun 0\n"
    )
    assert "3 threads per MPI rank" in result.output
