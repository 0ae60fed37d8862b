"""The memory file: bit-true contents, whole sessions only, nothing lost in silence, bounded by choice."""

import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from lmlp.cli.app import app
from lmlp.errors import DataError, InvalidArgumentError
from lmlp.io import read_structures
from lmlp.lifelong.choice import Bounds, choose, fair_shares, spread_order
from lmlp.lifelong.memory import Addition, Entry, Memory, State, Update
from lmlp.lifelong.record import checksum, from_bytes, to_bytes
from typer.testing import CliRunner

from tests.python.training.toy import clusters, crystals


def _filled(path, n=6, task="first"):
    memory = Memory(path, create=True)
    additions = [Addition(s) for s in clusters(n)]
    assert memory.commit(Update(task, "learn", {"why": "test"}, task, additions))
    return memory


def _same(a, b) -> bool:
    arrays = ("numbers", "positions", "cell", "pbc", "forces", "stress")
    pairs = [(getattr(a, k), getattr(b, k)) for k in arrays]
    return (a.energy, a.source, a.info) == (b.energy, b.source, b.info) and all(
        (x is None and y is None) or np.array_equal(x, y) for x, y in pairs
    )


def test_structures_come_back_bit_by_bit(tmp_path):
    given = [*clusters(3), *crystals(2)]
    given[0] = replace(given[0], energy=None, info={"config_type": "md", "n": 3})
    given[1] = replace(given[1], forces=None, energy=0.1 + 0.2)
    with Memory(tmp_path / "m", create=True) as memory:
        memory.commit(Update("s", "learn", {}, "t", [Addition(s) for s in given]))
    with Memory(tmp_path / "m") as memory:
        entries = memory.entries()
        assert all(_same(a, b) for a, b in zip(memory.structures(entries), given, strict=True))
        assert [e.source for e in entries] == [s.source for s in given]
        assert memory.verify() == 5
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m"]  # one file to copy


def test_checksum_follows_geometry_and_labels_only():
    s = crystals(1)[0]
    assert checksum(from_bytes(to_bytes(s))) == checksum(replace(s, source="x", info={"a": 1})) == checksum(s)
    moved = s.positions.copy()
    moved[0, 0] = np.nextafter(moved[0, 0], 9.0)
    others = [
        replace(s, positions=moved),
        replace(s, energy=s.energy + 1e-12),
        replace(s, forces=None),
        replace(s, stress=-s.stress),
        replace(s, pbc=np.array([True, True, False])),
    ]
    assert len({checksum(o) for o in [s, *others]}) == 6


def test_a_session_is_written_once_and_whole(tmp_path):
    with _filled(tmp_path / "m") as memory:
        more = [Addition(s) for s in clusters(4, seed=1)]
        assert not memory.commit(Update("first", "learn", {}, "again", more))
        assert memory.tasks() == ["first"]
        before = memory.entries()
        with pytest.raises(DataError, match="no structure 99"):
            memory.commit(Update("second", "learn", {}, "second", more, {99: State("parked")}))
        assert memory.entries() == before
        assert not memory.has_session("second")
        with pytest.raises(DataError, match="task 'first' already"):
            memory.commit(Update("second", "learn", {}, "first", more))
        # the same data under another name are known, and are not stored twice
        assert memory.commit(
            Update("third", "learn", {}, "third", [*more, *(Addition(s) for s in clusters(6))])
        )
        assert len(memory.entries(task="third")) == 4
        assert memory.known([checksum(s) for s in clusters(8)]) == {checksum(s) for s in clusters(6)}


def test_history_is_kept_and_nothing_can_be_rewritten(tmp_path):
    with _filled(tmp_path / "m") as memory:
        memory.commit(Update("two", "learn", {}, changes={2: State("parked", 0.05, "loss below 0.5")}))
        memory.commit(Update("three", "prune", {}, changes={2: State("removed", 0.05, "bound")}))
        assert [h["status"] for h in memory.history(2)] == ["active", "parked", "removed"]
        entry = memory.entries("removed")[0]
        assert (entry.id, entry.n_bytes, entry.state.reason) == (2, 0, "bound")
        assert checksum(clusters(2)[1]) == entry.checksum
        with pytest.raises(DataError, match=r"content of structure 2 .* was removed"):
            memory.structure(2)
        with pytest.raises(DataError, match="structure 2 was removed"):
            memory.commit(Update("four", "learn", {}, changes={2: State("active")}))
    raw = sqlite3.connect(tmp_path / "m")
    for statement in (
        "UPDATE events SET factor = 1",
        "DELETE FROM events",
        "DELETE FROM structures",
        "UPDATE contents SET bytes = x''",
        "DELETE FROM contents",
        "DELETE FROM sessions",
    ):
        with pytest.raises(sqlite3.IntegrityError):
            raw.execute(statement)
    raw.close()


def test_other_and_damaged_files_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such memory file"):
        Memory(tmp_path / "none")
    (tmp_path / "text").write_text("no database at all, but long enough to be read as one" * 40)
    with pytest.raises(DataError, match="not a memory file"):
        Memory(tmp_path / "text")
    other = sqlite3.connect(tmp_path / "other")
    other.execute("CREATE TABLE t (a)")
    other.commit()
    other.close()
    with pytest.raises(DataError, match="not a memory of lmlp"):
        Memory(tmp_path / "other")
    _filled(tmp_path / "m").close()
    newer = sqlite3.connect(tmp_path / "m")
    newer.execute("PRAGMA user_version = 9")
    newer.close()
    with pytest.raises(DataError, match="memory version 9"):
        Memory(tmp_path / "m")


def test_a_changed_byte_of_a_structure_is_found(tmp_path):
    with _filled(tmp_path / "m") as memory:
        position = memory.structure(3).positions.tobytes()
    content = (tmp_path / "m").read_bytes()
    place = content.index(position)
    (tmp_path / "m").write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    with Memory(tmp_path / "m") as memory:
        with pytest.raises(DataError, match=r"structure 3 \(toy.xyz:2\) is damaged"):
            memory.verify()
        assert memory.structure(2).energy is not None


SCRIPT = """
import sys
from lmlp.lifelong.memory import Addition, Memory, State, Update
from tests.python.training.toy import clusters
k = 0
with Memory(sys.argv[1], create=True) as memory:
    k = len(memory.sessions())
    while True:
        last = memory.entries("active")[-5:]
        changes = {e.id: State("removed", 1.0, f"by {k}") for e in last}
        added = [Addition(s) for s in clusters(5, seed=k)]
        memory.commit(Update(f"s{k}", "learn", {}, f"t{k}", added, changes))
        k += 1
        print(k, flush=True)
"""


def test_killed_at_any_moment(tmp_path):
    """Every session is whole: five added and the five before removed, or neither."""
    path = tmp_path / "m"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = 0
    for attempt in range(4):
        process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(path)], env=environment, stdout=-1)
        if attempt == 0:
            while not path.exists():  # while the file is made
                time.sleep(0.002)
        else:
            done = int(process.stdout.readline())
            time.sleep(random.uniform(0.0, 0.1))
        process.kill()
        process.communicate()
        with Memory(path, create=True) as memory:
            memory.verify()
            sessions = len(memory.sessions())
            assert sessions >= done
            assert len(memory.tasks()) == sessions
            assert len(memory.entries()) == 5 * sessions
            assert len(memory.entries("active")) == (5 if sessions else 0)
    assert done >= 3


# Choice -------------------------------------------------------------------------------------------


def _entry(number, task="a", status="active", factor=1.0, role="train", size=100):
    return Entry(number, task, role, str(number), "", "H2", 2, size, State(status, factor), "s")


def test_fair_shares():
    assert fair_shares([100, 100, 100], 30) == [10, 10, 10]
    assert fair_shares([2, 100, 100], 30) == [2, 14, 14]
    assert fair_shares([5, 5], 100) == [5, 5]
    assert sum(fair_shares([7, 9, 11], 20)) == 20


def test_what_is_different_is_kept():
    points = np.array([[0.0], [0.01], [0.02], [5.0], [5.01], [9.0]])
    order = spread_order(points, np.ones(6))
    assert {int(points[i, 0]) for i in order[:3]} == {0, 5, 9}
    # of two that are alike, the one that is hard to learn
    order = spread_order(points, np.array([1, 1, 1, 1, 9.0, 1]))
    assert 4 in order[:3]
    assert 3 not in order[:3]
    # 5 away and hard comes before 6 away and easy
    line = np.array([[0.0], [-5.0], [6.0]])
    assert spread_order(line, np.array([9.0, 4.0, 1.0])).tolist() == [0, 1, 2]
    assert spread_order(line, np.array([9.0, 1.0, 1.0])).tolist() == [0, 2, 1]


def test_bounds_by_number_and_bytes_with_equal_shares():
    entries = [_entry(k, "old" if k < 30 else "new") for k in range(90)]
    points = np.random.default_rng(0).normal(size=(90, 3))
    gone = choose(entries, points, Bounds(structures=20))
    kept = [e for e in entries if e.id not in gone]
    assert sorted(e.task for e in kept) == ["new"] * 10 + ["old"] * 10
    assert all(s.status == "removed" and "bound of 20 structures" in s.reason for s in gone.values())
    gone = choose(entries, points, Bounds(n_bytes=1550))
    assert len(entries) - len(gone) == 15
    assert choose(entries, points, Bounds()) == {}


def test_parked_go_first_then_suspects_and_check_structures_keep_their_share():
    entries = [_entry(k, status=s) for k, s in enumerate(["parked"] * 5 + ["suspect"] * 5 + ["active"] * 10)]
    points = np.arange(20.0)[:, None]
    assert set(choose(entries, points, Bounds(15))) == set(range(5))
    assert set(choose(entries, points, Bounds(10))) == set(range(10))
    entries = [_entry(k, role="check" if k % 4 == 0 else "train") for k in range(40)]
    gone = choose(entries, np.arange(40.0)[:, None], Bounds(20))
    assert sum(e.role == "check" for e in entries if e.id not in gone) == 5


# Command ------------------------------------------------------------------------------------------


def test_commands(tmp_path):
    path = str(tmp_path / "m.memory")
    memory = _filled(path, 12)
    memory.commit(Update("two", "learn", {}, changes={5: State("suspect", 20.0, "loss 40 times the mean")}))
    memory.close()
    run = CliRunner().invoke

    shown = run(app, ["memory", "list", path, "--verify"])
    assert shown.exit_code == 0
    assert "12 structures read and checked" in shown.stdout
    line = run(app, ["memory", "list", path, "--status", "suspect"]).stdout
    assert "toy.xyz:4" in line
    assert "loss 40 times the mean" in line
    data = json.loads(run(app, ["memory", "list", path, "--json"]).stdout)
    assert data["tasks"][0]["active"] == 11
    assert data["structures"][4]["status"] == "suspect"
    shown = json.loads(run(app, ["memory", "show", path, "5", "--json"]).stdout)
    assert [h["status"] for h in shown["history"]] == ["active", "suspect"]

    for numbers, message in (
        (["5", "99"], "no structure 99"),
        (["5", "4"], "structure 4 is active; suspect"),
    ):
        with pytest.raises(InvalidArgumentError, match=message):
            run(app, ["memory", "reinstate", path, *numbers], catch_exceptions=False)
    again = run(app, ["memory", "reinstate", path, "5", "5"])
    assert "toy.xyz:4" in again.stdout
    assert "1 structures take part again" in again.stdout
    shown = json.loads(run(app, ["memory", "show", path, "5", "--json"]).stdout)
    assert [h["status"] for h in shown["history"]] == ["active", "suspect", "active"]
    assert (shown["factor"], shown["reason"]) == (1.0, "reinstated")
    assert "reinstate " in run(app, ["memory", "show", path, "5"]).stdout
    with Memory(path) as opened:
        opened.commit(Update("three", "learn", {}, changes={5: State("suspect", 20.0, "again")}))

    before = run(app, ["memory", "prune", path, "--structures", "8", "--dry-run"])
    assert "4 of 12 structures would go" in before.stdout
    assert json.loads(run(app, ["memory", "list", path, "--json"]).stdout)["tasks"][0]["removed"] == 0
    pruned = run(app, ["memory", "prune", path, "--structures", "8"])
    assert pruned.exit_code == 0, pruned.output
    assert pruned.stdout.count("memory bound of 8 structures") == 4
    rest = read_structures(tmp_path / "m.memory.removed-1.xyz.xz")
    out = tmp_path / "kept.xyz"
    assert run(app, ["memory", "export", path, "-o", str(out)]).exit_code == 0
    kept = read_structures(out)
    assert (len(rest), len(kept)) == (4, 8)
    assert {checksum(s) for s in [*rest, *kept]} == {checksum(s) for s in clusters(12)}
    assert all(s.info["lmlp_task"] == "first" for s in kept)
    assert any(s.info["lmlp_status"] == "suspect" for s in rest)  # ahead of the active ones
    with pytest.raises(DataError, match="no such structures"):
        run(app, ["memory", "export", path, "-o", str(out), "--task", "other"], catch_exceptions=False)
