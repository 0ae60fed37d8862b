"""Sessions of learning that are interrupted or killed lose nothing and end as unbroken ones."""

import os
import random
import subprocess
import sys
import time

import pytest
from lmlp.cli.app import app
from lmlp.errors import ConfigError
from lmlp.export.model_file import read_model_file
from lmlp.lifelong.earlier import read_memory
from lmlp.lifelong.learn import learn, make_learn_config
from lmlp.lifelong.memory import Memory
from lmlp.training.run import Run
from typer.testing import CliRunner

from tests.python.lifelong.oxygen import learn_values
from tests.python.training.test_resume import StopAt, _same_model

commit = Memory.commit


@pytest.mark.parametrize("more", [{}, {"ewc": 3.0}, {"strategy": "uniform"}], ids=["", "springs", "uniform"])
def test_interrupted_and_resumed(start, more):
    straight = make_learn_config(learn_values(start, **more, memory=str(start / "a.memory")))
    expected = learn(straight)
    (start / "b").mkdir()
    places = {"memory": str(start / "b" / "b.memory"), "output": str(start / "b" / "next.pt")}
    config = make_learn_config(learn_values(start, **more, **places))
    with pytest.raises(KeyboardInterrupt):
        learn(config, observer=StopAt(40))
    assert not config.memory.exists()
    assert not config.output.exists()
    outcome = learn(config, resume=True)
    assert _same_model(outcome.model, expected.model)
    assert outcome.report["tasks"] == expected.report["tasks"]
    states = []
    for path in (straight.memory, config.memory):
        with Memory(path) as memory:
            entries = memory.entries()
            states.append([(e.checksum, e.role, e.state) for e in entries])
            events = [[h["kind"] for h in memory.history(e.id)] for e in entries if e.task == "train"]
            assert {tuple(kinds) for kinds in events} <= {("start",), ("start", "learn")}
            # plain rehearsal changes nothing that the memory knows of a structure
            assert (["start", "learn"] in events) == (straight.strategy == "adaptive")
    assert states[0] == states[1]


def test_the_command_tells_whether_learning_had_begun(start, monkeypatch):
    monkeypatch.chdir(start)
    line = ["learn", "model.pt", "new.xyz", "--old", "train.xyz", "-o", "next.pt", "--epochs", "2"]

    def save_and_stop(self, results=None):
        save(self, results)
        raise KeyboardInterrupt

    def interrupted(*arguments):
        raise KeyboardInterrupt

    save = Run._save
    with monkeypatch.context() as patch:
        patch.setattr(Run, "_save", save_and_stop)
        assert "with --resume goes on" in CliRunner().invoke(app, [*line, "--threads", "1"]).output
    before = (start / "next.learning.checkpoint").read_bytes()
    monkeypatch.setattr("lmlp.lifelong.learn.read_session", interrupted)
    assert "Learning had not begun" in CliRunner().invoke(app, [*line, "--threads", "1"]).output
    assert "with --resume goes on" in CliRunner().invoke(app, [*line, "--threads", "1", "--resume"]).output
    assert (start / "next.learning.checkpoint").read_bytes() == before


SCRIPT = """
import json, sys
from lmlp.lifelong.earlier import read_memory
from lmlp.lifelong.learn import learn, make_learn_config
learn(make_learn_config(json.loads(sys.argv[1])), resume=sys.argv[2] == "resume")
"""


def _kill_and_resume(config, expected, environment):
    """Kill a session at a random moment, its last acts included; everything must load, and go on exactly."""
    command = [sys.executable, "-c", SCRIPT, config.model_dump_json(), "new"]
    process = subprocess.Popen(command, env=environment)
    while not config.checkpoint.exists():
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(random.uniform(0.0, 3.0))
    process.kill()
    process.wait()
    done = config.memory.exists() and "new" in read_memory(config.memory).tasks
    if config.output.exists():
        read_model_file(config.output)
    else:
        assert not done  # the memory comes last
    if config.checkpoint.exists():
        model = learn(config, resume=True).model
    else:
        assert done
        model = read_model_file(config.output)
    assert _same_model(model, expected)
    with Memory(config.memory) as memory:
        assert memory.tasks() == ["train", "new"]
        assert memory.verify() == 60
    assert not list(config.output.parent.glob("*.checkpoint*"))


def _killed(start, n):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    more = {"epochs": 40, "checkpoint_interval": 0.1}
    expected = learn(make_learn_config(learn_values(start, memory=str(start / "a.memory"), **more))).model
    for k in range(n):
        folder = start / f"killed{k}"
        folder.mkdir()
        values = learn_values(start, memory=str(folder / "m"), output=str(folder / "next.pt"), **more)
        _kill_and_resume(make_learn_config(values), expected, environment)


def test_killed_at_a_random_moment(start):
    _killed(start, 1)


@pytest.mark.slow
def test_killed_at_twenty_random_moments(start):
    _killed(start, 20)


def test_killed_between_model_and_memory(start, monkeypatch):
    """The model is in place, the memory not yet; and the other way round, only the cleaning is left."""
    config = make_learn_config(learn_values(start))

    def killed(*_):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(Memory, "commit", lambda self, u: killed() if u.kind == "learn" else commit(self, u))
        with pytest.raises(SystemExit):
            learn(config)
    model = read_model_file(config.output)
    assert read_memory(config.memory).tasks == []
    with pytest.raises(ConfigError, match=r"next\.pt: has learned 'new'.*finish it .* with --resume"):
        learn(config)  # not once more, by a model that has learned them
    with monkeypatch.context() as patch:
        patch.setattr("lmlp.lifelong.learn._clean", killed)
        with pytest.raises(SystemExit):
            learn(config, resume=True)
    outcome = learn(config, resume=True)
    assert _same_model(outcome.model, model)
    assert outcome.report["tasks"]["new"]["after"]["n"] == 6
    assert not config.checkpoint.exists()
    with Memory(config.memory) as memory:
        assert [s["kind"] for s in memory.sessions()] == ["start", "learn"]
