"""Resuming gives the weights of an unbroken run, bit by bit."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from lmlp.errors import ConfigError, ModelFileError
from lmlp.training import Observer, train
from lmlp.training.state.checkpoint import load_checkpoint, load_model_data, previous_path
from lmlp.training.state.log import read_log

from tests.python.training.toy import clusters, settings

OPTIMIZERS = {
    "core": {"name": "core", "score_history": 4, "frozen": 0.2},
    "adamw": {"name": "adamw", "weight_decay": 0.01},
}


class StopAt(Observer):
    """Interrupts the process after some steps, as Ctrl-C does."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, position, share, remaining):
        if position.total == self.step:
            signal.raise_signal(signal.SIGINT)


def _same_model(a, b) -> bool:
    pairs = zip(a.weights + a.biases, b.weights + b.biases, strict=True)
    return all(np.array_equal(x, y) for x, y in pairs)


def _same_state(a, b) -> bool:
    keys = ("parameters", "average", "best")
    lists = all(torch.equal(x, y) for k in keys for x, y in zip(a[k], b[k], strict=True))
    return lists and torch.equal(a["best_loss"], b["best_loss"]) and a["position"] == b["position"]


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_interrupted_in_mid_epoch_and_resumed(tmp_path, name, dtype):
    for folder in ("straight", "broken"):
        (tmp_path / folder).mkdir()
    options = {"optimizer": OPTIMIZERS[name], "dtype": dtype}
    straight = settings(tmp_path / "straight", clusters(24), **options)
    expected = train(straight)

    broken = settings(tmp_path / "broken", clusters(24), **options)
    with pytest.raises(KeyboardInterrupt):
        train(broken, observer=StopAt(8))
    assert load_checkpoint(broken.checkpoint)["position"] == [1, 2, 8]
    model = train(broken, resume=True)
    assert _same_model(model, expected)
    assert _same_state(load_checkpoint(broken.checkpoint), load_checkpoint(straight.checkpoint))
    # the log tells the same story, apart from times
    a, b = ([r for r in read_log(c.log) if r["type"] == "epoch"] for c in (straight, broken))
    assert [(r["epoch"], r["train"], r["valid"]) for r in a] == [
        (r["epoch"], r["train"], r["valid"]) for r in b
    ]


SCRIPT = """
import sys
from lmlp.training import make_config, train
import json
train(make_config(json.loads(sys.argv[1])), resume=sys.argv[2] == "resume")
"""


def _start(config, how: str) -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCRIPT, config.model_dump_json(), how]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)


def test_killed_at_a_random_moment_and_resumed(tmp_path):
    for folder in ("straight", "killed"):
        (tmp_path / folder).mkdir()
    options = {"epochs": 300, "checkpoint_interval": 0.1}
    straight = settings(tmp_path / "straight", clusters(24), **options)
    killed = settings(tmp_path / "killed", clusters(24), **options)
    process = _start(killed, "new")
    while not killed.checkpoint.exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    time.sleep(np.random.default_rng().uniform(0, 0.5))
    process.kill()
    process.communicate()
    at = load_checkpoint(killed.checkpoint)["position"]
    assert at[0] < options["epochs"], "the run ended before it was killed: give it more epochs"
    process = _start(killed, "resume")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert _same_model(load_model_data(killed.checkpoint), train(straight))


def test_checkpoint_is_plain_data_and_the_last_two_are_kept(tmp_path):
    config = settings(tmp_path, clusters(24), checkpoint_interval=1e-6)
    model = train(config)
    state = torch.load(config.checkpoint, weights_only=True)
    assert state["format"] == "lmlp-checkpoint"
    assert previous_path(config.checkpoint).exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "model.checkpoint",
        "model.checkpoint.previous",
        "model.log.jsonl",
        "train.xyz",
    ]
    loaded = load_model_data(config.checkpoint)
    assert _same_model(loaded, model)
    assert loaded.force_rmse == model.force_rmse
    assert loaded.calibration == model.calibration
    assert json.dumps(loaded.provenance)  # goes into the model file's JSON

    config.checkpoint.write_bytes(config.checkpoint.read_bytes()[:1000])
    assert load_model_data(config.checkpoint).n_members == 2  # the one before
    previous_path(config.checkpoint).unlink()
    with pytest.raises(ModelFileError, match=r"model.checkpoint: not a checkpoint, or damaged"):
        load_model_data(config.checkpoint)
    with pytest.raises(ModelFileError, match="no such checkpoint"):
        load_model_data(tmp_path / "other.checkpoint")


def test_resuming_with_other_data_or_settings_is_refused(tmp_path):
    config = settings(tmp_path, clusters(24))
    train(config)
    with pytest.raises(ConfigError, match="other settings of batch_size"):
        train(settings(tmp_path, [], batch_size=4), resume=True)
    with pytest.raises(ConfigError, match="other settings of model"):
        train(settings(tmp_path, [], model={"hidden": [3]}), resume=True)
    longer = train(settings(tmp_path, [], epochs=5), resume=True)
    assert [r["epoch"] for r in read_log(config.log) if r["type"] == "epoch"] == [0, 1, 2, 3, 4]
    assert longer.n_members == 2
    (tmp_path / "train.xyz").unlink()
    with pytest.raises(ConfigError, match="made from other data"):
        train(settings(tmp_path, clusters(24, seed=3)), resume=True)
