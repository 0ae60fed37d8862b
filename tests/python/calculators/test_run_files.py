"""Files of ``lmlp md``: whole entries on a full disk, one run at a time, nobody else's files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import ase.io
import pytest
import typer
from lmlp.calculators import simulation as module
from lmlp.cli.app import app
from lmlp.errors import InvalidArgumentError, LMLPError, OutputError
from lmlp.files import writing

from tests.models import random_crystal
from tests.python.calculators.test_simulation import SYMBOLS, contents, simulation
from tests.python.files.test_lock import HOLD

COMMAND = typer.main.get_command(app)
EAGER = {"interval": 4, "save_grade": 1.0}


@pytest.mark.parametrize("file", ["trajectory", "log", "candidates"])
def test_a_full_disk_leaves_whole_entries_and_a_run_that_goes_on(model_path, tmp_path, monkeypatch, file):
    whole = simulation(model_path, tmp_path / "whole", watch=EAGER)
    whole.start()
    whole.run(24)
    run = simulation(model_path, tmp_path / "run", watch=EAGER)
    run.start()
    path = getattr(run.files, file)
    written = []

    def limited(target: Path, text: str) -> None:
        if target == path and run.step >= 12:
            with path.open("ab", buffering=0) as stream:  # the system takes a part, then has no room
                end = stream.seek(0, os.SEEK_END)
                stream.write(text.encode()[:20])
                stream.truncate(end)
            raise OutputError(f"{path}: cannot be written: No space left on device")
        written.append(target)
        writing.append(target, text)

    monkeypatch.setattr(module, "append", limited)
    with pytest.raises(OutputError, match=rf"step 1\d: .*{path.name}: .*No space.*--resume continues"):
        run.run(24)
    monkeypatch.undo()
    for frames in (run.files.trajectory, run.files.candidates):
        if frames.stat().st_size:
            ase.io.read(frames, ":")
    again = simulation(model_path, tmp_path / "run", watch=EAGER)
    again.resume()
    again.run(24)
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")
    assert written


def test_restart_files_that_fail_do_not_end_the_run(model_path, tmp_path, monkeypatch):
    whole = simulation(model_path, tmp_path / "whole")
    whole.start()
    whole.run(30)
    run = simulation(model_path, tmp_path / "run")
    run.start()
    first = run.files.restart.read_bytes()
    said: list[str] = []
    run.warn = said.append

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "_create", full)
    run.run(30)
    monkeypatch.undo()
    assert [text.partition(": ")[2].partition(":")[0] for text in said] == [
        f"step {n}" for n in (8, 16, 24, 30)
    ]
    assert all("t.restart.npz" in text and "No space" in text for text in said)
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")  # the same bits
    assert run.files.restart.read_bytes() == first
    again = simulation(model_path, tmp_path / "run")
    again.resume()
    assert again.step == 0


@pytest.fixture
def folder(model_path, tmp_path, monkeypatch):
    (tmp_path / "model.pt").write_bytes(model_path.read_bytes())
    ase.io.write(tmp_path / "start.xyz", random_crystal(SYMBOLS, n_atoms=6, spacing=2.6))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def md(*words: object) -> None:
    line = ["md", "model.pt", "start.xyz", "--steps", 4, "--timestep", 0.25, "--threads", 1, *words]
    COMMAND.main([str(w) for w in line], standalone_mode=False)


@pytest.mark.parametrize("held", ["traj.xyz", "traj.log", "traj.candidates.xyz", "mine.log"])
@pytest.mark.parametrize("more", [(), ("--resume",), ("--force",)])
def test_two_runs_never_share_a_file(folder, held, more):
    log = ("--log", held) if held == "mine.log" else ()
    before = sorted(os.listdir(folder))
    command = [sys.executable, "-c", HOLD, held]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(OutputError, match=rf"{held}: another process writes it \(process {other.pid} "):
            md(*log, *more)
    assert sorted(os.listdir(folder)) == before


def test_force_starts_anew_and_locks_are_gone(folder):
    md()
    first = contents(folder)
    with pytest.raises(LMLPError, match=r"exists; --resume continues the run, --force starts it anew"):
        md("--seed", 2)
    assert contents(folder) == first
    with pytest.raises(InvalidArgumentError, match="give one of them"):
        md("--resume", "--force")
    md("--seed", 2, "--force")
    assert contents(folder)["traj.xyz"] != first["traj.xyz"]
    assert not [n for n in os.listdir(folder) if "lock" in n]


@pytest.mark.parametrize("name", ["traj.xyz", "traj.log", "traj.candidates.xyz", "traj.restart.npz"])
@pytest.mark.parametrize("more", [("--resume",), ("--force",)])
def test_files_of_the_user_are_neither_cut_nor_replaced(folder, name, more):
    md()
    precious = "3\nthis is mine\n" + 1000 * "precious\n"
    (folder / name).write_text(precious)
    with pytest.raises(LMLPError, match=name.replace(".", r"\.")):
        md(*more)
    assert (folder / name).read_text() == precious


def test_clashing_names(folder):
    for words in (("--log", "traj.xyz"), ("--candidates", "traj.xyz"), ("--log", "x", "--candidates", "./x")):
        with pytest.raises(InvalidArgumentError, match="twice"):
            md(*words)
