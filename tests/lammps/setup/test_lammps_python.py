"""LAMMPS from Python: it starts in the documented environment, and a command that fails changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from lammps_case import ELEMENTS, Case, Models
from lammps_run import write_data
from lmlp import lammps as location
from lmlp.diagnosis import engines

SYMBOLS = " ".join(ELEMENTS)
START = "from lammps import lammps\nlmp = lammps(cmdargs=['-log', 'none', '-screen', 'none'])\n"


def bare_environment() -> dict[str, str]:
    """Return what a login shell gives: no paths of libraries, no plugin."""
    kept = {name: os.environ[name] for name in ("HOME", "TMPDIR") if name in os.environ}
    return {**kept, "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}


def run_python(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**bare_environment(), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the LAMMPS wheel is for Linux")
@pytest.mark.parametrize("first", ["", "import lmlp\n", "import lmlp.lammps\n", "import ase, torch\n"])
def test_lammps_starts_in_a_bare_environment(tmp_path: Path, first: str) -> None:
    """No library path, no plugin path; whatever else was imported before."""
    code = (
        first
        + START
        + (
            "lmp.commands_string('units metal\\nregion b block 0 9 0 9 0 9\\ncreate_box 1 b\\nmass 1 1')\n"
            "lmp.command('pair_style lmlp')\n"
            "print('ranks', lmp.extract_setting('world_size'), lmp.has_style('pair', 'lmlp'))\n"
        )
    )
    done = run_python(code, tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "ranks 1 True" in done.stdout


def test_mpi_is_left_alone_where_the_loader_finds_one(tmp_path: Path) -> None:
    code = "from lmlp.lammps import load_mpi, mpi_path\nprint(load_mpi() == mpi_path(), load_mpi())"
    assert run_python(code, tmp_path).stdout.split() == ["True", "None"], "opened once"
    folder = location.mpi_path()
    assert folder is not None
    found = run_python(code, tmp_path, LD_LIBRARY_PATH=str(folder.parent))
    assert found.stdout.split() == ["False", "None"]


def test_doctor_tells_of_lammps_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    assert engines.check_python("").status == "ok"
    words = "OSError: libmpi.so.12: cannot open shared object file: No such file or directory"
    monkeypatch.setattr(engines, "run_program", lambda *_: (1, words))
    found = engines.check_python("")
    assert found.status == "error"
    assert "libmpi.so.12" in found.detail
    assert "mpich" in found.fix
    assert "LD_LIBRARY_PATH" in found.fix
    monkeypatch.setattr(engines, "run_program", lambda *_: (1, "Exception: ERROR: Unrecognized pair style"))
    assert "Unrecognized pair style" in engines.check_python("").detail
    monkeypatch.setattr(engines, "find_spec", lambda _: None)
    assert engines.check_python("").status == "missing"


@pytest.fixture
def bad_models(case: Case, models: Models) -> dict[str, Path]:
    """Files that fail at different places, named after what is wrong."""
    files = {"bare": models.bare, "absent": case.folder / "absent.pt"}
    for name, content in (("empty", b""), ("cut", models.many.read_bytes()[:2000])):
        files[name] = case.folder / f"{name}.pt"
        files[name].write_bytes(content)
    return files


# each of them fails after having come some way
FAILING = {
    "absent file": "pair_coeff * * {absent} H C O",
    "damaged file": "pair_coeff * * {cut} H C O",
    "empty file": "pair_coeff * * {empty} H C O",
    "unknown element": "pair_coeff * * {other} H C Xe",
    "unknown first element": "pair_coeff * * {other} Xe C O",
    "all NULL": "pair_coeff * * {other} NULL NULL NULL",
    "too few symbols": "pair_coeff * * {other} H C",
    "types instead of stars": "pair_coeff 1 1 {other} H C O",
    "no ranges for extrapolation": "pair_coeff * * {bare} H C O",
    "unknown keyword": "pair_style lmlp rmin 3.0 stop threads 2 nonsense 1",
    "value of a keyword": "pair_style lmlp extrapolation off rmin 0",
    "distances that the model lacks": "pair_style lmlp rmin data stop",
    "no such backend": "pair_style lmlp backend torchscript",
    "device of another backend": "pair_style lmlp threads 3 device cuda",
    "pair_modify": "pair_modify compute no nonsense yes",
}


@pytest.mark.parametrize("kind", list(FAILING))
def test_a_command_that_fails_changes_nothing(
    case: Case, models: Models, bad_models: dict[str, Path], kind: str
) -> None:
    """The next run has the energies, forces, uncertainties, settings and restart files of before."""
    command = FAILING[kind].format(other=models.other, **bad_models)
    # no tilt: each setup rounds the positions of a triclinic box
    write_data(case.folder / "c.data", case.crystal.species + 1, case.crystal.positions, 9.0 * np.eye(3), 3)
    head = (
        "units metal\natom_style atomic\nread_data c.data\nchange_box all ortho\nmass * 12.0\n"
        f"atom_modify sort 0 0\npair_style lmlp extrapolation warn\npair_coeff * * {models.many} {SYMBOLS}\n"
        "compute e all pair lmlp\nthermo_style custom step pe press c_e[1] c_e[7]\n"
    )
    code = START + (
        "import json, sys\n"
        f"lmp.commands_string({head!r})\n"
        "def state():\n"
        "    lmp.command('run 0')\n"
        "    lmp.command('write_restart state.restart')\n"
        "    forces = [float(x) for atom in lmp.numpy.extract_atom('f')[:24] for x in atom]\n"
        "    vector = [float(lmp.extract_compute('e', 0, 1)[k]) for k in range(16)]\n"
        "    return [lmp.get_thermo('pe'), lmp.get_thermo('press'), forces, vector,\n"
        "            open('state.restart', 'rb').read().hex()]\n"
        "before = state()\n"
        f"try:\n    lmp.commands_string({command!r})\n    message = ''\n"
        "except Exception as error:\n    message = str(error)\n"
        "print(json.dumps([message, [a == b for a, b in zip(state(), before)], before[0], before[3][0]]))\n"
    )
    done = run_python(code, case.folder, LMLP_TORCH_BACKEND=str(case.folder / "none"))
    assert done.returncode == 0, done.stderr[-2000:]
    message, is_same, energy, sigma = json.loads(done.stdout.splitlines()[-1])
    assert message, "the command failed"
    assert all(is_same), is_same
    assert energy < -20000.0
    assert sigma > 0.0


def test_settings_given_once_more_take_effect(case: Case, models: Models) -> None:
    """pair_style with the same style keeps the model and changes the settings."""
    head = case.header() + f"pair_style lmlp rmin 0.5 stop\npair_coeff * * {models.many} {SYMBOLS}\nrun 0\n"
    result = case.run(head + "pair_style lmlp rmin 2.0 stop\nrun 0\n", check=False)
    assert result.returncode != 0
    assert "closer than rmin 2" in result.output
    result = case.run(
        head.replace("rmin 0.5 stop", "rmin 2.0 warn") + "pair_style lmlp rmin off\nprint NEXT\nrun 0\n"
    )
    assert "closer than rmin" not in result.output.split("NEXT")[-1]
