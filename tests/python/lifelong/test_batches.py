"""Streams: batches in their order, bounded memory, records, exact resume, refused and known batches."""

import json
import multiprocessing
from dataclasses import replace

import numpy as np
import pytest
from lmlp.cli.app import app
from lmlp.errors import ConfigError
from lmlp.export.model_file import read_model_file
from lmlp.io import read_structures, write_structures
from lmlp.lifelong.batches import SessionBatch, batches_log, cut, learn_batches, one_file_each, pooled
from lmlp.lifelong.learn import learn
from lmlp.lifelong.memory import Memory
from typer.testing import CliRunner

from tests.python.lifelong.oxygen import learn_values, oxygen
from tests.python.training.test_resume import StopAt, _same_model


def options(folder, **more):
    return learn_values(folder, **{"epochs": 4, "memory_structures": 24, "task": "pool", **more})


def test_a_stream_in_batches(start):
    values = options(start)
    batches = cut([start / "new.xyz"], 12)
    assert batches == [SessionBatch([start / "new.xyz"], f) for f in ((0, 12), (12, 24), (24, 30))]
    heard = []
    records = learn_batches(values, batches, on_batch=heard.append)
    assert (
        heard == records == [json.loads(x) for x in batches_log(start / "next.pt").read_text().splitlines()]
    )
    assert [r["n_new"] for r in records] == [12, 12, 6]
    assert [r["n_memory"] for r in records] == [24, 24, 24]  # the bound, with 30 structures before the stream
    assert records[0]["stream"]["after"]["n"] == 2
    assert records[0]["new"]["before"] is None  # hydrogen is not known yet
    assert records[1]["new"]["before"]["force_rmse"] > 0
    assert all(r["old"]["before"]["n"] <= 3 for r in records)
    sources = [s.source for s in read_structures(start / "new.xyz")]
    with Memory(start / "model.memory") as memory:
        assert memory.tasks() == ["train", "pool-001", "pool-002", "pool-003"]
        assert [e.source for e in memory.entries() if e.task != "train"] == sources
    reports = sorted((start / "next.batches").glob("*.json"))
    assert [json.loads(p.read_text())["task"] for p in reports] == ["pool-001", "pool-002", "pool-003"]
    assert len(read_model_file(start / "next.pt").provenance["lineage"]) == 3
    with pytest.raises(ConfigError, match="has learned 'pool-001' already"):
        learn_batches(values, batches)


def test_an_interrupted_stream_goes_on(start, monkeypatch):
    batches = cut([start / "new.xyz"], 15)
    straight = options(start, memory=str(start / "a.memory"), output=str(start / "a.pt"))
    expected = learn_batches(straight, batches)
    broken = options(start, memory=str(start / "b.memory"), output=str(start / "b.pt"))

    def stopped(config, **more):
        if config.task == "pool-002":
            more["observer"] = StopAt(7)
        return learn(config, **more)

    with monkeypatch.context() as patch:
        patch.setattr("lmlp.lifelong.batches.learn", stopped)
        with pytest.raises(KeyboardInterrupt):
            learn_batches(broken, batches)
    assert (start / "b.learning.checkpoint").exists()

    def killed(*_):
        raise SystemExit

    with monkeypatch.context() as patch:  # after the session, before its line in the log
        patch.setattr("lmlp.lifelong.batches._keep", killed)
        with pytest.raises(SystemExit):
            learn_batches(broken, batches, resume=True)
    records = learn_batches(broken, batches, resume=True)
    assert [r["stream"] for r in records] == [r["stream"] for r in expected]
    assert _same_model(read_model_file(start / "a.pt"), read_model_file(start / "b.pt"))
    assert learn_batches(broken, batches, resume=True) == records  # nothing is left to do


def test_known_and_refused_batches(start):
    files = [start / f"{k}.xyz" for k in range(3)]
    write_structures(files[0], oxygen(30)[:6])  # the model's own data
    for k in (1, 2):  # another truth: it cannot be learned without forgetting
        other = [replace(s, forces=-s.forces, energy=s.energy + 3.0) for s in oxygen(12, seed=k)]
        write_structures(files[k], other)
    before = (start / "model.pt").read_bytes()
    wild = {
        "balance": 0.0,
        "selection": {"old_share": 0.0, "share": 0.5},
        "optimizer": {"max_step": 0.3, "frozen": 0.0},
    }
    values = options(start, max_forgetting=0.1, output=str(start / "model.pt"), epochs=20, **wild)
    records = learn_batches(values, one_file_each(files))
    assert [(r["n_new"], r["refused"]) for r in records] == [(0, False), (12, True), (12, True)]
    assert (start / "model.pt").read_bytes() == before
    assert not (start / "model.memory").exists()


def _learn_in_fork(values: dict, batches: list[SessionBatch]) -> list[str]:
    return [record["task"] for record in learn_batches(values, batches)]


def test_a_stream_in_a_forked_process(start):
    write_structures(start / "pool.xyz", oxygen(12, seed=3))
    values = options(start, epochs=1)
    batches = cut([start / "pool.xyz"], 6)
    here = _learn_in_fork(
        {**values, "output": str(start / "b.pt"), "memory": str(start / "b.memory")}, batches
    )
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(_learn_in_fork, (values, batches)).get(120) == here


def test_pooled_errors():
    parts = [
        {"n": 3, "energy_rmse": 1.0, "force_rmse": None},
        {"n": 1, "energy_rmse": 3.0, "force_rmse": 2.0},
        None,
    ]
    assert pooled(parts) == {"n": 4, "energy_rmse": pytest.approx(np.sqrt(3.0)), "force_rmse": 2.0}
    assert pooled([None]) is None


def test_command(start, monkeypatch):
    monkeypatch.chdir(start)
    line = ["learn", "model.pt", "new.xyz", "--old", "train.xyz", "-o", "next.pt", "--epochs", "2"]
    result = CliRunner().invoke(app, [*line, "--stream", "20", "--threads", "1"])
    assert result.exit_code == 0, result.output
    assert "new-001: 20 in 50 |" in result.output
    assert "new-002: 10 in 60 |" in result.output
    assert (start / "next.stream.png").read_bytes()[1:4] == b"PNG"
    wrong = CliRunner().invoke(app, [*line, "--stream", "0"])
    assert "structures per batch" in str(wrong.exception)
