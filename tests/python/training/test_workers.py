"""Several processes train what one would: the same model to rounding, one set of files, an orderly end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from lmlp.export.model_file import read_model_file
from lmlp.training import train
from lmlp.training.state.checkpoint import load_checkpoint
from lmlp.training.state.log import read_log
from lmlp.training.workers import Group, Workers

from tests.python.training.toy import clusters, settings

GROUPS = [np.array([5, 3, 9]), np.array([1, 2, 0]), np.array([7])]


def _group(rank: int, size: int) -> Group:
    group = object.__new__(Group)  # how a batch is divided needs no connection
    group.rank, group.size = rank, size
    return group


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_every_structure_is_evaluated_once(size):
    workers = [_group(rank, size) if size > 1 else Workers() for rank in range(size)]
    places = np.concatenate([w.positions(GROUPS) for w in workers])
    ids = np.concatenate([i for w in workers for i in w.share(GROUPS)])
    assert sorted(places.tolist()) == list(range(7))
    assert np.array_equal(np.concatenate(GROUPS)[places], ids)
    loads = [sum(map(len, w.share(GROUPS))) for w in workers]
    assert max(loads) - min(loads) <= 1 or size > 3


@pytest.mark.parametrize("size", [2, 3, 5])
def test_members_that_share_their_structures_have_the_same_in_every_process(size):
    workers = [_group(rank, size) for rank in range(size)]
    groups = [np.array([5, 3, 9, 4])] * 3
    for w in workers:
        first, *others = w.share(groups, alike=True)
        assert all(np.array_equal(first, ids) for ids in others)
        assert np.array_equal(np.concatenate(groups)[w.positions(groups, alike=True)], np.tile(first, 3))
    assert sorted(i for w in workers for i in w.share(groups, alike=True)[0]) == [3, 4, 5, 9]


def _config(folder: Path, **more):
    folder.mkdir()
    return settings(folder, clusters(24), optimizer={"score_history": 5, "frozen": 0.2}, **more)


def _start(config, n: int, *options: str) -> subprocess.Popen:
    path = config.output.parent / "config.yaml"
    values = config.model_dump(mode="json", exclude_defaults=True)
    path.write_text(yaml.safe_dump(values))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(n)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*command, "-m", "lmlp", "train", str(path), *options],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _close(model, expected) -> None:
    for a, b in zip(model.weights + model.biases, expected.weights + expected.biases, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-9)  # sums in another order, 18 steps


# batches of one structure leave a process without any now and then
@pytest.mark.parametrize(
    "more",
    [
        {},
        pytest.param({"batch_size": 1, "epochs": 1}, marks=pytest.mark.slow),
        pytest.param({"selection": 0.5}, marks=pytest.mark.slow),
        pytest.param({"loss": {"likelihood": 0.5}, "epochs": 4, "batch_size": 1}, marks=pytest.mark.slow),
        pytest.param({"stream": "always", "derivatives": "stored"}, marks=pytest.mark.slow),
    ],
)
def test_two_processes_train_the_model_of_one(tmp_path, more):
    one, two = _config(tmp_path / "one", **more), _config(tmp_path / "two", **more)
    expected = train(one)
    process = _start(two, 2)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    model = read_model_file(two.output)
    _close(model, expected)
    assert model.force_rmse == pytest.approx(expected.force_rmse, rel=1e-8)
    assert output.count("Forecast:") == 1  # only the first speaks
    logs = [read_log(c.log) for c in (one, two)]
    assert [r["type"] for r in logs[1]] == [r["type"] for r in logs[0]]
    for a, b in zip(*logs, strict=True):
        if a["type"] == "epoch":
            assert b["train"] == pytest.approx(a["train"], rel=1e-8)
            assert b["gradient_evaluations"] == a["gradient_evaluations"]
            assert b.get("phase") == a.get("phase")
            if "phase" not in a:
                assert b["valid"]["loss"] == pytest.approx(a["valid"]["loss"], rel=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_any_process_saves_and_ends_all_and_one_process_goes_on(tmp_path, number):
    one, two = _config(tmp_path / "one", epochs=60), _config(tmp_path / "two", epochs=60)
    expected = train(one)
    process = _start(two, 2)
    deadline = time.monotonic() + 200
    while not (two.log.exists() and '"epoch": 2' in two.log.read_text()):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(_of_rank(process.pid, 1), number)
    output, _ = process.communicate(timeout=200)
    assert process.returncode != 0
    assert "All progress is in" in output
    assert 0 < load_checkpoint(two.checkpoint)["position"][0] < 60
    assert not two.output.exists()
    _close_long(train(two, resume=True), expected)


@pytest.mark.slow
def test_a_killed_process_ends_the_others_and_the_last_checkpoint_goes_on(tmp_path):
    one = _config(tmp_path / "one", epochs=60)
    two = _config(tmp_path / "two", epochs=60, checkpoint_interval=0.2)
    expected = train(one)
    process = _start(two, 2)
    deadline = time.monotonic() + 200
    while not (two.checkpoint.exists() and '"epoch": 2' in two.log.read_text()):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(_of_rank(process.pid, 1), signal.SIGKILL)
    process.communicate(timeout=200)  # nobody waits for the dead
    assert process.returncode != 0
    assert not two.output.exists()
    _close_long(train(two, resume=True), expected)


def _of_rank(parent: int, rank: int) -> int:
    """Find the process of a rank among the children of torchrun."""
    for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        if f"\0RANK={rank}\0".encode() in b"\0" + Path(f"/proc/{pid}/environ").read_bytes():
            return int(pid)
    raise AssertionError(f"no process of rank {rank}")


def _close_long(model, expected) -> None:
    for a, b in zip(model.weights, expected.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)  # 360 steps: rounding grows along the way
