"""A learning session on a full disk, beside another one, and beside files of the user."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from lmlp.cli.app import app
from lmlp.errors import LMLPError, OutputError
from lmlp.export.model_file import read_model_file
from lmlp.files import writing
from lmlp.lifelong.learn import learn, make_learn_config
from lmlp.lifelong.memory import Addition, Memory, Update

from tests.python.files.test_lock import HOLD
from tests.python.lifelong.oxygen import learn_values
from tests.python.training.test_resume import _same_model
from tests.python.training.toy import clusters

COMMAND = typer.main.get_command(app)
QUICK = ["--epochs", "2", "--threads", "1", "--set", "dtype=float64", "--set", "selection.share=0.5"]


def lmlp(*words: object) -> None:
    COMMAND.main([str(w) for w in words], standalone_mode=False)


def contents(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


@pytest.mark.parametrize("file", ["next.pt", "next.learning.json", "memory"])
def test_a_full_disk_at_the_end_loses_nothing(start, monkeypatch, file):
    expected = learn(make_learn_config(learn_values(start, memory=str(start / "a.memory")))).model
    (start / "b").mkdir()
    places = {"memory": str(start / "b" / "m"), "output": str(start / "b" / "next.pt")}
    config = make_learn_config(learn_values(start, **places))
    opened, commit = os.open, Memory.commit

    def full(path, *arguments, **options):
        if begun and Path(path).name.startswith(f".{file}."):
            raise OSError(28, "No space left on device")
        return opened(path, *arguments, **options)

    def no_room(self, update):
        if update.kind == "learn":
            raise OutputError("m: cannot be written: No space left on device")
        return commit(self, update)

    begun = []
    with monkeypatch.context() as patch:
        patch.setattr("lmlp.training.run.check_end", lambda *a, **k: begun.append(1))
        if file == "memory":
            patch.setattr(Memory, "commit", no_room)
        else:
            patch.setattr(writing.os, "open", full)
        with pytest.raises(OutputError, match=r"No space left .*next.learning.checkpoint.*--resume"):
            learn(config)
    assert not [p for p in config.output.parent.iterdir() if "tmp" in p.name or "lock" in p.name]
    outcome = learn(config, resume=True)
    assert _same_model(outcome.model, expected)
    with Memory(config.memory) as memory:
        assert memory.tasks() == ["train", "new"]
    assert not config.checkpoint.exists()


@pytest.mark.parametrize("held", ["model", "model.memory"])
def test_two_sessions_never_share_output_or_memory(start, monkeypatch, held):
    monkeypatch.chdir(start)
    with Memory("model.memory", create=True) as memory:
        memory.commit(Update("one", "start", {}, "first", [Addition(s) for s in clusters(6)]))
    before = contents(start)
    lines = [
        ("learn", "model.pt", "new.xyz", *QUICK),
        ("learn", "model.pt", "new.xyz", "--stream", "20", *QUICK),
        ("train", "--data", "new.xyz", "-o", "model.pt"),
        ("memory", "prune", "model.memory", "--structures", "2"),
        ("memory", "reinstate", "model.memory", "1"),
    ]
    lines = lines[:3] if held == "model" else [*lines[:2], *lines[3:]]
    command = [sys.executable, "-c", HOLD, held]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        for line in lines:
            with pytest.raises(OutputError, match=rf"another process writes it \(process {other.pid} "):
                lmlp(*line)
    assert contents(start) == before


def test_existing_models_need_force_and_the_own_one_is_updated(start, monkeypatch):
    monkeypatch.chdir(start)
    (start / "other.pt").write_bytes((start / "model.pt").read_bytes())
    before = contents(start)
    line = ("learn", "model.pt", "new.xyz", "--old", "train.xyz", "--memory", "m", *QUICK)
    for more in (("-o", "other.pt"), ("-o", "other.pt", "--stream", "20")):
        with pytest.raises(LMLPError, match=r"other\.pt exists; --force"):
            lmlp(*line, *more)
    assert contents(start) == before
    lmlp(*line, "-o", "other.pt", "--force")
    assert read_model_file("other.pt").elements == ["O", "H"]
    assert read_model_file("model.pt").elements == ["O"]
    lmlp(*line[:5], "--memory", "m2", *QUICK, "-o", "./model.pt")
    assert read_model_file("model.pt").elements == ["O", "H"]


@pytest.mark.parametrize(
    "name",
    [
        "suspects.xyz",
        "learning.json",
        "learning.html",
        "learning.jsonl",
        "learning.checkpoint",
        "rejected.pt",
    ],
)
def test_files_of_the_user_beside_the_model_stay(start, monkeypatch, name):
    monkeypatch.chdir(start)
    (start / f"model.{name}").write_text("1\nprecious\nH 0 0 0\n")
    before = contents(start)
    with pytest.raises(LMLPError, match=rf"model\.{name} exists and is no"):
        lmlp("learn", "model.pt", "new.xyz", "--old", "train.xyz", *QUICK)
    assert contents(start) == before


def test_memories_of_models_with_dots_are_different_files():
    from lmlp.cli.learn import _memory_of

    names = ("model.pt", "model.checkpoint", "water_0.5", "water_0.6", "water_0.6.pt")
    assert [_memory_of(Path(n)).name for n in names] == [
        *("model.memory", "model.memory", "water_0.5.memory", "water_0.6.memory", "water_0.6.memory")
    ]
