"""A session that is refused, fails or is stopped leaves the memory as it was, to the byte."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from lmlp.errors import ConfigError, DataError, DivergedError, LMLPError, ModelFileError, TrainingError
from lmlp.export.model_file import read_model_file
from lmlp.io import write_structures
from lmlp.lifelong.learn import learn, make_learn_config
from lmlp.lifelong.memory import Addition, Memory, Update

from tests.python.lifelong.oxygen import learn_values, oxygen, with_hydrogen
from tests.python.lifelong.test_learn_resume import SCRIPT
from tests.python.training.test_resume import StopAt

WILD = {"balance": 0.0, "selection": {"old_share": 0.0, "share": 0.5}, "epochs": 20}


def _other_truth(folder):
    write_structures(
        folder / "new.xyz", [replace(s, forces=-s.forces, energy=s.energy + 3.0) for s in oxygen(20, seed=4)]
    )


def _gold(folder):
    gold = replace(oxygen(1)[0], numbers=np.array([79, 8, 8, 8], np.int32))
    write_structures(folder / "new.xyz", [gold])


def _broken(folder):
    text = (folder / "new.xyz").read_text()
    (folder / "new.xyz").write_text(text[:-30])


def _known(folder):
    write_structures(folder / "new.xyz", oxygen(30)[:5])


def _nothing(folder):
    pass


FAILURES = {
    "forgetting": (_other_truth, {"max_forgetting": 1e-9, **WILD, "optimizer": {"max_step": 0.1}}, None),
    "unknown element": (_gold, {}, LMLPError),
    "broken data": (_broken, {}, LMLPError),
    "no data": (lambda folder: (folder / "new.xyz").unlink(), {}, LMLPError),
    "nothing new": (_known, {}, DataError),
    "the name of the old data": (_nothing, {"task": "train"}, ConfigError),
    "no new element": (_known, {"networks": "new"}, LMLPError),
    "diverged": (_other_truth, {**WILD, "optimizer": {"max_step": 1e3, "lr": 1e3}}, TrainingError),
    "not finite": (_nothing, {"optimizer": {"max_step": 1e30, "lr": 1e30}, "dtype": "float32"}, LMLPError),
    "other old data": (_nothing, {"old": ["new.xyz", "nowhere.xyz"]}, LMLPError),
}


def _states(folder):
    return {
        p.name: p.read_bytes() for p in folder.iterdir() if p.name.startswith(("model.memory", "next.pt"))
    }


@pytest.fixture(params=["no memory", "a memory"])
def begun(request, start):
    """A model, and perhaps a memory of another task."""
    if request.param == "a memory":
        write_structures(start / "first.xyz", with_hydrogen(6, seed=9))
        with Memory(start / "model.memory", create=True) as memory:
            added = [Addition(s) for s in with_hydrogen(6, seed=9)]
            memory.commit(Update("first", "start", {}, "first", added))
    return start


@pytest.mark.parametrize("why", FAILURES)
def test_a_session_that_ends_badly(begun, why):
    prepare, more, error = FAILURES[why]
    prepare(begun)
    before = _states(begun)
    values = learn_values(begun, **more)
    if error is None:
        assert learn(make_learn_config(values)).refused
    else:
        with pytest.raises(error):
            learn(make_learn_config(values))
    assert _states(begun) == before


def test_a_diverged_session_keeps_its_model_aside(start):
    _other_truth(start)
    optimizer = {"max_step": 10.0, "lr": 10.0}
    values = learn_values(start, output=str(start / "model.pt"), **WILD, optimizer=optimizer)
    before = (start / "model.pt").read_bytes()
    with pytest.raises(DivergedError, match=r"model\.pt was not written, the model is .*model\.diverged\.pt"):
        learn(make_learn_config(values))
    assert (start / "model.pt").read_bytes() == before
    assert read_model_file(start / "model.diverged.pt").n_members == 2
    assert not (start / "model.memory").exists()


def test_a_model_that_cannot_be_written(begun, monkeypatch):
    def full(*_, **__):
        raise ModelFileError("no space left on device")

    before = _states(begun)
    config = make_learn_config(learn_values(begun, epochs=2))
    with monkeypatch.context() as patch:
        patch.setattr("lmlp.lifelong.learn.write_model_file", full)
        with pytest.raises(ModelFileError):
            learn(config)
    assert _states(begun) == before
    learn(config, resume=True)
    with Memory(config.memory) as memory:
        assert memory.tasks()[-2:] == ["train", "new"]
        memory.verify()


def test_a_memory_that_cannot_be_written_keeps_the_model(start):
    """Another process has taken the name of the task meanwhile; model and memory stay a pair."""
    config = make_learn_config(learn_values(start, epochs=2, output=str(start / "model.pt")))
    before = (start / "model.pt").read_bytes()

    class Meanwhile(StopAt):
        def on_end(self, record):
            with Memory(config.memory, create=True) as memory:
                memory.commit(Update("x", "learn", {}, "new", [Addition(oxygen(1, seed=77)[0])]))

    with pytest.raises(DataError, match="there is a task 'new' already"):
        learn(config, observer=Meanwhile(-1))
    assert (start / "model.pt").read_bytes() == before
    with Memory(config.memory) as memory:
        assert memory.tasks() == ["new"]


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_stopped(begun, stop):
    before = _states(begun)
    config = make_learn_config(learn_values(begun, epochs=3000, checkpoint_interval=0.1))
    command = [sys.executable, "-c", SCRIPT, config.model_dump_json(), "new"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    while not config.checkpoint.exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(stop)
    process.wait()
    assert _states(begun) == before
    assert not config.output.exists()


def test_two_old_files_of_one_name_are_refused_at_once(start):
    (start / "sub").mkdir()
    write_structures(start / "sub" / "train.xyz", oxygen(4, seed=50))
    files = [str(start / "train.xyz"), str(start / "sub" / "train.xyz")]
    with pytest.raises(DataError, match=r"sub/train\.xyz: there is a task 'train' already"):
        learn(make_learn_config(learn_values(start, old=files)))
    assert not (start / "model.memory").exists()


def test_a_model_in_place_and_its_memory_change_together(start):
    config = make_learn_config(learn_values(start, epochs=1, output=str(start / "model.pt")))
    learn(config)
    assert read_model_file(start / "model.pt").elements == ["O", "H"]
    with Memory(config.memory) as memory:
        assert memory.tasks() == ["train", "new"]
